// The list of calls: filters, order, pages, and the calls that are open.

const PAGE = 25;

const ORDERS = {
  failing: ["Failing first", (one, other) => other.failed - one.failed || one.number - other.number],
  number: ["Number", (one, other) => one.number - other.number],
  response: ["Slowest response", (one, other) => lateness(other) - lateness(one) || one.number - other.number],
  first: ["Latest first audio", (one, other) => (other.first_heard_ms ?? Infinity) - (one.first_heard_ms ?? Infinity) || one.number - other.number],
  barge: ["Slowest barge-in", (one, other) => hold(other) - hold(one) || one.number - other.number],
  overtalk: ["Most overtalk", (one, other) => (other.turns?.overtalk_share ?? -1) - (one.turns?.overtalk_share ?? -1) || one.number - other.number],
  gaps: ["Most gaps", (one, other) => other.gaps - one.gaps || other.gap_ms - one.gap_ms || one.number - other.number],
  violations: ["Most violations", (one, other) => other.broken - one.broken || one.number - other.number],
  duration: ["Longest", (one, other) => other.duration_ms - one.duration_ms || one.number - other.number],
};

// What never came is later than all that did.
const lateness = (call) => (call.unanswered ? 1e9 + call.unanswered : call.worst ?? -1);
const hold = (call) => (call.barge_ins.some((one) => !known(one.silence_ms)) ? 1e9 : Math.max(-1, ...call.barge_ins.map((one) => one.silence_ms)));

const SHOWN = {
  all: ["All", () => true],
  failed: ["Failed", (call) => call.failed],
  violations: ["With violations", (call) => call.broken > 0],
  unanswered: ["Unanswered", (call) => call.unanswered > 0],
  unheard: ["Acknowledgement errors", (call) => call.misacknowledged > 0],
};

/** A call in a few pixels: the caller above the line, the bot below. */
function thumbnail(call) {
  const width = 132;
  const svg = draw("svg", { class: "thumb", width, height: 30, viewBox: `0 0 ${width} 30`, "aria-hidden": "true" });
  levelsOf(call).then(({ caller, bot }) => {
    const length = Math.max(caller.length, bot.length, 1);
    for (const [levels, kind, up] of [[caller, "caller", -1], [bot, "bot", 1]]) {
      const path = [];
      for (let x = 0; x < width; x += 3) {
        let peak = -127;
        const until = Math.min(levels.length, Math.floor(((x + 3) / width) * length));
        for (let at = Math.floor((x / width) * length); at < until; at += 1) if (levels[at] > peak) peak = levels[at];
        const height = loudness(peak) * 13;
        if (height > 0.5) path.push(`M${x + 1.5} 15v${(up * height).toFixed(1)}`);
      }
      svg.append(draw("path", { d: path.join(""), class: `wave ${kind}` }));
    }
  }).catch(() => {});
  return svg;
}

const EVERYTHING = { shown: "all", scenario: null, end: "", rule: "", find: "", only: null };

/** Names and how many calls have each, by name. */
function countedNames(lists) {
  const counts = new Map();
  for (const name of lists.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
}

const breaks = (call, rule) => Object.hasOwn(call.violations, rule) || Object.hasOwn(call.conduct, rule);

class CallList {
  constructor(run) {
    this.run = run;
    this.state = { ...EVERYTHING, order: "failing", page: 0 };
    this.open = new Set(run.calls.length === 1 ? [run.calls[0].number] : []);
    this.body = make("tbody");
    this.pager = make("nav", { class: "pager row apart", "aria-label": "Pages of calls" });
    this.count = make("p", { class: "soft small figures" });
    this.element = this.#panel();
    this.render();
  }

  /** Show only what a list elsewhere on the page points at. */
  filter(change) {
    Object.assign(this.state, EVERYTHING, change, { page: 0 });
    this.render();
    this.element.scrollIntoView({ block: "start", behavior: "instant" });
    this.heading.focus({ preventScroll: true });
  }

  /** Open one call, wherever it is in the list. */
  goTo(number) {
    let index = this.found().findIndex((call) => call.number === number);
    if (index < 0) {
      Object.assign(this.state, EVERYTHING);
      index = this.found().findIndex((call) => call.number === number);
    }
    if (index < 0) return false;
    this.state.page = Math.floor(index / PAGE);
    this.open = new Set([number]);
    this.render();
    const row = this.body.querySelector(`[data-call="${number}"]`);
    row.scrollIntoView({ block: "start", behavior: "instant" });
    row.nextElementSibling.querySelector("h3").focus({ preventScroll: true });
    return true;
  }

  found() {
    const { shown, scenario, end, rule, find, order, only } = this.state;
    const words = find.toLowerCase().split(/\s+/u).filter(Boolean);
    return this.run.calls
      .filter((call) => SHOWN[shown][1](call) && (!only || only.test(call)) && (!end || call.ended === end) && (scenario === null || call.scenario === scenario) && (!rule || breaks(call, rule)) && words.every((word) => call.searched.includes(word)))
      .sort(ORDERS[order][1]);
  }

  #panel() {
    const { run } = this;
    this.find = make("input", { type: "search", class: "compact", id: "find-calls", placeholder: "Number, id, failure, event …", autocomplete: "off", spellcheck: "false",
      on: { input: () => this.#set({ find: this.find.value }) } });
    this.chips = Object.entries(SHOWN).map(([key, [title, test]]) => {
      const count = run.calls.filter(test).length;
      return make("button", { type: "button", class: "compact chip", "data-shown": key, disabled: count === 0 && key !== "all", on: { click: () => this.#set({ shown: key }) } },
        title, make("span", { class: "figures", text: whole.format(count) }));
    });
    this.only = make("button", { type: "button", class: "compact chip only", "aria-pressed": "true", on: { click: () => { this.#set({ only: null }); this.heading.focus({ preventScroll: true }); } } });
    this.ends = this.#choice("end", "end-filter", "Any end", countedNames(run.calls.map((call) => [call.ended])));
    this.scenarios = this.#choice("scenario", "scenario-filter", "Any scenario", countedNames(run.calls.map((call) => [call.scenario])));
    this.rules = this.#choice("rule", "rule-filter", "Any or none", countedNames(run.calls.map((call) => [...Object.keys(call.violations), ...Object.keys(call.conduct)])));
    this.orders = make("select", { class: "compact", id: "call-order", on: { change: () => this.#set({ order: this.orders.value }) } },
      Object.entries(ORDERS).map(([key, [title]]) => make("option", { value: key, text: title })));
    this.heading = make("h2", { id: "calls-title", tabindex: "-1", text: "Calls" });
    this.columns = [["failing", "Call", ""], ["", "Caller above, bot below", ""], ["first", "First audio", "number"], ["response", "Response", "number"], ["barge", "Barge-in", "number"],
      ["overtalk", "Overtalk", "number"], ["gaps", "Gaps", "number"], ["violations", "Violations", "number"], ["duration", "End", ""]]
      .map(([key, title, kind]) => make("th", { scope: "col", class: kind, "data-order": key },
        key ? make("button", { type: "button", class: "sorts", title: ORDERS[key][0], text: title, on: { click: () => this.#set({ order: this.state.order === key ? "number" : key }) } }) : title));
    return make("section", { class: "panel", id: "calls", "aria-labelledby": "calls-title" },
      make("header", {}, this.heading, this.count),
      make("div", { class: "tools" },
        make("div", { class: "row wrap which", role: "group", "aria-label": "Which calls" }, this.chips, this.only),
        this.scenarios.length > 2 ? make("label", { class: "field", for: "scenario-filter" }, make("span", { text: "Scenario" }), this.scenarios) : null,
        make("label", { class: "field", for: "end-filter" }, make("span", { text: "End" }), this.ends),
        this.rules.length > 1 ? make("label", { class: "field", for: "rule-filter" }, make("span", { text: "Broken rule" }), this.rules) : null,
        make("label", { class: "field", for: "call-order" }, make("span", { text: "Order" }), this.orders),
        make("label", { class: "field wide", for: "find-calls" }, make("span", {}, "Find ", make("kbd", { text: "/" })), this.find)),
      make("table", { class: "listing calls" }, make("thead", {}, make("tr", {}, this.columns)), this.body),
      this.pager);
  }

  /** A choice among names, of which the first takes all; options are numbered, for a name may be anything. */
  #choice(key, id, all, names) {
    const select = make("select", { class: "compact", id, on: { change: () => this.#set({ [key]: select.value === "" ? EVERYTHING[key] : names[Number(select.value)][0] }) } },
      make("option", { value: "", text: all }), names.map(([name, count], at) => make("option", { value: String(at), text: `${name || "none"} (${whole.format(count)})` })));
    select.show = (name) => { select.value = name === EVERYTHING[key] ? "" : String(names.findIndex(([one]) => one === name)); };
    return select;
  }

  #set(change) {
    Object.assign(this.state, change, { page: 0 });
    this.render();
    announce(`${plural(this.found().length, "call")} shown`);
  }

  render() {
    this.find.value = this.state.find;
    this.ends.show(this.state.end);
    this.scenarios.show(this.state.scenario);
    this.rules.show(this.state.rule);
    const found = this.found();
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    this.state.page = Math.min(this.state.page, pages - 1);
    const first = this.state.page * PAGE;
    const here = found.slice(first, first + PAGE);
    for (const chip of this.chips) chip.setAttribute("aria-pressed", String(chip.dataset.shown === this.state.shown));
    this.orders.value = this.state.order;
    const { only } = this.state;
    this.only.hidden = !only;
    if (only) this.only.replaceChildren(make("span", { class: "unseen", text: "No longer only: " }), make("span", { class: "line said", text: only.title }), icon("failed"));
    for (const column of this.columns) column.ariaSort = column.dataset.order && column.dataset.order === this.state.order ? "descending" : null;
    this.count.textContent = found.length === this.run.calls.length ? plural(found.length, "call") : `${whole.format(found.length)} of ${plural(this.run.calls.length, "call")}`;
    this.shown = found;
    const rows = here.flatMap((call, index) => this.#rows(call, first + index));
    if (!rows.length) rows.push(make("tr", { class: "nothing" }, make("td", { colspan: "9" }, make("p", { class: "soft", text: this.run.calls.length ? "No call is like that." : "No call was made." }))));
    this.body.replaceChildren(...rows);
    const turn = (by) => { this.state.page += by; this.render(); this.element.scrollIntoView({ block: "start", behavior: "instant" }); this.heading.focus({ preventScroll: true }); };
    this.pager.hidden = pages === 1;
    this.pager.replaceChildren(
      make("button", { type: "button", class: "compact", disabled: this.state.page === 0, on: { click: () => turn(-1) } }, icon("back"), "Previous"),
      make("span", { class: "soft small figures", text: `${whole.format(first + 1)}–${whole.format(first + here.length)} of ${whole.format(found.length)}` }),
      make("button", { type: "button", class: "compact", disabled: this.state.page >= pages - 1, on: { click: () => turn(1) } }, "Next", icon("next")));
  }

  #rows(call, index) {
    const opened = this.open.has(call.number);
    const id = `opened-${call.number}`;
    const number = (title, value, more, kind = "") => make("td", { class: `number ${kind}`, "data-name": title }, make("span", { text: value }), more ? make("small", { text: more }) : null);
    const share = call.turns?.overtalk_share;
    const silence = call.barge_ins.length ? hold(call) : null;
    const slow = beyond(this.run.limits("response"), call.worst);
    const button = make("button", { type: "button", class: "unfold", "aria-expanded": String(opened), "aria-controls": id },
      icon("unfold"), make("span", { class: "unseen", text: "Call " }), make("span", { class: "figures", text: String(call.number) }), make("span", { class: "unseen", text: call.failed ? ", failed" : ", passed" }));
    const row = make("tr", { class: call.failed ? "call failed" : "call", "data-call": String(call.number) },
      make("td", { class: "named" }, make("div", { class: "row" },
        make("span", { class: call.failed ? "verdict-dot bad" : "verdict-dot" }, icon(call.failed ? "failed" : "passed")), button,
        make("div", { class: "who" }, make("span", { class: "name said line", text: call.scenario || `From ${clock(call.begins - this.run.begun)}` }),
          make("span", { class: call.failed ? "why said" : "why said soft line" }, worded(call.failed ? call.failures[0] : call.call_id))))),
      make("td", { class: "thumbs" }, thumbnail(call)),
      number("First audio", duration(call.first_heard_ms), known(call.connect_ms) ? "" : "no connection"),
      number("Response", duration(call.worst), call.unanswered ? `${call.unanswered} never` : call.responses.length > 1 ? `worst of ${call.responses.length}` : "", call.unanswered || slow ? "bad" : ""),
      number("Barge-in", silence === 1e9 ? "went on" : duration(silence), "", silence === 1e9 ? "bad" : ""),
      number("Overtalk", known(share) ? figure(share * 100, "%") : "–", ""),
      number("Gaps", whole.format(call.gaps), call.gaps ? duration(call.gap_ms) : "", call.gaps ? "near" : ""),
      number("Violations", whole.format(call.broken), "", call.gravely ? "bad" : call.broken ? "near" : ""),
      make("td", { class: "ended" }, make("span", { class: "said clip", text: call.ended }), make("small", { class: "figures", text: duration(call.duration_ms) })));
    const more = make("tr", { class: "more", id, hidden: !opened }, make("td", { colspan: "9" }));
    const fill = () => more.firstElementChild.replaceChildren(callPanel(call, this.run, {
      before: index > 0 ? () => this.#step(index - 1) : null,
      after: index + 1 < this.shown.length ? () => this.#step(index + 1) : null,
      close: () => { set(false); button.focus(); },
    }));
    const set = (now) => {
      button.setAttribute("aria-expanded", String(now));
      more.hidden = !now;
      this.open[now ? "add" : "delete"](call.number);
      if (now) {
        fill();
        history.replaceState(null, "", `#call-${call.number}`);
      } else {
        more.firstElementChild.replaceChildren();
        history.replaceState(null, "", location.pathname + location.search);
      }
    };
    if (opened) fill();
    row.addEventListener("click", (event) => {
      if (event.target.closest("button") !== button && (event.target.closest("a, button") || getSelection()?.toString())) return;
      set(more.hidden);
    });
    more.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { set(false); button.focus(); }
    });
    return [row, more];
  }

  #step(index) {
    const call = this.shown[index];
    if (this.goTo(call.number)) history.replaceState(null, "", `#call-${call.number}`);
  }
}
