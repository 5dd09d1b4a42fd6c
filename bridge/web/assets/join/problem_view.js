// A problem that takes the whole page: what it is, what to do, and a field for another link.

import { byId, make } from "../shared/dom.js";
import { parseLink } from "./address.js";
import { PROBLEMS } from "./problems.js";

const WORDS = {
  open: "Open",
  again: "Try again",
  rejoin: "Join again",
  retry: "Try again",
  "listen-slow": "Listen without UDP",
};

export class ProblemView {
  /** `on` maps an action's name to what it does; `on.follow(address)` is told of another link. */
  constructor(on) {
    this.on = { ...on, open: () => byId("problem-link").requestSubmit() };
    byId("problem-link").addEventListener("submit", (event) => {
      event.preventDefault();
      const address = parseLink(byId("problem-address").value);
      byId("problem-address-error").textContent = address ? "" : "That is not a complete join link.";
      byId("problem-address").setAttribute("aria-invalid", String(!address));
      if (address) on.follow(address);
    });
  }

  /** `canReturn`: there is a link to come back to. */
  draw(name, canReturn) {
    const problem = PROBLEMS[name];
    document.title = `${problem.title} · Mediabridge`;
    byId("problem").dataset.problem = name;
    byId("problem-title").textContent = problem.title;
    byId("problem-text").textContent = problem.text;
    byId("problem-hints").replaceChildren(...problem.hints.map((text) => make("li", { text })));
    byId("problem-link").hidden = !problem.link;
    const buttons = problem.actions
      .filter((action) => action === "open" || canReturn)
      .map((action, index) =>
        make("button", { type: "button", class: index === 0 ? "primary" : "", text: WORDS[action], on: { click: () => this.on[action]() } }),
      );
    byId("problem-actions").replaceChildren(...buttons);
  }

  focus() {
    byId("problem-title").focus();
  }
}
