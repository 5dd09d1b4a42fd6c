// The time line of a recording: where it was paused, where something is missing, who was there; a click seeks.

import { make, named, setText } from "../shared/dom.js";
import { lasting, ms, place, timeOfDay } from "./durations.js";

const STEP_S = 5;
const MANY_LANES = 12;

/** The time of day (Unix ms) at a place of the files, by the manifest's map; null where it is not known. */
export function timeAt(map, atMs) {
  const piece = map.findLast((one) => one.at_ms <= atMs);
  return piece ? piece.unix_ms + Math.min(atMs - piece.at_ms, piece.duration_ms) : null;
}

/** What is missing and left out, in words. */
export function accountOf({ pauses, holes }) {
  const parts = [];
  if (pauses.length) parts.push(`${pauses.length === 1 ? "1 pause" : `${pauses.length} pauses`} left out`);
  const lost = holes.reduce((sum, hole) => sum + hole.duration_ms, 0);
  if (holes.length) parts.push(`${holes.length === 1 ? "1 hole" : `${holes.length} holes`}, ${ms(lost)} missing`);
  return parts.join(" · ") || "Nothing is missing";
}

export class Timeline {
  /** `seek(seconds)` is called with where somebody wants to be. */
  constructor(seek) {
    this.seek = seek;
    this.manifest = null;
    this.length = 0;
    this.at = 0;
    this.head = make("span", { class: "head" });
    this.marks = make("div", { class: "marks" });
    this.bar = make("div", { class: "bar", role: "slider", tabindex: "0", "aria-label": "Place in the recording", "aria-valuemin": "0" }, this.marks, this.head);
    this.bar.addEventListener("pointerdown", (event) => this.#grab(event));
    this.bar.addEventListener("pointermove", (event) => {
      if (this.bar.hasPointerCapture(event.pointerId)) this.#seekTo(event);
    });
    this.bar.addEventListener("keydown", (event) => this.#key(event));
    this.now = make("span", { class: "figures" });
    this.account = make("span", { class: "soft" });
    this.lanes = make("div", { class: "lanes" });
    this.element = make("div", { class: "timeline" }, this.bar, make("p", { class: "row apart small" }, this.now, this.account), this.lanes);
    this.#draw();
  }

  /** `people`: participant id → what they are called now. */
  setManifest(manifest, people) {
    this.manifest = manifest;
    setText(this.account, manifest ? accountOf(manifest) : "");
    this.#drawMarks();
    this.#drawLanes(people);
    this.#draw();
  }

  /** Seconds; `length` is 0 as long as it is not known. */
  setPlace(at, length) {
    const known = this.manifest ? this.manifest.duration_ms / 1000 : 0;
    const whole = Math.max(known, Number.isFinite(length) ? length : 0, at);
    const grown = whole !== this.length;
    this.at = at;
    this.length = whole;
    if (grown) {
      this.#drawMarks();
      this.#drawLanes(this.people);
    }
    this.#draw();
  }

  // --- inside ---

  #share(atMs) {
    return this.length ? `${Math.min(100, atMs / 10 / this.length).toFixed(3)}%` : "0%";
  }

  #stretch(kind, fromMs, lengthMs, title) {
    const element = make("span", { class: kind, title });
    element.style.setProperty("left", this.#share(fromMs));
    element.style.setProperty("width", this.#share(lengthMs));
    return element;
  }

  #drawMarks() {
    const { stretches = [], holes = [], pauses = [] } = this.manifest ?? {};
    this.marks.replaceChildren(
      ...stretches.map((one) => this.#stretch("stretch", one.at_ms, one.duration_ms, null)),
      ...holes.map((one) => this.#stretch("hole", one.at_ms, one.duration_ms, `${ms(one.duration_ms)} missing at ${place(one.at_ms / 1000)}: ${one.why}`)),
      ...pauses.map((one) => this.#stretch("pause", one.at_ms, 0, `Paused at ${timeOfDay(one.from_unix_ms)} for ${lasting((one.until_unix_ms - one.from_unix_ms) / 1000)}`)),
    );
  }

  #drawLanes(people = new Map()) {
    this.people = people;
    const heard = (this.manifest?.participants ?? []).filter((one) => one.present.length);
    const whole = this.length * 1000;
    this.lanes.replaceChildren(
      ...heard.slice(0, MANY_LANES).map((one) => {
        const name = named(people.get(one.id) || one.name);
        const there = one.present.map(({ from_ms: from, until_ms: until }) => this.#stretch("present", from, (until ?? whole) - from, `${name} is there from ${place(from / 1000)}${until === null ? "" : ` to ${place(until / 1000)}`}`));
        return make("div", { class: "lane" }, make("span", { class: "said line", dir: "auto", text: name, title: name }), make("div", {}, ...there));
      }),
      ...(heard.length > MANY_LANES ? [make("p", { class: "small soft", text: `and ${heard.length - MANY_LANES} more` })] : []),
    );
  }

  #draw() {
    this.head.style.setProperty("left", this.#share(this.at * 1000));
    const wall = this.manifest ? timeAt(this.manifest.time_map, this.at * 1000) : null;
    const text = `${place(this.at)} of ${place(this.length)}${wall === null ? "" : ` · said at ${timeOfDay(wall)}`}`;
    setText(this.now, text);
    this.bar.setAttribute("aria-valuemax", String(Math.round(this.length)));
    this.bar.setAttribute("aria-valuenow", String(Math.round(this.at)));
    this.bar.setAttribute("aria-valuetext", text);
  }

  #grab(event) {
    if (event.button !== 0) return;
    this.bar.setPointerCapture(event.pointerId);
    this.#seekTo(event);
  }

  #seekTo(event) {
    const { left, width } = this.bar.getBoundingClientRect();
    this.#goTo(this.length * Math.min(1, Math.max(0, (event.clientX - left) / width)));
  }

  #key(event) {
    const wanted = { ArrowLeft: this.at - STEP_S, ArrowRight: this.at + STEP_S, Home: 0, End: this.length }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.#goTo(Math.min(this.length, Math.max(0, wanted)));
  }

  /** Shown at once: the next step is counted from there, however long the player takes to get there. */
  #goTo(seconds) {
    this.at = seconds;
    this.#draw();
    this.seek(seconds);
  }
}
