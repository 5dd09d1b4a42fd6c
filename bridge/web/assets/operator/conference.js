// One conference: its head, its people, what is recorded and streamed, who hears whom, and how phones reach it.

import { make, named, setText, toast } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { ROLES } from "../shared/levels.js";
import { Live } from "../shared/live.js";
import { confirm, copyable, form, show } from "./dialogs.js";
import { Hearing } from "./hearing.js";
import { Participants } from "./participants.js";
import { Recording } from "./recording.js";
import { Streamings } from "./streamings.js";
import { Streams } from "./streams.js";

const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export class ConferenceView {
  /** `on.gone()` when the conference is over, `on.back()` on narrow screens, `on.changed()` for the list. */
  constructor(api, summary, main, on) {
    this.api = api;
    this.id = summary.id;
    this.on = on;
    this.people = [];
    this.participants = new Participants({
      mute: (person, muted) => this.#try(() => api.route(this.id, person.id, { muted })),
      role: (person, role) => this.#try(() => api.changeParticipant(this.id, person.id, { role })),
      expel: (person) => this.#expel(person),
    });
    this.hearing = new Hearing((listener, source, gain) =>
      this.#try(() => api.route(this.id, listener.id, { hears: { [source.id]: gain } })),
    );
    this.streams = new Streams((stream, whom, what) => this.#endStream(stream, whom, what));
    this.recording = new Recording(api, this.id);
    this.streamings = new Streamings(api, this.id);
    this.#build(main, summary);
    this.live = new Live(api.applicationId, this.id, api.token, {
      people: (message) => this.#setPeople(message),
      levels: (message) => this.#setLevels(message.participants),
      looks: (message) => {
        this.participants.setLooks(message.participants);
        const kilohertz = message.rate_hz / 1000;
        setText(this.mixer, message.rate_hz ? `Mixed at ${kilohertz} kHz, ${message.capacity} places` : "");
      },
      streams: (message) => {
        this.streams.setStreams(message);
        this.participants.setForks(this.streams.ofPeople());
      },
      outputs: (message) => {
        this.recording.setState(message.recording, message.storages);
        this.streamings.setStreamings(message.streamings);
      },
      state: (state) => {
        this.link.className = `pill ${state === "open" ? "good" : "busy"}`;
        setText(this.linkText, state === "open" ? "Live" : "Reconnecting");
        if (state !== "open") this.#setLevels({}); // better none than old ones
      },
      over: () => on.gone(),
    });
  }

  close() {
    this.live.close();
    this.recording.close();
    this.streamings.close();
  }

  // --- inside ---

  #build(main, summary) {
    this.name = make("h1", { class: "said", dir: "auto" });
    this.ends = make("span");
    this.mixer = make("span");
    this.linkText = make("span", { text: "Connecting" });
    this.link = make("span", { class: "pill busy" }, make("span", { class: "dot" }), this.linkText);
    this.count = make("span", { class: "pill" });
    this.empty = make(
      "div",
      { class: "empty" },
      icon("people"),
      make("h3", { text: "Nobody is invited yet" }),
      make("p", { text: "Invite somebody to get a personal join link, or point a phone number at the address below." }),
      make("button", { type: "button", class: "primary", on: { click: () => this.#invite() } }, icon("plus"), "Invite"),
    );
    this.table = make("div", { hidden: true }, this.participants.element);
    const socket = location.origin.replace(/^http/, "ws");
    const path = `/${this.api.applicationId}/${this.id}`;
    main.replaceChildren(
      make("button", { type: "button", class: "quiet compact only-narrow", on: { click: () => this.on.back() } }, icon("back"), "All conferences"),
      make(
        "div",
        { class: "head" },
        make("div", { class: "title" }, this.name, make("p", { class: "row wrap small soft" }, this.link, this.ends, this.mixer)),
        make(
          "div",
          { class: "row wrap" },
          make("button", { type: "button", class: "primary", on: { click: () => this.#invite() } }, icon("plus"), "Invite"),
          make("button", { type: "button", on: { click: () => this.#rename() } }, icon("edit"), "Rename"),
          make("button", { type: "button", class: "warns", on: { click: () => this.#end() } }, icon("end"), "End"),
        ),
      ),
      make("section", { class: "panel", "aria-labelledby": "people-title" }, make("header", {}, make("h2", { id: "people-title", text: "Participants" }), this.count), this.empty, this.table),
      this.recording.element,
      this.streamings.element,
      this.streams.element,
      this.hearing.element,
      make(
        "section",
        { class: "panel", "aria-labelledby": "phones-title" },
        make("header", {}, make("h2", { id: "phones-title", text: "Phones and bots" })),
        make(
          "div",
          { class: "inside addresses" },
          copyable("Answer URL", `${location.origin}${path}/plivo/answer`, "Set it as the answer URL of a Plivo number: whoever calls it is in this conference."),
          copyable("Stream URL", `${socket}${path}/plivo`, "For a <Stream> of your own: signed by Plivo, or with ?access_token= and a participant’s token."),
          copyable("Conference URI", `${location.origin}${path}`, "For the Mind API and its SDKs."),
        ),
      ),
    );
    this.#drawHead(summary);
  }

  #drawHead(conference) {
    this.conference = conference;
    setText(this.name, named(conference.name, "Conference without a name"));
    setText(this.ends, `Ends ${when.format(new Date(conference.ends_at * 1000))}`);
  }

  #setPeople({ conference, participants }) {
    this.people = participants;
    this.#drawHead(conference);
    this.empty.hidden = participants.length > 0;
    this.table.hidden = participants.length === 0;
    const here = participants.filter((person) => person.online).length;
    setText(this.count, `${here} here, ${participants.length} invited`);
    this.#drawPeople();
    this.on.changed();
  }

  #setLevels(levels) {
    this.participants.setLevels(levels);
    this.hearing.setLevels(levels);
  }

  #drawPeople() {
    this.participants.setPeople(this.people);
    this.streams.setPeople(this.people);
    this.recording.setPeople(this.people);
    this.hearing.setPeople(structuredClone(this.people)); // it draws wishes before they are granted
  }

  /** Do it; when it fails, say so and show again what is. */
  async #try(work) {
    try {
      await work();
    } catch (error) {
      toast(`That did not work: ${error.message}`);
      if (document.activeElement?.tagName === "SELECT") document.activeElement.blur(); // a focused one is not redrawn
      this.#drawPeople();
    }
  }

  async #invite() {
    const name = make("input", { type: "text", dir: "auto", maxlength: "200", autocomplete: "off", placeholder: "As the others will see it" });
    const role = make("select", {}, ...ROLES.map(([value, word, about]) => make("option", { value, text: `${word} – ${about.toLowerCase()}` })));
    role.value = "speaker";
    const made = await form("Invite somebody", [["Name", name], ["Role", role]], "Invite", () => this.api.createParticipant(this.id, name.value.trim(), role.value));
    if (!made) return;
    const socket = location.origin.replace(/^http/, "ws");
    const path = `${this.api.applicationId}/${this.id}`;
    await show("Here is the invitation", "It is shown this once and works like a key: give it to that person only.", [
      ["Join link", `${location.origin}/join#/${path}/${made.token}`, "Opens the conference in a browser."],
      ["Stream URL for a bot or phone", `${socket}/${path}/plivo?access_token=${encodeURIComponent(made.token)}`, "The same participant, over a Plivo audio stream."],
    ]);
  }

  async #rename() {
    const name = make("input", { type: "text", dir: "auto", maxlength: "200", value: this.conference.name });
    await form("Rename the conference", [["Name", name]], "Rename", () => this.api.renameConference(this.id, name.value.trim()));
    this.on.changed();
  }

  async #expel(person) {
    const sure = await confirm("Remove from the conference?", named(person.name), "The connection ends at once, and the invitation does not work any more.", "Remove");
    if (sure) await this.#try(() => this.api.deleteParticipant(this.id, person.id));
  }

  async #endStream(stream, whom, what) {
    const sure = await confirm("End the stream?", `${whom} → ${stream.host}`, what, "End it");
    if (sure) await this.#try(() => this.api.endStream(this.id, stream.id));
  }

  async #end() {
    const sure = await confirm("End the conference?", named(this.conference.name, "Conference without a name"), "Everybody is disconnected, and all invitations cease to work. This cannot be undone.", "End it");
    if (!sure) return;
    await this.#try(async () => {
      await this.api.deleteConference(this.id);
      this.on.gone();
    });
  }
}
