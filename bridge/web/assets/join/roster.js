// Who is here: one tile each, with level, talking ring, role and kind of leg.

import { announce, face, make, named, setChildren, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { drawLevel, kindOf, roleWord } from "../shared/levels.js";

const SILENCE_DBOV = -127;

class Tile {
  constructor(id) {
    this.id = id;
    this.element = make("li", { class: "tile" });
    this.name = make("span", { class: "name said", dir: "auto" });
    this.about = make("span", { class: "about" });
    this.meter = make("span", { class: "meter", "aria-hidden": "true" }, make("span"));
    this.shown = "";
    this.element.append(face(id, ""), make("div", { class: "who" }, this.name, this.about), this.meter);
  }

  /** Draw who it is; `live` is what the live socket said last, if anything. */
  draw(person, isMe, live, sending) {
    const kind = live?.kind;
    const muted = live?.muted ?? false;
    const shown = JSON.stringify([person.name, person.role, isMe, kind, muted, sending]);
    if (shown === this.shown) return;
    this.shown = shown;
    const old = this.element.firstElementChild;
    const fresh = face(this.id, person.name);
    fresh.className = old.className;
    old.replaceWith(fresh);
    this.face = fresh;
    const name = named(person.name);
    setText(this.name, isMe ? `${name} (you)` : name);
    this.name.title = name;
    const parts = [make("span", { text: roleWord(person.role) })];
    if (kind) parts.push(make("span", {}, icon(kindOf(kind).icon), kindOf(kind).word));
    if (muted) parts.push(make("span", { class: "off" }, icon("mic-off"), "Muted by operator"));
    else if (sending === "muted") parts.push(make("span", {}, icon("mic-off"), "Muted"));
    else if (sending === "listening") parts.push(make("span", {}, icon("headphones"), "Listening"));
    this.about.replaceChildren(...parts);
  }

  drawLive(live) {
    drawLevel(this.meter, live?.level ?? SILENCE_DBOV);
    const talking = live?.talking ?? false;
    this.face.classList.toggle("talking", talking);
    this.element.classList.toggle("talking", talking);
    drawLevel(this.face, live?.level ?? SILENCE_DBOV);
  }
}

export class Roster {
  /** `list` is the element that gets the tiles; `onChange` is called when people came, went or were renamed. */
  constructor(list, onChange) {
    this.list = list;
    this.onChange = onChange;
    this.people = new Map();
    this.tiles = new Map();
    this.live = {};
    this.me = null;
    this.sending = "listening";
  }

  /** The whole truth: the requester is the first of `participants`. */
  load(participants) {
    this.me = participants[0].id;
    this.people = new Map(participants.map((person) => [person.id, person]));
    this.#draw();
  }

  /** One participant came, went or changed. */
  update(person) {
    const before = this.people.get(person.id);
    this.people.set(person.id, person);
    if (person.id !== this.me && Boolean(before?.online) !== person.online) {
      announce(`${named(person.name)} ${person.online ? "joined" : "left"}`);
    }
    this.#draw();
  }

  remove(id) {
    const before = this.people.get(id);
    if (before?.online && id !== this.me) announce(`${named(before.name)} left`);
    this.people.delete(id);
    this.#draw();
  }

  /** Levels, kinds and mutes by participant id. */
  setLive(live) {
    this.live = live;
    for (const [id, tile] of this.tiles) {
      this.#drawTile(this.people.get(id));
      tile.drawLive(live[id]);
    }
  }

  /** Nothing is known of the levels for now: better none than old ones. */
  hush() {
    const silent = Object.entries(this.live).map(([id, live]) => [id, { ...live, level: SILENCE_DBOV, talking: false }]);
    this.setLive(Object.fromEntries(silent));
  }

  /** Whether we send ourselves (sending, muted, listening); the server tells us only of the others. */
  setSending(sending) {
    this.sending = sending;
    if (this.me) this.#drawTile(this.people.get(this.me));
  }

  nameOf(id) {
    const person = this.people.get(id);
    return person ? named(person.name) : null;
  }

  /** Everybody who can be seen here but me. */
  get others() {
    return [...this.people.values()].filter((person) => person.online && person.id !== this.me);
  }

  #drawTile(person) {
    const isMe = person.id === this.me;
    this.tiles.get(person.id)?.draw(person, isMe, this.live[person.id], isMe ? this.sending : person.media.audio ? "sending" : "listening");
  }

  #draw() {
    const present = [...this.people.values()].filter((person) => person.online || person.id === this.me);
    present.sort((one, other) => Number(other.id === this.me) - Number(one.id === this.me));
    for (const id of this.tiles.keys()) if (!present.some((person) => person.id === id)) this.tiles.delete(id);
    for (const person of present) {
      if (!this.tiles.has(person.id)) this.tiles.set(person.id, new Tile(person.id));
      const tile = this.tiles.get(person.id);
      this.#drawTile(person);
      tile.drawLive(this.live[person.id]);
    }
    setChildren(this.list, present.map((person) => this.tiles.get(person.id).element));
    this.onChange();
  }
}
