// A player for one thing at a time: a file of a recording, an HLS recording, or a live stream.

import { make, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { HlsPlayer } from "./hls_player.js";

const DELAY_EVERY_MS = 1_000;

export class Player {
  /** `on.place(at, length)` follows what is played, in seconds; `on.closed()` when somebody closes it. */
  constructor(on = {}) {
    this.on = on;
    this.title = make("h3", { class: "said line", dir: "auto" });
    this.state = make("p", { class: "small soft", role: "status" });
    this.problem = make("p", { class: "small bad-text", role: "alert" });
    this.delay = make("span", { class: "pill", hidden: true });
    this.catchUp = make("button", { type: "button", class: "compact quiet", hidden: true, text: "Go to live", on: { click: () => this.hls?.catchUp() } });
    const close = make("button", { type: "button", class: "compact square quiet", title: "Close the player", "aria-label": "Close the player", on: { click: () => this.close() } }, icon("close"));
    this.stage = make("div", { class: "stage-of-player" });
    this.under = make("div");
    this.element = make("figure", { class: "player", hidden: true }, make("figcaption", { class: "row" }, this.title, this.delay, this.catchUp, close), this.stage, this.state, this.problem, this.under);
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** A file: `load(signal)` gives it as a Blob. */
  async openBlob(title, withPicture, load) {
    const { media, signal } = this.#begin(title, withPicture);
    setText(this.state, "Loading …");
    try {
      const blob = await load(signal);
      if (signal.aborted) return;
      this.url = URL.createObjectURL(blob);
      this.#play(media, this.url);
    } catch (error) {
      if (!signal.aborted) this.#say(`It cannot be played: ${error.message}`);
    }
  }

  /** A file that is too large to be fetched first. */
  openLink(title, withPicture, url) {
    this.#play(this.#begin(title, withPicture).media, url);
  }

  /** A playlist; see `HlsPlayer`. */
  openHls(title, withPicture, url, { token = null, low = false, live = false } = {}) {
    const { media } = this.#begin(title, withPicture);
    setText(this.state, "Loading …");
    this.hls = new HlsPlayer(media, url, {
      token,
      low,
      told: (problem) => {
        setText(this.state, "");
        setText(this.problem, problem);
      },
    });
    this.hls.open();
    if (live) this.timer = setInterval(() => this.#drawDelay(), DELAY_EVERY_MS);
    this.catchUp.hidden = !live;
  }

  seek(seconds) {
    if (this.media) this.media.currentTime = seconds;
  }

  say(text) {
    setText(this.state, text);
  }

  close() {
    if (!this.isOpen) return;
    this.#end();
    this.element.hidden = true;
    this.on.closed?.();
  }

  // --- inside ---

  #begin(title, withPicture) {
    this.#end();
    this.element.hidden = false;
    setText(this.title, title);
    this.title.title = title;
    this.ending = new AbortController();
    const media = make(withPicture ? "video" : "audio", { controls: true, playsinline: true, preload: "auto", "aria-label": title });
    for (const event of ["timeupdate", "durationchange", "seeked"]) media.addEventListener(event, () => this.on.place?.(media.currentTime, media.duration));
    media.addEventListener("playing", () => setText(this.state, ""));
    this.media = media;
    this.stage.replaceChildren(media);
    return { media, signal: this.ending.signal };
  }

  #end() {
    this.ending?.abort();
    this.hls?.close();
    this.hls = null;
    clearInterval(this.timer);
    this.delay.hidden = this.catchUp.hidden = true;
    if (this.media) {
      this.media.pause();
      this.media.removeAttribute("src");
      this.media.load(); // lets go of the connection
      this.media = null;
    }
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.stage.replaceChildren();
    setText(this.problem, "");
    setText(this.state, "");
  }

  #play(media, url) {
    setText(this.state, "");
    media.addEventListener("error", () => {
      if (this.media === media) this.#say("This browser cannot play it, or it is not there any more.");
    });
    media.src = url;
    media.play().catch(() => {}); // some browsers wait for another click
  }

  #say(problem) {
    setText(this.state, "");
    setText(this.problem, problem);
  }

  #drawDelay() {
    const delay = this.hls?.delay() ?? null;
    this.delay.hidden = delay === null;
    if (delay !== null) setText(this.delay, `${delay.toFixed(1)} s behind`);
  }
}
