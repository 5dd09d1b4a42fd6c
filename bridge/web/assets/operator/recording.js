// The recording of a conference: begin, pause and resume it, see what is written, play it.

import { make, setText, toast } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { form } from "./dialogs.js";
import { lasting, ms, place, timeOfDay } from "./durations.js";
import { Player } from "./player.js";
import { RecordingFiles, merged, uploadOf } from "./recording_files.js";
import { size } from "./sizes.js";
import { Timeline, accountOf } from "./timeline.js";

const WHILE_GOING_MS = 2_000;
const WHILE_MAKING_MS = 3_000;
const TO_FETCH_BYTES = 48_000_000;
const BEHIND_NEAR_MS = 2_000;

const FORMATS = [
  ["mp4", "MP4 with picture"],
  ["wav", "WAV"],
  ["flac", "FLAC"],
  ["ogg", "Ogg Opus"],
  ["stereo", "Stereo: one person to the left, the others to the right"],
  ["hls", "HLS, which can be played as it goes"],
];
const STATES = {
  unknown: ["Looking", "busy"],
  none: ["Not recorded", ""],
  starting: ["Starting", "busy"],
  running: ["Recording", "bad rec"],
  troubled: ["Not being written", "bad"],
  ending: ["Finishing", "busy"],
  ended: ["Finishing", "busy"],
  stopped: ["Paused", ""],
};

const plural = (number, one) => `${number} ${number === 1 ? one : `${one}s`}`;

/** Whether a manifest is of these files, and not of those before them. */
export function describes(manifest, files) {
  const sizes = new Map(manifest.files.map((file) => [file.name, file.size]));
  return files.every((file) => file.files > 1 || sizes.get(`files/${file.name}`) === file.size);
}

export class Recording {
  constructor(api, conference) {
    this.api = api;
    this.conference = conference;
    this.state = undefined; // null: it was never recorded
    this.storages = [];
    this.people = new Map();
    this.manifest = null;
    this.asked = 0;
    this.known = null;
    this.away = false; // some of it is in a storage only
    this.files = new RecordingFiles({ play: (file, title) => this.#play(file, title), download: (file, title) => this.#download(file, title) });
    this.timeline = new Timeline((seconds) => this.player.seek(seconds));
    this.player = new Player({ place: (at, length) => this.timeline.setPlace(at, length), closed: () => this.files.setPlaying("") });
    this.#build();
  }

  setState(recording, storages) {
    this.storages = storages;
    const before = this.state;
    this.state = recording;
    this.#draw();
    if (recording && (before?.id !== recording.id || before.state !== recording.state || before.stretches !== recording.stretches)) this.#look();
  }

  setPeople(people) {
    this.people = new Map(people.map((person) => [person.id, person.name]));
    this.#drawPeople();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.player.close();
    this.#dropThumbnail();
  }

  // --- what is shown ---

  #build() {
    this.pillText = make("span");
    this.pill = make("span", { class: "pill" }, make("span", { class: "dot" }), this.pillText);
    this.start = make("button", { type: "button", class: "compact primary", on: { click: () => this.#begin({}) } }, icon("record"), make("span"));
    this.options = make("button", { type: "button", class: "compact", on: { click: () => this.#choose() } }, icon("options"), "Options");
    this.options.title = "Which files are made, and where they go";
    this.pause = make("button", { type: "button", class: "compact", on: { click: () => this.#stop() } }, icon("pause"), "Pause");
    this.pause.title = "Stop recording. It can go on later in the same files: the time between is left out, and marked";
    this.problem = make("div", { class: "notice bad", role: "alert", hidden: true });
    this.trouble = make("div", { class: "notice bad", role: "status", hidden: true });
    this.making = make("div", { class: "notice", role: "status", hidden: true });
    this.thumbnail = null;
    this.facts = make("dl", { class: "facts figures" });
    this.about = make("div", { class: "row about-it", hidden: true }, this.facts);
    this.hint = make("p", { class: "soft" });
    this.player.under.append(this.timeline.element);
    this.element = make(
      "section",
      { class: "panel recording", "aria-labelledby": "recording-title" },
      make("header", {}, make("h2", { id: "recording-title", text: "Recording" }), this.pill, this.options, this.start, this.pause),
      make("div", { class: "inside stack tight" }, this.problem, this.trouble, this.making, this.about, this.hint),
      this.player.element,
      this.files.element,
    );
    this.#draw();
  }

  #draw() {
    const state = this.state === undefined ? "unknown" : (this.state?.state ?? "none");
    const [word, grade] = STATES[state];
    const going = !["unknown", "none", "stopped"].includes(state);
    this.pill.className = `pill ${grade}`;
    setText(this.pillText, word);
    this.start.hidden = going || state === "unknown";
    this.options.hidden = state !== "none";
    this.pause.hidden = !going;
    this.pause.disabled = state === "ending" || state === "ended";
    setText(this.start.lastElementChild, state === "stopped" ? "Resume" : "Start");
    this.#notice(this.trouble, this.state?.trouble ? `Nothing is being written since ${timeOfDay(this.state.changed_at * 1000)}: ${this.state.trouble}. What is said waits in memory for a while, and recording goes on by itself.` : "");
    this.#notice(this.making, this.state?.making_trouble ? `The files are behind: ${this.state.making_trouble}. Nothing of the recording is lost by that; it is tried again.` : "");
    this.#drawFacts(going);
    const hints = {
      none: "Nothing of this conference is kept. Start records everybody, together and each alone; the files are listed here.",
      stopped: this.away ? "What was recorded lies in its storage, and stays there as it is: Resume begins another recording." : "Resume goes on in the same files. The time between is left out, and marked.",
    };
    setText(this.hint, hints[state] ?? "");
    this.hint.hidden = !hints[state];
  }

  #drawFacts(going) {
    const now = this.state;
    const facts = [];
    if (now && going) {
      facts.push(["Recording for", lasting(now.seconds), "Since it was begun or resumed"]);
      facts.push(["Written", size(now.bytes), "Of the recording itself, on the disk; the files are made of it"]);
      facts.push(["Behind", ms(now.lag_ms), "Between what is said and what is safe on the disk", now.trouble ? "bad" : now.lag_ms > BEHIND_NEAR_MS ? "near" : ""]);
      if (now.waiting_bytes > 0 && now.trouble) facts.push(["Waits", size(now.waiting_bytes), "In memory, for the disk", "near"]);
      facts.push(["Missing", now.holes ? `${plural(now.holes, "hole")}, ${ms(now.lost_seconds * 1000)}` : "nothing", "What was said and never reached the disk", now.holes ? "bad" : ""]);
    } else if (now && this.manifest) {
      const { duration_ms: duration, holes, pauses, began_unix_ms: began, ended_unix_ms: ended } = this.manifest;
      facts.push(["Length", place(duration / 1000), "Without the pauses"]);
      if (began !== null) facts.push(["From", timeOfDay(began), ""]);
      if (ended !== null) facts.push(["To", timeOfDay(ended), ""]);
      facts.push(["Pauses", String(pauses.length), ""]);
      facts.push(["Missing", holes.length ? accountOf({ holes, pauses: [] }) : "nothing", "", holes.length ? "bad" : ""]);
    }
    if (now?.storage) facts.push(["Goes to", now.storage, "The storage that finished files are sent to"]);
    const key = JSON.stringify(facts);
    if (this.facts.dataset.shown === key) return;
    this.facts.dataset.shown = key;
    this.facts.hidden = this.about.hidden = facts.length === 0;
    this.facts.replaceChildren(...facts.map(([name, text, title, kind = ""]) => make("div", { class: kind, title: title || null }, make("dt", { text: name }), make("dd", { class: "said", text }))));
  }

  #notice(element, text) {
    element.hidden = text === "";
    if (element.textContent !== text) element.replaceChildren(icon("warning"), make("span", { class: "said", text }));
  }

  #drawPeople() {
    const names = new Map((this.manifest?.participants ?? []).map((one) => [one.id, one.name]));
    for (const [id, name] of this.people) names.set(id, name);
    this.files.setPeople(names);
    this.timeline.setManifest(this.manifest, this.people);
  }

  // --- what is done ---

  async #do(button, what, work) {
    this.#notice(this.problem, "");
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      this.#notice(this.problem, `${what}: ${error.message}`);
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
      this.#draw();
    }
  }

  #begin(wishes) {
    return this.#do(this.start, "Recording was not begun", () => this.api.startRecording(this.conference, wishes));
  }

  #stop() {
    return this.#do(this.pause, "Recording was not paused", () => this.api.stopRecording(this.conference));
  }

  async #choose() {
    const boxes = FORMATS.map(([value]) => make("input", { type: "checkbox", checked: value === "mp4", value }));
    const alone = make("input", { type: "checkbox" });
    const storage = make("select", {}, make("option", { value: "", text: `The first one: ${this.storages[0] ?? ""}` }), ...this.storages.map((name) => make("option", { value: name, text: name })));
    const fields = [...FORMATS.map(([, label], index) => [label, boxes[index]]), ["The same of each participant alone", alone]];
    if (this.storages.length) fields.push(["Storage", storage]);
    await form("Record the conference", fields, "Start", async () => {
      const formats = boxes.filter((box) => box.checked).map((box) => box.value);
      await this.api.startRecording(this.conference, { formats, participants: alone.checked, storage: storage.value });
      return true;
    });
  }

  // --- its files ---

  /** List the files now, and again as long as something becomes of them. */
  async #look() {
    clearTimeout(this.timer);
    this.asked += 1;
    const asked = this.asked;
    let again = WHILE_GOING_MS;
    if (!document.hidden) {
      try {
        const found = await this.api.recordingFiles(this.conference);
        if (this.closed || asked !== this.asked) return;
        await this.#show(found);
        const open = merged(found.files).some((file) => !file.complete || !["good", undefined].includes(uploadOf(file)?.[1]));
        if (this.state?.state === "stopped") again = open || this.known === null ? WHILE_MAKING_MS : 0;
      } catch (error) {
        this.#notice(this.making, `The files cannot be listed: ${error.message}`);
      }
    }
    if (!this.closed && asked === this.asked && again) this.timer = setTimeout(() => this.#look(), again);
  }

  async #show(found) {
    this.files.setFiles(found);
    this.away = found.files.some((file) => file.away);
    this.#draw();
    const whole = found.files.filter((file) => file.complete);
    const key = JSON.stringify(whole.map((file) => [file.name, file.size]));
    if (key === this.known) return;
    const manifest = await this.api.manifest(this.conference);
    if (this.closed) return;
    this.known = manifest && describes(manifest, whole) ? key : null; // it is written after the files
    this.manifest = manifest;
    this.#drawPeople();
    this.#draw();
    await this.#drawThumbnail(found.files.find((file) => file.name === "thumbnail.jpg" && file.complete));
  }

  async #drawThumbnail(file) {
    this.#dropThumbnail();
    if (!file) return;
    try {
      const picture = await this.api.recordingFile(this.conference, file.name, new AbortController().signal);
      if (this.closed) return;
      this.#dropThumbnail();
      this.thumbnail = make("img", { class: "thumbnail", alt: "", src: URL.createObjectURL(picture) });
      this.about.prepend(this.thumbnail);
    } catch {
      // the list shows it, and it is only a picture
    }
  }

  #dropThumbnail() {
    if (this.thumbnail) URL.revokeObjectURL(this.thumbnail.src);
    this.thumbnail?.remove();
    this.thumbnail = null;
  }

  #play(file, title) {
    this.files.setPlaying(file.name);
    this.timeline.setPlace(0, 0);
    const withPicture = file.media_type.startsWith("video/") || file.name.endsWith("/");
    if (file.playlist) {
      this.player.openHls(title, withPicture, this.api.filePath(this.conference, file.playlist), { token: this.api.token });
    } else if (file.size <= TO_FETCH_BYTES) {
      this.player.openBlob(title, withPicture, (signal) => this.#fetch(file, signal, (text) => this.player.say(text)));
    } else {
      this.player.openLink(title, withPicture, this.api.fileLink(this.conference, file.name));
    }
    this.player.element.scrollIntoView({ block: "nearest" });
  }

  #fetch(file, signal, say) {
    return this.api.recordingFile(this.conference, file.name, signal, () => say("It is still being finished …"));
  }

  /** Under a name that says what it is; what is large goes to the disk without being held here. */
  async #download(file, title) {
    const link = make("a", { download: `recording ${title}`.replace(/[^\p{L}\p{N}\p{M} +_-]+/gu, "") + file.name.slice(file.name.lastIndexOf(".")) });
    if (file.size > TO_FETCH_BYTES) {
      link.href = this.api.fileLink(this.conference, file.name);
      link.click();
      return;
    }
    try {
      const content = await this.#fetch(file, new AbortController().signal, toast);
      link.href = URL.createObjectURL(content);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      this.#notice(this.problem, `The file was not downloaded: ${error.message}`);
    }
  }
}
