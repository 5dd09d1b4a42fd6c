// The streamings of a conference: published to RTMP servers, or offered as HLS and played here.

import { make, setChildren, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { confirm, form, show } from "./dialogs.js";
import { ms, timeOfDay } from "./durations.js";
import { Player } from "./player.js";
import { size } from "./sizes.js";

const STATES = {
  starting: ["Connecting", "busy"],
  running: ["Live", "good"],
  troubled: ["Trouble", "bad"],
  ending: ["Ending", "busy"],
  ended: ["Not running", ""],
};
const KINDS = { rtmp: "RTMP", rtmps: "RTMPS", hls: "HLS" };
const NUMBERS = ["Delay", "Far side", "Media"];
const NOTHING = ["–", "", ""];
const PART_S = 0.5;

const seconds = (value) => (value / 1000).toFixed(value < 9_950 ? 2 : 1);

/** What its figures say, as [text, small text, title, grade] for each of `NUMBERS`. */
export function numbersOf({ kind, low_latency: low, figures }) {
  const { bytes = 0 } = figures;
  const sent = bytes ? [size(bytes), kind === "hls" ? "made" : "sent", ""] : NOTHING;
  if (kind === "hls") {
    const { delay_p50_ms: half, delay_p99_ms: most, waiting_requests: waiting } = figures;
    return [
      half === undefined ? NOTHING : [`${seconds(half)} / ${seconds(most)} s`, "mouth to playlist", "From the mouth to the playlist: median and 99th percentile"],
      low && waiting ? [String(waiting), waiting === 1 ? "request waits" : "requests wait", "Players that wait for what comes next"] : NOTHING,
      sent,
    ];
  }
  const { waiting_ms: waiting = 0, dropped_seconds: dropped = 0, connections = 0, attempts = 0 } = figures;
  return [
    connections ? [ms(waiting), dropped ? `${ms(1000 * dropped)} left out` : "waiting", "Sound that waits to be sent, and what was left out because it waited for too long", dropped ? "near" : ""] : NOTHING,
    attempts ? [String(connections), `of ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}`, "Connections that were made, and how often it was tried"] : NOTHING,
    sent,
  ];
}

class Row {
  constructor(on) {
    this.host = make("span", { class: "name said line", dir: "auto" });
    this.about = make("span", { class: "about" });
    this.pillText = make("span");
    this.pill = make("span", { class: "pill" }, make("span", { class: "dot" }), this.pillText);
    this.since = make("span", { class: "small soft figures" });
    this.trouble = make("span", { class: "about said problem" });
    this.numbers = NUMBERS.map((name) => make("td", { class: "number", "data-name": name }));
    this.watch = make("button", { type: "button", class: "compact square", title: "Watch it here", on: { click: () => on.watch(this.streaming) } }, icon("play"));
    this.address = make("button", { type: "button", class: "compact square", title: "Show its address", on: { click: () => on.address(this.streaming) } }, icon("copy"));
    this.end = make("button", { type: "button", class: "compact square warns", title: "End this streaming", on: { click: () => on.end(this.streaming) } }, icon("end"));
    this.element = make(
      "tr",
      {},
      make("td", { class: "named" }, make("div", { class: "person" }, make("span", { class: "face whole", "aria-hidden": "true" }, icon("broadcast")), make("div", {}, this.host, this.about, this.trouble))),
      make("td", { class: "stated" }, make("div", {}, this.pill, this.since)),
      ...this.numbers,
      make("td", { class: "acting" }, make("div", { class: "acts" }, this.watch, this.address, this.end)),
    );
  }

  draw(streaming, playing) {
    this.streaming = streaming;
    const isHls = streaming.kind === "hls";
    const where = isHls ? "Offered by this server" : streaming.host;
    setText(this.host, where);
    this.host.title = `${where}\n${streaming.id}`;
    const more = [
      KINDS[streaming.kind],
      streaming.low_latency ? "low latency" : "",
      streaming.whole ? "since its beginning" : "",
      streaming.protected ? "with a token" : "",
      streaming.sound,
      streaming.picture || "no picture",
    ];
    setText(this.about, more.filter(Boolean).join(" · "));
    const [word, grade] = STATES[streaming.state];
    this.pill.className = `pill ${grade}`;
    setText(this.pillText, word);
    setText(this.since, streaming.changed_at === null ? "" : `since ${timeOfDay(streaming.changed_at * 1000)}`);
    setText(this.trouble, streaming.trouble);
    this.trouble.className = `about said ${streaming.state === "troubled" ? "problem" : ""}`;
    numbersOf(streaming).forEach(([text, small, title, kind = ""], index) => {
      const cell = this.numbers[index];
      cell.className = `number ${text === "–" ? "none" : kind}`;
      cell.title = title;
      if (cell.dataset.shown === `${text}|${small}`) return;
      cell.dataset.shown = `${text}|${small}`;
      cell.replaceChildren(text, small ? make("small", { text: small }) : "");
    });
    const named = isHls ? "HLS" : `${KINDS[streaming.kind]} to ${streaming.host}`;
    this.watch.hidden = this.address.hidden = !isHls;
    this.watch.setAttribute("aria-pressed", String(playing));
    for (const [button, what] of [[this.watch, "Watch"], [this.address, "Address of"], [this.end, "End"]]) button.setAttribute("aria-label", `${what} ${named}`);
  }
}

export class Streamings {
  constructor(api, conference) {
    this.api = api;
    this.conference = conference;
    this.streamings = [];
    this.rows = new Map();
    this.addresses = new Map(); // of protected ones, which are told once
    this.playing = "";
    this.player = new Player({
      closed: () => {
        this.playing = "";
        this.#draw();
      },
    });
    this.problem = make("div", { class: "notice bad", role: "alert", hidden: true });
    this.count = make("span", { class: "pill", hidden: true });
    this.body = make("tbody");
    const heads = ["Where", "State", ...NUMBERS].map((text, index) => make("th", { scope: "col", class: index > 1 ? "number" : "", text }));
    this.table = make("table", { class: "listing streamings", hidden: true }, make("thead", {}, make("tr", {}, ...heads, make("th", { scope: "col" }, make("span", { class: "unseen", text: "Actions" })))), this.body);
    this.empty = make("p", { class: "inside soft", text: "Nobody outside can follow this conference. Publish it to an RTMP server, or offer it as HLS to any number of listeners." });
    this.element = make(
      "section",
      { class: "panel", "aria-labelledby": "live-title" },
      make(
        "header",
        {},
        make("h2", { id: "live-title", text: "Live" }),
        this.count,
        make(
          "div",
          { class: "row" },
          make("button", { type: "button", class: "compact", on: { click: () => this.#push() } }, icon("broadcast"), "Publish"),
          make("button", { type: "button", class: "compact", on: { click: () => this.#offer() } }, icon("plus"), "Offer HLS"),
        ),
      ),
      make("div", { class: "problem-of-live" }, this.problem),
      this.empty,
      this.player.element,
      this.table,
    );
  }

  setStreamings(streamings) {
    this.streamings = streamings;
    if (this.playing && !streamings.some(({ id }) => id === this.playing)) this.player.close();
    this.#draw();
  }

  close() {
    this.player.close();
  }

  // --- inside ---

  #draw() {
    const present = new Set(this.streamings.map(({ id }) => id));
    for (const id of this.rows.keys()) if (!present.has(id)) this.rows.delete(id);
    for (const streaming of this.streamings) {
      if (!this.rows.has(streaming.id)) {
        this.rows.set(streaming.id, new Row({ watch: (one) => this.#watch(one), address: (one) => this.#address(one), end: (one) => this.#end(one) }));
      }
      this.rows.get(streaming.id).draw(streaming, streaming.id === this.playing);
    }
    setChildren(this.body, this.streamings.map(({ id }) => this.rows.get(id).element));
    this.empty.hidden = this.streamings.length > 0;
    this.table.hidden = this.streamings.length === 0;
    const live = this.streamings.filter(({ state }) => state === "running").length;
    this.count.hidden = this.streamings.length === 0;
    setText(this.count, this.streamings.length ? `${live} of ${this.streamings.length} up` : "");
  }

  async #push() {
    const url = make("input", { type: "text", required: true, maxlength: "4096", autocomplete: "off", autocapitalize: "off", spellcheck: false, placeholder: "rtmps://live.example.com/app/stream-key" });
    const picture = make("input", { type: "checkbox", checked: true });
    const codec = make("select", {}, ...[["aac", "AAC"], ["mp3", "MP3"], ["opus", "Opus (few servers take it)"]].map(([value, text]) => make("option", { value, text })));
    const fields = [["Address with the stream’s key: afterwards only its host is shown", url], ["Sound", codec], ["With a picture of who is talking", picture]];
    await form("Publish to an RTMP server", fields, "Publish", async () => {
      const wishes = { url: url.value.trim(), audio: { codec: codec.value } };
      if (!picture.checked) wishes.picture = null;
      await this.api.createStreaming(this.conference, wishes);
      return true;
    });
  }

  async #offer() {
    const low = make("input", { type: "checkbox", checked: true });
    const whole = make("input", { type: "checkbox" });
    const secret = make("input", { type: "checkbox" });
    const picture = make("input", { type: "checkbox", checked: true });
    const fields = [["Low latency: about two seconds behind", low], ["Everything since its beginning can be heard", whole], ["Only with a token", secret], ["With a picture of who is talking", picture]];
    const made = await form("Offer HLS", fields, "Offer", () => {
      const hls = { whole: whole.checked, protected: secret.checked };
      if (low.checked) Object.assign(hls, { partSeconds: PART_S, segmentSeconds: 4 });
      return this.api.createStreaming(this.conference, picture.checked ? { hls } : { hls, picture: null });
    });
    if (!made) return;
    if (secret.checked) this.addresses.set(made.id, made.url);
    await show("Here is its address", secret.checked ? "It is shown this once, and whoever has it can follow the conference." : "Anybody can follow the conference with it.", [["HLS address", made.url, "Players and web pages everywhere can open it."]]);
  }

  async #address(streaming) {
    const known = this.addresses.get(streaming.id);
    if (streaming.protected && !known) await show("Its address", "It was shown once, when it was made: only whoever kept it can follow.", []);
    else await show("Its address", streaming.protected ? "Whoever has it can follow the conference." : "Anybody can follow the conference with it.", [["HLS address", known ?? streaming.address, ""]]);
  }

  #watch(streaming) {
    this.playing = streaming.id;
    this.#draw();
    // From this page's own origin, whatever the server is called outside.
    const address = new URL(this.addresses.get(streaming.id) ?? streaming.address);
    const path = address.pathname.slice(address.pathname.indexOf("/hls/")) + address.search;
    this.player.openHls("Live", streaming.picture !== "", path, { low: streaming.low_latency, live: true });
    this.player.element.scrollIntoView({ block: "nearest" });
  }

  async #end(streaming) {
    const isHls = streaming.kind === "hls";
    const sure = await confirm("End the streaming?", isHls ? "HLS" : streaming.host, isHls ? "Everybody who follows it hears no more, and its address is gone." : "The server hears no more of the conference.", "End it");
    if (!sure) return;
    this.problem.hidden = true;
    try {
      await this.api.deleteStreaming(this.conference, streaming.id);
    } catch (error) {
      this.problem.hidden = false;
      this.problem.replaceChildren(icon("warning"), make("span", { class: "said", text: `It was not ended: ${error.message}` }));
    }
  }
}
