// The top bar: how the server does.

import { byId, make, setText } from "../shared/dom.js";
import { kindOf } from "../shared/levels.js";

const EVERY_MS = 2_000;
const LATE_NEAR_MS = 5;
const LATE_BAD_MS = 15;

const FIGURES = ["Tick late", "Tick takes", "CPU", "Legs", "Up", "Version"];

function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min`;
}

const pair = (one, other) => `${one.toFixed(1)} / ${other.toFixed(1)} ms`;

export class ServerBar {
  constructor(api) {
    this.api = api;
    this.before = null;
    this.cells = new Map();
    const list = byId("server");
    list.replaceChildren();
    for (const name of FIGURES) {
      const value = make("dd", { text: "–" });
      list.append(make("div", {}, make("dt", { text: name }), value));
      this.cells.set(name, value);
    }
    this.cells.get("Tick late").parentElement.title = "How long after its due time a tick begins: median and 99th percentile";
    this.cells.get("Tick takes").parentElement.title = "How long a tick takes, of 20 ms: median and 99th percentile";
    this.timer = setInterval(() => this.look(), EVERY_MS);
    this.look();
  }

  close() {
    clearInterval(this.timer);
  }

  async look() {
    try {
      this.#draw(await this.api.server());
      byId("server").title = "";
    } catch (error) {
      byId("server").title = error.message;
      for (const cell of this.cells.values()) cell.parentElement.className = "near";
    }
  }

  #put(name, text, grade = "") {
    const cell = this.cells.get(name);
    setText(cell, text);
    cell.parentElement.className = grade;
  }

  #draw(now) {
    const grade = (value) => (value > LATE_BAD_MS ? "bad" : value > LATE_NEAR_MS ? "near" : "");
    this.#put("Tick late", pair(now.lateness_p50_ms, now.lateness_p99_ms), grade(now.lateness_p99_ms));
    this.#put("Tick takes", pair(now.duration_p50_ms, now.duration_p99_ms), grade(now.duration_p99_ms));
    if (this.before && now.uptime_s > this.before.uptime_s) {
      const share = (now.cpu_s - this.before.cpu_s) / (now.uptime_s - this.before.uptime_s);
      this.#put("CPU", `${Math.round(100 * share)} %`, share > 0.9 ? "bad" : share > 0.7 ? "near" : "");
    }
    const legs = Object.entries(now.legs).map(([kind, count]) => `${count} ${kindOf(kind).word.toLowerCase()}`);
    this.#put("Legs", legs.join(", ") || "none");
    this.#put("Up", now.draining ? "going down" : now.overloaded ? "overloaded" : duration(now.uptime_s), now.draining || now.overloaded ? "bad" : "");
    this.#put("Version", now.version);
    this.before = now;
  }
}
