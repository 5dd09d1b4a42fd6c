// The streams of a conference and its calls to services: how each goes, and what became of every frame.

import { face, make, named, setChildren, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { lasting, ms } from "./durations.js";

const FRAME_MS = 20;
const STEPS = [30, 60, 90];

const STATES = {
  dialling: ["Dialling", "busy"],
  connected: ["Connected", "good"],
  interrupted: ["Interrupted", "busy"],
  ending: ["Ending", "busy"],
  ended: ["Ended", ""],
};
const TRACKS = {
  inbound: ["inbound", "What they say"],
  outbound: ["outbound", "What they hear"],
  both: ["both tracks", "What they say and what they hear, as two tracks"],
};
const HEADS = [
  ["Stream", "", "named"],
  ["State", "", "stated"],
  ["Waiting", "What the service has not taken, and its share of what is held for it", "waiting"],
  ["Delivered", "Frames of 20 ms that the service has received, of those that were captured", "number"],
  ["Lost", "Frames of 20 ms that will never arrive", "number"],
  ["Plays", "Audio of the service that waits to be played, and how often it ran dry", "number"],
  ["Responds", "Silence before the service responds: median and 95th percentile; and how fast it yields when somebody barges in: median", "number"],
];

const count = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const pair = (one, other) => (other < 1000 ? `${one} / ${ms(other)}` : `${(one / 1000).toFixed(1)} / ${ms(other)}`);
const plural = (number, one, many = `${one}s`) => `${count.format(number)} ${number === 1 ? one : many}`;

/** Which step of the hold is passed, in percent; 0 below the first. */
export const stepOf = (share) => STEPS.findLast((step) => 100 * share >= step) ?? 0;

/** What was lost, stretch by stretch, for a tooltip. */
export function gapsText({ gaps, more_gaps: more }) {
  const lines = gaps.map(({ from_ms: from, to_ms: to }) => `${clock.format(new Date(from))}: ${ms(to - from)}`);
  if (more) lines.unshift(`${plural(more, "earlier stretch", "earlier stretches")}, then`);
  return lines.join("\n");
}

class Row {
  constructor(stream, parent, on) {
    this.stream = stream;
    this.whom = make("span", { class: "name said line", dir: "auto" });
    this.service = make("span", { class: "state" });
    this.about = make("span", { class: "about" });
    this.picture = make("span");
    this.fold = make("button", { type: "button", class: "fold", "aria-expanded": "false", on: { click: () => on.fold(this.stream) } });
    this.foldText = make("span");
    this.fold.append(icon("unfold"), this.foldText);
    this.fold.hidden = true;
    this.pillText = make("span");
    this.pill = make("span", { class: "pill" }, make("span", { class: "dot" }), this.pillText);
    this.lasts = make("span", { class: "small soft figures" });
    this.hold = make("div", { class: "hold", role: "img" }, make("span"));
    this.held = make("span", { class: "figures" });
    this.share = make("span", { class: "figures" });
    this.numbers = HEADS.slice(3).map(([name, title]) => make("td", { class: "number", "data-name": name, title }));
    this.end = make("button", { type: "button", class: "compact square warns", title: "End this stream", on: { click: () => on.end(this.stream) } }, icon("end"));
    const isPart = parent !== null;
    this.element = make(
      "tr",
      { class: isPart ? "part" : "" },
      make("td", { class: "named" }, make("div", { class: "person" }, this.picture, make("div", {}, this.whom, isPart ? null : this.service, this.about, this.fold))),
      make("td", { class: "stated" }, make("div", {}, this.pill, this.lasts)),
      make("td", { class: "waiting" }, this.hold, make("div", { class: "small" }, this.held, this.share)),
      ...this.numbers,
      make("td", { class: "acting" }, make("div", { class: "acts" }, this.end)),
    );
  }

  draw(stream, whom, person) {
    this.stream = stream;
    const over = stream.state === "ended";
    this.element.classList.toggle("offline", over);
    this.#who(stream, whom, person);
    this.#state(stream);
    this.#waits(stream, over);
    this.#frames(stream);
    this.#plays(stream.play);
    this.end.hidden = over;
    this.end.disabled = stream.state === "ending";
    this.end.setAttribute("aria-label", `End the stream of ${whom} to ${stream.host}`);
  }

  drawFold(open, hidden, parts) {
    this.fold.hidden = parts === 0;
    this.fold.setAttribute("aria-expanded", String(open));
    setText(this.foldText, plural(parts, "socket"));
    this.element.hidden = hidden;
  }

  #who(stream, whom, person) {
    const key = `${stream.participant_id}|${person?.name}`;
    if (this.pictured !== key) {
      this.pictured = key;
      const fresh = stream.participant_id ? face(stream.participant_id, whom) : make("span", { class: "face whole", "aria-hidden": "true" }, icon("people"));
      this.picture.replaceWith(fresh);
      this.picture = fresh;
    }
    setText(this.whom, whom);
    this.whom.title = `${whom}\n${stream.id}`;
    const service = stream.host.startsWith(stream.name) ? [stream.host] : [stream.name, stream.host];
    if (this.service.title !== service.join("\n")) {
      this.service.title = service.join("\n");
      this.service.replaceChildren(icon("fork"), ...service.map((text) => make("span", { class: "said line", dir: "auto", text })));
    }
    const [track, title] = TRACKS[stream.participant_id ? stream.track : ""] ?? ["", "What is said there"];
    setText(this.about, stream.end || [track, stream.format, stream.play ? "speaks" : ""].filter(Boolean).join(" · "));
    this.about.classList.toggle("line", !stream.end);
    this.about.title = stream.end || title;
  }

  #state(stream) {
    const [word, grade] = STATES[stream.state];
    const parts = Object.values(stream.part_states).reduce((sum, number) => sum + number, 0);
    const up = stream.part_states.connected ?? 0;
    const live = stream.roster && ["dialling", "connected"].includes(stream.state);
    const troubled = live && up < parts;
    const text = live ? (parts ? `${up} of ${parts} up` : "Nobody there") : word;
    const failed = stream.state === "ended" && stream.end.startsWith("Connection error");
    this.pill.className = `pill ${live ? (troubled ? "busy" : parts ? "good" : "") : failed ? "bad" : grade}`;
    setText(this.pillText, text);
    const again = stream.state === "dialling" && stream.attempts > 1 ? ` · attempt ${stream.attempts}` : "";
    setText(this.lasts, lasting(stream.seconds) + again);
    this.lasts.title = stream.reconnects ? `Connected again ${plural(stream.reconnects, "time")}` : "";
  }

  #waits(stream, over) {
    const percent = Math.round(100 * stream.waiting_share);
    this.hold.style.setProperty("--share", stream.waiting_share.toFixed(3));
    this.hold.dataset.step = String(stepOf(stream.waiting_share));
    this.hold.setAttribute("aria-label", `${percent} % of what can be held`);
    this.hold.hidden = over;
    setText(this.held, over ? "" : ms(stream.waiting_ms));
    setText(this.share, over ? "" : `${percent} %`);
    this.share.className = `figures ${["", "near", "near", "bad"][STEPS.indexOf(stepOf(stream.waiting_share)) + 1]}`;
  }

  #frames(stream) {
    this.#number(0, count.format(stream.delivered), `of ${count.format(stream.captured)}`);
    this.#number(1, count.format(stream.lost), stream.lost ? ms(stream.lost * FRAME_MS) : "", stream.lost ? "bad" : "");
    const gaps = gapsText(stream);
    if (this.gaps !== gaps) {
      this.gaps = gaps;
      this.numbers[1].title = gaps || HEADS[4][1];
    }
  }

  #plays(play) {
    if (!play) {
      this.#number(2, "–", "");
      this.#number(3, "–", "");
      return;
    }
    this.#number(2, ms(play.queued_ms), plural(play.underruns, "underrun"), play.underruns ? "choppy" : "");
    const { response_p50_ms: half, response_p95_ms: most, barge_in_p50_ms: barge } = play;
    this.#number(3, half === null ? "–" : pair(half, most), barge === null ? "" : `barge-in ${ms(barge)}`);
  }

  #number(index, text, small, grade = "") {
    const cell = this.numbers[index];
    cell.className = `number ${grade} ${text === "–" ? "none" : ""}`;
    if (cell.dataset.shown === `${text}|${small}`) return;
    cell.dataset.shown = `${text}|${small}`;
    cell.replaceChildren(text, small ? make("small", { text: small }) : "");
  }
}

export class Streams {
  /** `end(stream, whom, what)` is called to end one; `what` says what that does. */
  constructor(end) {
    this.end = end;
    this.people = new Map();
    this.streams = [];
    this.rows = new Map();
    this.open = new Set();
    this.count = make("span", { class: "pill", hidden: true });
    this.body = make("tbody");
    const heads = HEADS.map(([text, title, kind]) => make("th", { scope: "col", class: kind === "number" ? kind : "", title, text }));
    this.table = make("table", { class: "listing streams", hidden: true }, make("thead", {}, make("tr", {}, ...heads, make("th", { scope: "col" }, make("span", { class: "unseen", text: "Actions" })))), this.body);
    this.empty = make(
      "p",
      { class: "inside soft" },
      "No call is streamed to a service. ",
      make("code", { class: "said", text: "POST /v1/Account/{auth_id}/Call/{call_uuid}/Stream/" }),
      " begins a stream; a participant’s id is a call_uuid, and so is the conference’s.",
    );
    this.more = make("p", { class: "inside small soft", hidden: true });
    this.element = make("section", { class: "panel", "aria-labelledby": "streams-title" }, make("header", {}, make("h2", { id: "streams-title", text: "Streams to services" }), this.count), this.empty, this.table, this.more);
  }

  setPeople(people) {
    this.people = new Map(people.map((person) => [person.id, person]));
    this.#draw();
  }

  setStreams({ streams, left_out: left }) {
    this.streams = streams;
    this.more.hidden = left === 0;
    setText(this.more, `There are ${plural(left, "more stream")} than can be shown here.`);
    this.#draw();
  }

  /** Participant id → how many streams fork what they say or hear. */
  ofPeople() {
    const numbers = new Map();
    for (const { participant_id: id, state } of this.streams.flatMap((stream) => [stream, ...stream.parts])) {
      if (id && state !== "ended") numbers.set(id, (numbers.get(id) ?? 0) + 1);
    }
    return numbers;
  }

  // --- inside ---

  #draw() {
    const shown = this.streams.flatMap((stream) => [[stream, null], ...stream.parts.map((part) => [part, stream])]);
    const present = new Set(shown.map(([stream]) => stream.id));
    for (const id of this.rows.keys()) if (!present.has(id)) this.rows.delete(id);
    for (const [stream, parent] of shown) {
      if (!this.rows.has(stream.id)) {
        this.rows.set(stream.id, new Row(stream, parent, { end: (which) => this.#end(which), fold: (which) => this.#fold(which) }));
      }
      const row = this.rows.get(stream.id);
      row.draw(stream, this.#whom(stream), this.people.get(stream.participant_id));
      row.drawFold(this.open.has(stream.id), parent !== null && !this.open.has(parent.id), stream.parts.length);
    }
    setChildren(this.body, shown.map(([stream]) => this.rows.get(stream.id).element));
    this.empty.hidden = shown.length > 0;
    this.table.hidden = shown.length === 0;
    const live = this.streams.filter((stream) => stream.state !== "ended").length;
    this.count.hidden = shown.length === 0;
    setText(this.count, plural(live, "stream"));
  }

  #whom(stream) {
    if (!stream.participant_id) return stream.roster ? "Each participant" : "The conference";
    const person = this.people.get(stream.participant_id);
    return person ? named(person.name) : "Somebody who left";
  }

  #fold(stream) {
    if (!this.open.delete(stream.id)) this.open.add(stream.id);
    this.#draw();
  }

  #end(stream) {
    let what = "The service is disconnected. The call goes on.";
    if (stream.bot_id) what = "The service leaves the conference. Everybody else stays.";
    else if (stream.roster) what = "All its sockets are closed, and nobody gets one any more. The calls go on.";
    this.end(stream, this.#whom(stream), what);
  }
}
