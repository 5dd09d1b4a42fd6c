// The join page: from the link to the lobby, into the call and out of it again.

import { announce, byId, make, named, setText, toast } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { drawLevel } from "../shared/levels.js";
import { Live } from "../shared/live.js";
import { Mind } from "../shared/mind.js";
import { forgetAddress, keepAddress, takeAddress } from "./address.js";
import { CallBar } from "./call_bar.js";
import { Chat } from "./chat.js";
import { Lobby, fillDevices } from "./lobby.js";
import { Microphone } from "./microphone.js";
import { ProblemView } from "./problem_view.js";
import { Roster } from "./roster.js";
import { Session } from "./session.js";
import { SlowEar } from "./slow_ear.js";

const VIEWS = ["opening", "problem", "lobby", "call"];
const LOOK_AGAIN_MS = 4_000;

class Page {
  constructor() {
    this.address = null;
    this.conference = null;
    this.listenOnly = false;
    this.muted = false;
    this.mutedByOperator = false;
    this.session = null;
    this.live = null;
    this.ear = null;
    this.refreshing = new Set(); // for each look at the conference under way: what was told meanwhile
    this.microphone = new Microphone((what) => this.#microphoneChanged(what));
    this.lobby = new Lobby(this.microphone, (name, listenOnly) => this.#join(name, listenOnly));
    this.roster = new Roster(byId("tiles"), () => this.#peopleChanged());
    this.bar = new CallBar();
    this.problems = new ProblemView({
      follow: (address) => this.#follow(address),
      again: () => this.#restart(),
      rejoin: () => this.#restart(),
      retry: () => this.#retry(),
      "listen-slow": () => this.#listenSlowly(),
    });
    this.chat = new Chat({
      send: (to, text) => this.mind.sendMessage(this.address.conferenceId, to || this.address.conferenceId, text),
      nameOf: (id) => this.roster.nameOf(id),
      onUnread: (count) => this.#unread(count),
    });
    this.#wire();
  }

  /** Begin with what the address bar or the tab's memory says. */
  async open() {
    const hadFragment = location.hash.length > 1;
    const address = takeAddress();
    if (!address) return this.#problem(hadFragment ? "badlink" : "nolink");
    this.address = address;
    this.mind = new Mind(address.applicationId, address.token);
    return this.#lookUp();
  }

  async #lookUp() {
    clearTimeout(this.timer);
    try {
      this.#setConference(await this.mind.conference(this.address.conferenceId));
    } catch (error) {
      if (error.status === undefined) throw error;
      if ([401, 403, 404].includes(error.status)) {
        forgetAddress();
        return this.#problem("gone");
      }
      this.#problem(error.status === 0 ? "offline" : "busy");
      this.timer = setTimeout(() => this.#lookUp(), Math.max(LOOK_AGAIN_MS, 1000 * (error.retryAfter ?? 0)));
      return undefined;
    }
    if (!window.RTCPeerConnection) return this.#problem("unsupported");
    this.#show("lobby");
    this.lobby.show(this.conference);
    byId("lobby-title").focus();
    return undefined;
  }

  #setConference(conference) {
    this.conference = conference;
    const name = named(conference.name, "Conference without a name");
    document.title = `${name} · Mediabridge`;
    setText(byId("call-title"), name);
    byId("call-title").title = name;
    if (conference.participants) {
      this.roster.load(conference.participants);
      this.chat.me = this.roster.me;
      this.chat.everybody = this.address.conferenceId;
      this.chat.application = this.address.applicationId;
    }
  }

  // --- joining and leaving ---

  #join(name, listenOnly) {
    const [me] = this.conference.participants;
    this.listenOnly = listenOnly;
    if (listenOnly) this.microphone.close();
    this.lobby.hide();
    this.#show("call");
    byId("call-title").focus();
    if (name && name !== me.name) this.#rename(name);
    this.#begin();
    this.session = new Session(this.mind, this.address.conferenceId, {
      state: (state, cause) => this.#state(state, cause),
      notification: (message) => this.#notified(message),
      sound: (stream) => this.#play(stream),
      figures: (figures) => this.bar.drawFigures(figures),
    });
    this.session.start(this.microphone.track, this.muted);
  }

  /** What a call needs, whatever carries its sound. */
  #begin() {
    this.live?.close();
    this.live = new Live(this.address.applicationId, this.address.conferenceId, this.address.token, {
      levels: (message) => this.#levels(message.participants),
      state: (state) => state === "closed" && this.roster.hush(),
      over: (cause) => this.#over(cause),
    });
    clearInterval(this.levelTimer);
    this.levelTimer = setInterval(() => drawLevel(byId("dock-level"), this.muted ? -127 : this.microphone.level()), 100);
    this.#drawMute();
    fillDevices(byId("dock-select"), this.microphone, true).then(() => this.#drawMute());
  }

  /** Sound over the page's own connection: where UDP does not get through. */
  #listenSlowly() {
    this.session?.close();
    this.session = null;
    this.microphone.close();
    this.listenOnly = true;
    this.ear = new SlowEar(this.address, {
      state: (state, cause) => this.#state(state, cause),
      reload: () => this.#refresh(),
    });
    this.#show("call");
    this.#begin();
    this.ear.start();
  }

  #leave() {
    this.#stop();
    this.#problem("left");
  }

  #stop() {
    this.session?.close();
    this.ear?.close();
    this.live?.close();
    this.session = null;
    this.ear = null;
    this.live = null;
    clearInterval(this.levelTimer);
    this.microphone.close();
    byId("sound").srcObject = null;
  }

  async #rename(name) {
    try {
      this.roster.update(await this.mind.changeParticipant(this.address.conferenceId, this.roster.me, { name }));
    } catch (error) {
      toast(`Your name was not changed: ${error.message}`);
    }
  }

  // --- what happens in a call ---

  #state(state, cause) {
    this.bar.drawState(state, cause, Boolean(this.ear));
    if (state === "reconnecting") this.bar.notice("The connection broke off. It is being set up again; you need do nothing.");
    if (state === "connected") {
      this.#sayMuted();
      this.#refresh();
    }
    if (state === "blocked" || state === "refused") {
      this.live?.close();
      this.#problem(state);
    }
    if (state === "over") this.#over(cause);
  }

  async #over(cause) {
    if (!this.live && !this.session && !this.ear) return;
    this.#stop();
    if (cause !== "expelled") {
      forgetAddress();
      this.#problem(cause);
      return;
    }
    // The same word is used for an expulsion and for a newer session elsewhere: the token tells which.
    try {
      await this.mind.conference(this.address.conferenceId);
      this.#problem("replaced");
    } catch {
      forgetAddress();
      this.#problem("expelled");
    }
  }

  async #refresh() {
    const told = [];
    this.refreshing.add(told);
    try {
      this.#setConference(await this.mind.conference(this.address.conferenceId));
      for (const message of told) this.#apply(message); // the answer may be older than they are
    } catch (error) {
      if ([401, 404].includes(error.status)) this.#over("gone");
    } finally {
      this.refreshing.delete(told);
    }
  }

  #notified(message) {
    for (const told of this.refreshing) told.push(message);
    this.#apply(message);
  }

  #apply({ type, location: where, resource }) {
    const [, kind, id, more] = where.split("/");
    if (where === "/") {
      if (type === "updated") this.#setConference({ ...this.conference, ...resource, participants: null });
    } else if (kind === "participants" && !more) {
      if (type === "deleted") this.roster.remove(id);
      else this.roster.update(resource);
    } else if (kind === "messages" && type === "created") this.chat.add(resource);
  }

  #levels(participants) {
    this.roster.setLive(participants);
    const muted = participants[this.roster.me]?.muted ?? false;
    if (muted === this.mutedByOperator) return;
    this.mutedByOperator = muted;
    this.#sayMuted();
  }

  #sayMuted() {
    this.bar.notice(this.mutedByOperator ? "An operator has muted you: the others do not hear you." : null);
  }

  #peopleChanged() {
    const { others } = this.roster;
    byId("alone").hidden = others.length > 0;
    this.chat.setPeople(others);
  }

  async #play(stream) {
    const sound = byId("sound");
    sound.srcObject = stream;
    try {
      await sound.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return;
      const start = make("button", { type: "button", class: "compact", text: "Play sound" });
      start.addEventListener("click", () => sound.play().then(() => this.bar.notice(null)));
      this.bar.notice("Your browser holds the sound back until you allow it.", start);
    }
  }

  // --- the microphone ---

  #toggleMute() {
    if (!this.microphone.track) return this.#chooseMicrophone(undefined);
    this.muted = !this.muted;
    this.session?.setMuted(this.muted);
    announce(this.muted ? "Microphone muted" : "Microphone on");
    return this.#drawMute();
  }

  async #chooseMicrophone(deviceId) {
    if (deviceId === "none") {
      this.microphone.close();
      await this.session?.setTrack(null);
    } else {
      try {
        await this.microphone.open(deviceId || undefined);
        this.muted = false;
        this.session?.setMuted(false);
        await this.session?.setTrack(this.microphone.track);
      } catch (error) {
        if (!error.reason) throw error;
        toast({ denied: "The microphone is blocked: allow it in the address bar.", missing: "No microphone was found.", insecure: "The microphone needs a page on https." }[error.reason] ?? "Another program may hold the microphone.");
      }
    }
    await fillDevices(byId("dock-select"), this.microphone, true);
    this.#drawMute();
  }

  async #microphoneChanged(what) {
    if (what === "ended") {
      await this.session?.setTrack(null);
      if (this.session) toast("The microphone is gone; the others do not hear you now.");
      else this.lobby.ask();
    }
    if (this.session) fillDevices(byId("dock-select"), this.microphone, true);
    else if (this.microphone.track) fillDevices(byId("lobby-microphone"), this.microphone, false);
    this.#drawMute();
  }

  #drawMute() {
    const on = Boolean(this.microphone.track);
    const button = byId("dock-mute");
    const silent = on && this.muted;
    this.roster.setSending(on ? (silent ? "muted" : "sending") : "listening");
    button.disabled = Boolean(this.ear);
    button.setAttribute("aria-pressed", String(silent));
    button.title = this.ear ? "Talking needs UDP" : on ? "Key M" : "Use a microphone";
    button.replaceChildren(icon(on ? (silent ? "mic-off" : "mic") : "headphones"), make("span", { class: "label", text: !on ? "Listening" : this.muted ? "Unmute" : "Mute" }));
    byId("dock-select").disabled = Boolean(this.ear);
  }

  // --- views ---

  #show(view) {
    for (const name of VIEWS) byId(name).hidden = name !== view;
  }

  #problem(name) {
    clearTimeout(this.timer);
    this.lobby.hide();
    this.problems.draw(name, Boolean(this.address));
    this.#show("problem");
    this.problems.focus();
  }

  #follow(address) {
    this.address = address;
    this.mind = new Mind(address.applicationId, address.token);
    this.#restart();
  }

  #restart() {
    this.#stop();
    keepAddress(this.address);
    this.#show("opening");
    this.#lookUp();
  }

  #retry() {
    if (!this.session) return this.#restart();
    this.#show("call");
    this.#begin();
    return this.session.retry();
  }

  #unread(count) {
    const badge = byId("dock-unread");
    badge.hidden = count === 0;
    badge.textContent = count > 99 ? "99+" : String(count);
    byId("dock-chat").setAttribute("aria-label", count ? `Messages, ${count} unread` : "Messages");
  }

  #openChat(open) {
    byId("call-chat").classList.toggle("open", open);
    byId("dock-chat").setAttribute("aria-expanded", String(open));
    if (open) {
      this.chat.read();
      byId("chat-text").focus();
    } else byId("dock-chat").focus();
  }

  #wire() {
    byId("dock-mute").addEventListener("click", () => this.#toggleMute());
    byId("dock-leave").addEventListener("click", () => this.#leave());
    byId("dock-chat").addEventListener("click", () => this.#openChat(true));
    byId("chat-close").addEventListener("click", () => this.#openChat(false));
    byId("dock-select").addEventListener("change", (event) => this.#chooseMicrophone(event.target.value));
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, textarea, select, dialog");
      if (event.key === "Escape" && byId("call-chat").classList.contains("open")) this.#openChat(false);
      if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || byId("call").hidden) return;
      if (event.key.toLowerCase() === "m") this.#toggleMute();
    });
    // A second link pasted into the same tab changes the fragment only.
    addEventListener("hashchange", () => {
      if (location.hash.length < 2) return;
      this.#stop();
      this.#show("opening");
      this.open();
    });
    addEventListener("pagehide", () => this.#stop());
    addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload();
    });
  }
}

new Page().open();
