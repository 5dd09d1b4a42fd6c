// The participants of one conference, with every number that can be seen of them.

import { face, make, named, setChildren, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { ROLES, drawLevel, kindOf } from "../shared/levels.js";
import { ms } from "./durations.js";

const SILENCE_DBOV = -127;
const NUMBERS = ["Buffer", "Lost", "Concealed", "Far side"];

class Row {
  constructor(person, on) {
    this.person = person;
    this.name = make("span", { class: "name said line", dir: "auto" });
    this.state = make("span", { class: "state" });
    this.face = face(person.id, person.name);
    this.meter = make("div", { class: "meter" }, make("span"));
    this.dbov = make("span", { class: "figures" });
    this.forks = make("span", { class: "forks", hidden: true });
    this.rate = make("span", { class: "line" });
    this.role = make("select", { class: "compact" }, ...ROLES.map(([value, word, title]) => make("option", { value, text: word, title })));
    this.role.addEventListener("change", () => on.role(this.person, this.role.value));
    this.mute = make("button", { type: "button", class: "compact square", on: { click: () => on.mute(this.person, !this.person.muted) } });
    const expel = make("button", { type: "button", class: "compact square warns", on: { click: () => on.expel(this.person) } }, icon("remove"));
    this.expel = expel;
    this.numbers = NUMBERS.map((name) => make("td", { class: "number", "data-name": name }));
    this.element = make(
      "tr",
      {},
      make("td", { class: "named" }, make("div", { class: "person" }, this.face, make("div", {}, this.name, make("span", { class: "row" }, this.state, this.forks)))),
      make("td", { class: "leveled" }, this.meter, make("div", { class: "small" }, this.dbov, this.rate)),
      ...this.numbers,
      make("td", { class: "roled" }, this.role),
      make("td", { class: "acting" }, make("div", { class: "acts" }, this.mute, expel)),
    );
  }

  draw(person) {
    if (this.shown !== person.name) {
      const fresh = face(person.id, person.name);
      fresh.className = this.face.className;
      this.face.replaceWith(fresh);
      this.face = fresh;
      this.shown = person.name;
    }
    this.person = person;
    const name = named(person.name);
    setText(this.name, name);
    this.name.title = `${name}\n${person.id}`;
    this.role.setAttribute("aria-label", `Role of ${name}`);
    this.expel.setAttribute("aria-label", `Remove ${name}`);
    this.expel.title = "Remove from the conference";
    if (document.activeElement !== this.role) this.role.value = person.role;
    this.role.disabled = person.transient && !person.online;
    this.element.classList.toggle("offline", !person.online);
    this.mute.setAttribute("aria-pressed", String(person.muted));
    this.mute.setAttribute("aria-label", `${person.muted ? "Unmute" : "Mute"} ${name}`);
    this.mute.title = person.muted ? "Muted: nobody hears them" : "Mute for everybody";
    this.mute.replaceChildren(icon(person.muted ? "mic-off" : "mic"));
    if (!person.online) this.#leg(null);
  }

  drawLevel(live) {
    const level = live?.level ?? SILENCE_DBOV;
    drawLevel(this.meter, level);
    drawLevel(this.face, level);
    this.face.classList.toggle("talking", live?.talking ?? false);
    setText(this.dbov, live ? (level <= SILENCE_DBOV ? "silent" : `${level} dBov`) : "");
  }

  /** `number` streams fork what this participant says or hears. */
  drawForks(number) {
    this.forks.hidden = number === 0;
    if (this.forks.dataset.number === String(number)) return;
    this.forks.dataset.number = String(number);
    const text = number === 1 ? "1 stream" : `${number} streams`;
    this.forks.title = `${text} to services`;
    this.forks.replaceChildren(icon("fork"), String(number), make("span", { class: "unseen", text: number === 1 ? " stream" : " streams" }));
  }

  drawLook(look) {
    this.#leg(look?.leg ?? null);
    const input = look?.inputs.primary?.look ?? null;
    const second = look?.inputs.secondary ? "+ second sound" : "";
    setText(this.rate, second);
    if (!look) return this.#clear();
    const { leg } = look;
    const frames = input ? input.frames_in + input.concealed : 0;
    const share = frames ? input.concealed / frames : 0;
    const loss = leg.loss ?? (input && input.frames_in + input.lost ? input.lost / (input.frames_in + input.lost) : null);
    this.#number(0, input ? ms(input.depth_ms) : "–", input ? `of ${ms(input.target_ms)}` : "", input && input.depth_ms > 400 ? "near" : "");
    this.#number(1, loss === null ? "–" : `${(100 * loss).toFixed(1)} %`, input?.lost ? `${input.lost}` : "", loss > 0.1 ? "bad" : loss > 0.02 ? "near" : "");
    this.#number(2, input ? String(input.concealed) : "–", input ? `${(100 * share).toFixed(1)} %` : "", share > 0.1 ? "bad" : share > 0.03 ? "near" : "");
    // A phone tells how far behind it plays, a browser how long the way there and back is.
    const behind = leg.round_trip_ms === null;
    const far = behind ? leg.backlog_ms : leg.round_trip_ms;
    const [near, bad] = behind ? [300, 1000] : [400, 1500];
    this.#number(3, ms(far), behind ? "behind" : "round trip", far > bad ? "bad" : far > near ? "near" : "");
    return undefined;
  }

  #leg(leg) {
    const { kind } = this.person;
    const text = kind ? [kindOf(kind).word, leg?.format, leg && leg.state !== "connected" ? leg.state : ""].filter(Boolean).join(" · ") : "Not here";
    if (this.state.textContent === text) return;
    this.state.replaceChildren(...(kind ? [icon(kindOf(kind).icon)] : []), make("span", { class: "line", text }));
  }

  #number(index, text, small, grade) {
    const cell = this.numbers[index];
    cell.className = `number ${grade}`;
    if (cell.dataset.shown === `${text}|${small}`) return;
    cell.dataset.shown = `${text}|${small}`;
    cell.replaceChildren(text, small ? make("small", { text: small }) : "");
  }

  #clear() {
    NUMBERS.forEach((_, index) => this.#number(index, "–", "", ""));
  }
}

export class Participants {
  /** `on.mute(person, muted)`, `on.role(person, role)`, `on.expel(person)`. */
  constructor(on) {
    this.on = on;
    this.rows = new Map();
    this.forks = new Map();
    this.body = make("tbody");
    const heads = ["Participant", "Level", ...NUMBERS, "Role", ""].map((text, index) =>
      make("th", { scope: "col", class: index > 1 && index < 2 + NUMBERS.length ? "number" : "" }, text || make("span", { class: "unseen", text: "Actions" })),
    );
    this.element = make("table", { class: "listing participants" }, make("thead", {}, make("tr", {}, ...heads)), this.body);
  }

  setPeople(people) {
    const present = new Set(people.map((person) => person.id));
    for (const id of this.rows.keys()) if (!present.has(id)) this.rows.delete(id);
    const sorted = [...people].sort((one, other) => Number(other.online) - Number(one.online));
    for (const person of sorted) {
      if (!this.rows.has(person.id)) this.rows.set(person.id, new Row(person, this.on));
      this.rows.get(person.id).draw(person);
      this.rows.get(person.id).drawForks(this.forks.get(person.id) ?? 0);
    }
    setChildren(this.body, sorted.map((person) => this.rows.get(person.id).element));
  }

  setLevels(levels) {
    for (const [id, row] of this.rows) row.drawLevel(levels[id]);
  }

  /** Participant id → how many streams fork them. */
  setForks(numbers) {
    this.forks = numbers;
    for (const [id, row] of this.rows) row.drawForks(numbers.get(id) ?? 0);
  }

  setLooks(looks) {
    for (const [id, row] of this.rows) row.drawLook(looks[id]);
  }
}
