// Who hears whom: a row for each listener, a column for each source, a gain in each crossing.

import { announce, face, make, named, setText } from "../shared/dom.js";

const SEND_EVERY_MS = 150;
const STEP = 0.1;
const MOST = 2;

/** What the roles give: attendees are not in the mix. */
const byRole = (source) => (source.role === "attendee" ? 0 : 1);

const lacks = (person, tags) => tags !== null && !person.tags.some((tag) => tags.includes(tag));

/** A bot hears, and is heard by, only whom its stream names; nothing can be set beyond that. */
export const barred = (listener, source) => lacks(source, listener.hears_only) || lacks(listener, source.heard_by);

/** The gain from `source` to `listener`, before mutes. */
export const gainOf = (listener, source) => (barred(listener, source) ? 0 : (listener.hears[source.id] ?? byRole(source)));

const inDecibels = (gain) => (gain === 0 ? "silent" : `${(20 * Math.log10(gain)).toFixed(1).replace("-", "−")} dB`);
const inPercent = (gain) => `${Math.round(gain * 100)} %`;

export class Hearing {
  /** `change(listener, source, gain)`: a gain of null gives the crossing back to the roles. */
  constructor(change) {
    this.change = change;
    this.people = [];
    this.all = false;
    this.chosen = null;
    this.cells = new Map();
    this.heads = new Map();
    this.table = make("table", { class: "grid", on: { keydown: (event) => this.#key(event) } });
    this.empty = make("p", { class: "inside soft", text: "With two or more people here, this shows who hears whom." });
    this.everybody = make("input", { type: "checkbox", id: "hearing-all" });
    this.everybody.addEventListener("change", () => {
      this.all = this.everybody.checked;
      this.#build();
    });
    this.title = make("span", { class: "said", dir: "auto" });
    this.output = make("output");
    this.slider = make("input", { type: "range", min: "0", max: String(MOST), step: "0.05", list: "gain-marks" });
    this.slider.addEventListener("input", () => this.#slide(false));
    this.slider.addEventListener("change", () => this.#slide(true));
    this.reset = make("button", { type: "button", class: "compact", text: "As the role says", on: { click: () => this.#put(this.chosen, null) } });
    this.inspector = make("div", { class: "gain", hidden: true }, this.title, this.output, make("div", { class: "slide" }, this.slider, this.reset));
    this.scroll = make("div", { class: "grid-scroll" }, this.table);
    const legend = make(
      "div",
      { class: "legend" },
      make("span", {}, make("i", { class: "on" }), "hears"),
      make("span", {}, make("i"), "does not"),
      make("span", {}, make("i", { class: "dot" }), "set by hand"),
    );
    this.element = make(
      "section",
      { class: "panel", "aria-labelledby": "hearing-title" },
      make("header", {}, make("h2", { id: "hearing-title", text: "Who hears whom" }), legend, make("label", { class: "row small soft", for: "hearing-all" }, this.everybody, "also those not here")),
      this.empty,
      this.scroll,
      this.inspector,
    );
  }

  setPeople(people) {
    this.people = people;
    const key = JSON.stringify(this.#shown().map((person) => [person.id, person.name]));
    if (key === this.key) this.#draw();
    else this.#build();
  }

  setLevels(levels) {
    for (const [id, head] of this.heads) head.classList.toggle("talking", levels[id]?.talking ?? false);
  }

  // --- inside ---

  #shown() {
    return this.people.filter((person) => this.all || person.online);
  }

  #build() {
    const shown = this.#shown();
    this.key = JSON.stringify(shown.map((person) => [person.id, person.name]));
    this.cells.clear();
    this.heads.clear();
    const enough = shown.length > 1;
    this.scroll.hidden = !enough;
    this.empty.hidden = enough;
    if (!enough) {
      this.chosen = null;
      this.inspector.hidden = true;
      this.table.replaceChildren();
      return;
    }
    const columns = shown.map((person) => {
      const circle = face(person.id, person.name);
      this.heads.set(person.id, circle);
      return make("th", { scope: "col" }, make("div", { class: "source", title: named(person.name) }, circle, make("span", { class: "said line", dir: "auto", text: named(person.name) })));
    });
    const rows = shown.map((listener) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, make("div", { class: "row", title: named(listener.name) }, face(listener.id, listener.name), make("span", { class: "said line", dir: "auto", text: named(listener.name) }))),
        ...shown.map((source) => make("td", {}, listener.id === source.id ? make("span", { class: "self", "aria-label": "nobody hears himself", text: "·" }) : this.#cell(listener, source))),
      ),
    );
    this.table.replaceChildren(make("thead", {}, make("tr", {}, make("th", { text: "Listener ↓ hears →" }), ...columns)), make("tbody", {}, ...rows));
    this.#draw();
    const first = this.table.querySelector(".cell:enabled");
    if (first && !this.table.querySelector('.cell[tabindex="0"]')) first.tabIndex = 0;
  }

  #cell(listener, source) {
    const key = `${listener.id} ${source.id}`;
    const cell = make("button", { type: "button", class: "cell", tabindex: "-1", "data-key": key });
    cell.addEventListener("click", () => {
      this.#choose(key);
      this.#toggle(key);
    });
    cell.addEventListener("focus", () => this.#choose(key));
    this.cells.set(key, cell);
    return cell;
  }

  #pair(key) {
    const [listenerId, sourceId] = key.split(" ");
    return [this.people.find((person) => person.id === listenerId), this.people.find((person) => person.id === sourceId)];
  }

  #draw() {
    for (const [key, cell] of this.cells) {
      const [listener, source] = this.#pair(key);
      const gain = gainOf(listener, source);
      const text = source.muted ? "muted" : gain === 0 ? "off" : gain === 1 ? "on" : inPercent(gain);
      setText(cell, text);
      cell.dataset.gain = source.muted || gain === 0 ? "off" : gain === 1 ? "on" : "some";
      cell.disabled = barred(listener, source);
      cell.title = cell.disabled ? "As the bot’s stream says" : "";
      cell.dataset.set = source.id in listener.hears && !cell.disabled ? "yes" : "no";
      cell.style.setProperty("--fill", String(Math.min(1, gain)));
      cell.setAttribute("aria-pressed", String(gain > 0));
      cell.setAttribute("aria-label", `${named(listener.name)} hears ${named(source.name)}: ${text}`);
    }
    if (this.chosen && (this.cells.get(this.chosen)?.disabled ?? true)) this.chosen = null;
    this.#inspect();
  }

  #choose(key) {
    if (this.chosen) {
      const before = this.cells.get(this.chosen);
      before?.removeAttribute("aria-current");
    }
    for (const cell of this.table.querySelectorAll('.cell[tabindex="0"]')) cell.tabIndex = -1;
    this.chosen = key;
    const cell = this.cells.get(key);
    cell.tabIndex = 0;
    cell.setAttribute("aria-current", "true");
    this.#inspect();
  }

  #inspect() {
    this.inspector.hidden = !this.chosen;
    if (!this.chosen) return;
    const [listener, source] = this.#pair(this.chosen);
    const gain = gainOf(listener, source);
    this.title.replaceChildren(make("b", { class: "said", dir: "auto", text: named(listener.name) }), " hears ", make("b", { class: "said", dir: "auto", text: named(source.name) }));
    setText(this.output, `${inPercent(gain)} · ${inDecibels(gain)}`);
    if (document.activeElement !== this.slider) this.slider.value = String(gain);
    this.slider.setAttribute("aria-label", `${named(listener.name)} hears ${named(source.name)}`);
    this.slider.setAttribute("aria-valuetext", `${inPercent(gain)}, ${inDecibels(gain)}`);
    this.reset.disabled = !(source.id in listener.hears);
  }

  #toggle(key) {
    const [listener, source] = this.#pair(key);
    const gain = gainOf(listener, source) > 0 ? 0 : 1;
    this.#put(key, gain);
    announce(`${named(listener.name)} ${gain ? "hears" : "does not hear"} ${named(source.name)}`);
  }

  /** Draw it at once, then tell the server; its answer comes back through `setPeople`. */
  #put(key, gain, quiet = false) {
    const [listener, source] = this.#pair(key);
    const given = gain === byRole(source) ? null : gain;
    if (given === null) delete listener.hears[source.id];
    else listener.hears[source.id] = given;
    this.#draw();
    if (!quiet) this.change(listener, source, given);
  }

  #slide(last) {
    const gain = Number(this.slider.value);
    const key = this.chosen;
    this.#put(key, gain, true);
    clearTimeout(this.waiting);
    const [listener, source] = this.#pair(key);
    const send = () => this.change(listener, source, gain === byRole(source) ? null : gain);
    if (last) send();
    else this.waiting = setTimeout(send, SEND_EVERY_MS);
  }

  #key(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const { key } = cell.dataset;
    if (event.key === "+" || event.key === "-") {
      const gain = gainOf(...this.#pair(key)) + (event.key === "+" ? STEP : -STEP);
      this.#put(key, Math.round(20 * Math.min(MOST, Math.max(0, gain))) / 20);
      event.preventDefault();
      return;
    }
    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const rows = [...this.table.tBodies[0].rows];
    let row = rows.indexOf(cell.closest("tr"));
    let column = [...rows[row].cells].indexOf(cell.closest("td"));
    for (;;) {
      row += step[0];
      column += step[1];
      const there = rows[row]?.cells[column];
      if (!there) return;
      const next = there.querySelector(".cell:enabled");
      if (next) {
        next.focus();
        return;
      }
    }
  }
}
