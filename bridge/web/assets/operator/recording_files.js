// The files of a recording: what they are, how large, whether they are whole, and how their uploads go.

import { make, named, setChildren, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { size } from "./sizes.js";

const HEADS = ["File", "Size", "State", "Upload"];
const FORMS = {
  mp4: "MP4", m4a: "M4A", wav: "WAV", flac: "FLAC", ogg: "Ogg Opus", mp3: "MP3", jpg: "JPEG", webp: "WebP", m3u8: "HLS",
};
const WHOLE = new Map([["program", "Everybody"], ["sides", "Two sides, one to the left and one to the right"], ["thumbnail", "Picture"], ["preview", "Preview"]]);
const ORDER = ["program", "sides", "", "thumbnail", "preview"];
const STAGES = [
  ["failing", "Failing", "bad"],
  ["missing", "File is gone", "bad"],
  ["uploading", "Uploading", "busy"],
  ["waiting", "Waiting", "busy"],
  ["uploaded", "Uploaded", "good"],
];

/** `program-hls-ts/` → ["program", "HLS"]; `<id>.wav` → [id, "WAV"]. */
export function partsOf(name) {
  if (name.endsWith("/")) {
    const folder = name.slice(0, -1);
    return [folder.replace(/-hls-(ts|fmp4)$/, ""), "HLS"];
  }
  const dot = name.lastIndexOf(".");
  const form = name.slice(dot + 1);
  return [name.slice(0, dot), FORMS[form] ?? form.toUpperCase()];
}

/** One of each name: the whole one, which tells of the one in the making, that is going to be longer. */
export function merged(files) {
  const byName = new Map();
  for (const file of files) {
    const other = byName.get(file.name);
    if (!other) byName.set(file.name, { ...file, longer: 0 });
    else if (file.complete) byName.set(file.name, { ...file, longer: other.size });
    else other.longer = file.size;
  }
  const rank = (name) => {
    const [stem] = partsOf(name);
    const index = ORDER.indexOf(stem);
    return index === -1 ? ORDER.indexOf("") : index;
  };
  const many = ({ name }) => Number(name.endsWith("/"));
  return [...byName.values()].sort((one, other) => rank(one.name) - rank(other.name) || many(one) - many(other));
}

/** How the uploads of a file go: [text, grade]; null when it stays here. */
export function uploadOf({ uploads, files }) {
  const worst = STAGES.find(([stage]) => uploads[stage]);
  if (!worst) return null;
  const [stage, word, grade] = worst;
  const all = Object.values(uploads).reduce((sum, number) => sum + number, 0);
  const count = files > 1 && (all > uploads[stage] || all < files) ? `${uploads[stage]} of ${files}` : "";
  return [[word, count].filter(Boolean).join(" · "), grade];
}

class Row {
  constructor(file, on) {
    this.name = make("span", { class: "name said line", dir: "auto" });
    this.about = make("span", { class: "about said line" });
    this.picture = make("span", { class: "face whole", "aria-hidden": "true" });
    this.size = make("td", { class: "number", "data-name": "Size" });
    this.pillText = make("span");
    this.pill = make("span", { class: "pill" }, make("span", { class: "dot" }), this.pillText);
    this.longer = make("span", { class: "small soft" });
    this.upload = make("span", { class: "pill" });
    this.problem = make("span", { class: "about said problem" });
    this.play = make("button", { type: "button", class: "compact square", on: { click: () => on.play(this.file, this.title) } }, icon("play"));
    this.download = make("button", { type: "button", class: "compact square", on: { click: () => on.download(this.file, this.title) } }, icon("download"));
    this.element = make(
      "tr",
      {},
      make("td", { class: "named" }, make("div", { class: "person" }, this.picture, make("div", {}, this.name, this.about))),
      this.size,
      make("td", { class: "stated" }, make("div", {}, this.pill, this.longer)),
      make("td", { class: "uploaded" }, make("div", {}, this.upload, this.problem)),
      make("td", { class: "acting" }, make("div", { class: "acts" }, this.play, this.download)),
    );
  }

  draw(file, people, playing) {
    this.file = file;
    const [stem, form] = partsOf(file.name);
    const isPicture = file.media_type.startsWith("image/");
    const whole = WHOLE.get(stem);
    const name = whole ?? (people.has(stem) ? named(people.get(stem)) : "Somebody");
    this.title = `${name}, ${form}`;
    setText(this.name, name);
    this.name.title = name;
    setText(this.about, `${form} · ${file.name}${file.files > 1 ? ` · ${file.files} files` : ""}`);
    this.about.title = file.name;
    if (!this.picture.firstChild) this.picture.append(icon(isPicture ? "picture" : form === "MP4" || form === "HLS" ? "film" : "sound"));
    setText(this.size, size(file.size));
    this.pill.className = `pill ${file.complete ? "good" : "busy"}`;
    setText(this.pillText, file.complete ? "Whole" : "In the making");
    if (file.away) setText(this.longer, file.away === file.files ? "in its storage only" : `${file.away} of ${file.files} in its storage only`);
    else setText(this.longer, file.longer > file.size ? `a longer one: ${size(file.longer)}` : "");
    const upload = uploadOf(file);
    this.upload.className = upload ? `pill ${upload[1]}` : "soft small";
    if (this.shown !== String(upload)) {
      this.shown = String(upload);
      this.upload.replaceChildren(...(upload ? [make("span", { class: "dot" }), upload[0]] : ["Stays here"]));
    }
    setText(this.problem, file.problem);
    this.problem.title = file.problem;
    this.play.hidden = isPicture || (file.name.endsWith("/") && !file.playlist);
    this.play.setAttribute("aria-label", `Play ${this.title}`);
    this.play.title = file.complete ? "Play" : "Play what there is by now";
    this.play.setAttribute("aria-pressed", String(playing));
    this.download.hidden = file.name.endsWith("/");
    this.download.setAttribute("aria-label", `Download ${this.title}`);
    this.download.title = "Download";
  }
}

export class RecordingFiles {
  /** `on.play(file, title)` and `on.download(file, title)`. */
  constructor(on) {
    this.on = on;
    this.rows = new Map();
    this.files = [];
    this.left = 0;
    this.people = new Map();
    this.playing = "";
    this.body = make("tbody");
    const heads = HEADS.map((text, index) => make("th", { scope: "col", class: index === 1 ? "number" : "", text }));
    this.table = make("table", { class: "listing files" }, make("thead", {}, make("tr", {}, ...heads, make("th", { scope: "col" }, make("span", { class: "unseen", text: "Actions" })))), this.body);
    this.more = make("p", { class: "inside small soft", hidden: true });
    this.element = make("div", { hidden: true }, this.table, this.more);
  }

  setFiles({ files, left_out: left }) {
    this.files = merged(files);
    this.left = left;
    this.#draw();
  }

  /** Participant id → name. */
  setPeople(people) {
    this.people = people;
    this.#draw();
  }

  /** The name of the file that the player has. */
  setPlaying(name) {
    this.playing = name;
    this.#draw();
  }

  #draw() {
    const present = new Set(this.files.map((file) => file.name));
    for (const name of this.rows.keys()) if (!present.has(name)) this.rows.delete(name);
    for (const file of this.files) {
      if (!this.rows.has(file.name)) this.rows.set(file.name, new Row(file, this.on));
      this.rows.get(file.name).draw(file, this.people, file.name === this.playing);
    }
    setChildren(this.body, this.files.map((file) => this.rows.get(file.name).element));
    this.element.hidden = this.files.length === 0;
    this.more.hidden = this.left === 0;
    setText(this.more, `There are ${this.left} more files than can be shown here.`);
  }
}
