// Before joining: name, microphone, level, and listening only as the way out.

import { byId, face, make, named } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { drawLevel, loudness } from "../shared/levels.js";
import { MICROPHONE_PROBLEMS } from "./problems.js";

const FACES = 6;

/** Fill a select with the microphones there are. */
export async function fillDevices(select, microphone, withNone) {
  const devices = await microphone.devices();
  const options = devices.map((device) => make("option", { value: device.id, text: device.label }));
  if (withNone) options.unshift(make("option", { value: "none", text: "No microphone (listening)" }));
  if (options.length === 0) options.push(make("option", { value: "", text: "No microphone" }));
  select.replaceChildren(...options);
  select.value = microphone.track ? microphone.deviceId : withNone ? "none" : "";
  if (select.selectedIndex < 0) select.selectedIndex = 0;
  select.disabled = options.length < 2 && !microphone.track;
}

export class Lobby {
  /** `onJoin(name, listenOnly)`. */
  constructor(microphone, onJoin) {
    this.microphone = microphone;
    this.select = byId("lobby-microphone");
    this.level = byId("lobby-level");
    this.hint = byId("lobby-hint");
    this.notice = byId("lobby-notice");
    this.name = byId("lobby-name");
    this.join = byId("lobby-join");
    this.listen = byId("lobby-listen");
    byId("lobby-form").addEventListener("submit", (event) => {
      event.preventDefault();
      onJoin(this.name.value.trim(), false);
    });
    this.listen.addEventListener("click", () => onJoin(this.name.value.trim(), true));
    this.select.addEventListener("change", () => this.ask(this.select.value));
    document.addEventListener("pointerdown", () => microphone.wake());
  }

  /** Show the conference; `participants` begins with us. */
  show(conference) {
    const [me, ...others] = conference.participants;
    const online = others.filter((person) => person.online);
    byId("lobby-title").textContent = named(conference.name, "Conference without a name");
    byId("lobby-present").textContent =
      online.length === 0 ? "Nobody else is here yet." : online.length === 1 ? "One person is here." : `${online.length} people are here.`;
    const faces = online.slice(0, FACES).map((person) => {
      const item = make("li", { title: named(person.name) }, face(person.id, person.name));
      item.append(make("span", { class: "unseen", text: named(person.name) }));
      return item;
    });
    if (online.length > FACES) faces.push(make("li", { class: "more small soft", text: `and ${online.length - FACES} more` }));
    byId("lobby-faces").replaceChildren(...faces);
    if (!this.name.value) this.name.value = me.name;
    this.attendee = me.role === "attendee";
    this.#offer();
    this.#meter();
    if (!this.microphone.track) this.ask();
  }

  hide() {
    clearInterval(this.timer);
  }

  /** Ask for the microphone, or for another one. */
  async ask(deviceId = undefined) {
    this.notice.hidden = true;
    this.join.disabled = true;
    try {
      await this.microphone.open(deviceId);
      this.problem = null;
    } catch (error) {
      if (!error.reason) throw error;
      this.problem = error.reason;
    }
    await fillDevices(this.select, this.microphone, false);
    this.#offer();
  }

  #offer() {
    const { track } = this.microphone;
    const trouble = !track && this.problem ? MICROPHONE_PROBLEMS[this.problem] : null;
    this.level.hidden = !track;
    this.hint.hidden = Boolean(trouble);
    this.hint.textContent = track
      ? this.attendee
        ? "You were invited to listen: others do not hear you in the conference."
        : "Say something: the bar should move."
      : "Your browser asks whether this page may use your microphone.";
    this.join.hidden = Boolean(trouble);
    this.join.disabled = !track;
    this.listen.classList.toggle("primary", Boolean(trouble));
    this.notice.hidden = !trouble;
    if (!trouble) return;
    const words = make("div", { class: "stack tight grow" }, make("h3", { text: trouble.title }), make("p", { class: "small", text: trouble.text }));
    if (trouble.again) {
      words.append(make("div", {}, make("button", { type: "button", class: "compact", text: "Try again", on: { click: () => this.ask() } })));
    }
    this.notice.replaceChildren(icon("warning"), words);
  }

  #meter() {
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      const level = this.microphone.level();
      drawLevel(this.level, level);
      this.level.setAttribute("aria-valuenow", String(Math.round(loudness(level) * 100)));
    }, 100);
  }
}
