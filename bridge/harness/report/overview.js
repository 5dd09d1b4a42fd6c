// The head of the report: the verdict and why, what was asked, what was found.

const VERDICTS = { passed: "Passed", failed: "Failed", invalid: "Invalid" };

function verdictCard(run) {
  const failed = run.calls.filter((call) => call.failed).length;
  const missed = run.thresholds.filter((threshold) => !threshold.passed).length;
  const reasons = [];
  if (run.verdict === "invalid") reasons.push(run.invalid_because || "The harness itself was late, so nothing it measured can be trusted.");
  if (run.interrupted) reasons.push("The run was ended before all of its calls were through.");
  if (failed) reasons.push(`${whole.format(failed)} of ${plural(run.calls.length, "call")} failed.`);
  if (missed) reasons.push(`${whole.format(missed)} of ${plural(run.thresholds.length, "threshold")} ${missed === 1 ? "was" : "were"} missed.`);
  if (!run.calls.length) reasons.push("No call was made.");
  if (!reasons.length) reasons.push(run.thresholds.length ? `All ${plural(run.calls.length, "call")} passed and every threshold was met.` : `All ${plural(run.calls.length, "call")} passed. No thresholds were set.`);
  const settings = Object.entries({ Target: run.target, Started: when(run.started_at), Lasted: duration(run.duration_ms), Calls: whole.format(run.calls.length), Seed: run.seed });
  return make("section", { class: `verdict ${run.verdict}`, id: "summary", "aria-labelledby": "verdict" },
    make("div", { class: "stamp" }, icon(run.verdict)),
    make("div", { class: "judged" }, make("p", { class: "eyebrow", text: "Test of a voice bot" }), make("h1", { id: "verdict", text: VERDICTS[run.verdict] }),
      make("ul", {}, reasons.map((text) => make("li", { class: "said clip", text })))),
    make("dl", { class: "about" },
      settings.map(([name, text]) => make("div", { class: name === "Target" ? "wide" : "" }, make("dt", { text: name }), make("dd", { class: name === "Target" ? "said mono clip" : "said figures", text }))),
      Object.entries(run.settings).filter(([name, text]) => settings.every(([title, same]) => title.toLowerCase() !== name.toLowerCase() || same !== text)).map(([name, text]) => make("div", {}, make("dt", { class: "said clip", text: name }), make("dd", { class: "said figures clip", text })))));
}

function tile(title, value, more, kind = "") {
  return make("div", { class: `tile ${kind}` }, make("dt", { text: title }), make("dd", { class: "figures" }, make("b", { text: value }), make("small", { text: more })));
}

function tiles(run) {
  const failed = run.calls.filter((call) => call.failed).length;
  const broken = run.calls.reduce((sum, call) => sum + call.broken, 0);
  const one = (key) => run.figures.find((some) => some.key === key);
  const p95 = (key, title) => {
    const some = one(key);
    const state = some.limits.some((limit) => !limit.passed) ? "bad" : some.limits.length ? "good" : "";
    const p50 = some.n ? `median ${figure(some.p50, some.unit)}` : "nothing measured";
    return tile(title, figure(some.p95, some.unit), some.never ? `${p50}, ${whole.format(some.never)} never` : p50, state);
  };
  return make("dl", { class: "tiles", "aria-label": "In short" },
    tile("Calls passed", run.calls.length ? `${whole.format(run.calls.length - failed)} of ${whole.format(run.calls.length)}` : "–", failed ? `${whole.format(failed)} failed` : "none failed", failed ? "bad" : run.calls.length ? "good" : ""),
    p95("response", "Response p95"),
    p95("first_heard", "First audio p95"),
    p95("barge_in", "Barge-in p95"),
    p95("overtalk", "Overtalk p95"),
    tile("Violations", whole.format(broken), `in ${plural(run.calls.filter((call) => call.broken).length, "call")}`, run.calls.some((call) => call.gravely) ? "bad" : broken ? "near" : "good"));
}

function panel(id, title, note, ...inside) {
  return make("section", { class: "panel", id, "aria-labelledby": `${id}-title` },
    make("header", {}, make("h2", { id: `${id}-title`, text: title }), note && make("p", { class: "soft small", text: note })), inside);
}

function thresholdsPanel(run) {
  if (!run.thresholds.length) return null;
  const met = run.thresholds.filter((threshold) => threshold.passed).length;
  const bar = ({ asked, value, passed }) => {
    if (!known(asked) || !known(value)) return null;
    const end = 1.3 * Math.max(asked, value) || 1;
    return make("span", { class: passed ? "bullet" : "bullet missed", "aria-hidden": "true", vars: { "--found": Math.max(0, value / end), "--asked": asked / end } });
  };
  const rows = [...run.thresholds].sort((one, other) => one.passed - other.passed).map((threshold) => {
    return make("tr", { class: threshold.passed ? "" : "missed" },
      make("td", {}, make("span", { class: threshold.passed ? "verdict-dot" : "verdict-dot bad" }, icon(threshold.passed ? "passed" : "failed")), make("span", { class: "state", text: threshold.passed ? "met" : "missed" })),
      make("td", { class: "asked" }, make("span", { class: "said mono clip", text: threshold.text })),
      make("td", { class: "number" }, known(threshold.value) ? figure(threshold.value, threshold.unit) : make("span", { class: "soft", text: threshold.never ? "too often never" : "nothing to measure" })),
      make("td", { class: "against" }, bar(threshold)));
  });
  return panel("thresholds", "Thresholds", `${met} of ${run.thresholds.length} met`,
    make("table", { class: "listing plain-rows thresholds" }, make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "Result" }), make("th", { scope: "col", class: "asked", text: "Asked" }), make("th", { scope: "col", class: "number", text: "Found" }), make("th", { class: "against" }, make("span", { class: "soft", "aria-hidden": "true", text: "Found, and the limit asked for" })))),
      make("tbody", {}, rows)));
}

function figuresPanel(run) {
  const cell = (name, value, unit, kind = "") => make("td", { class: `number ${kind}`, "data-name": name, text: figure(value, unit) });
  const rows = run.figures.map((one) => make("tr", { class: one.limits.some((limit) => !limit.passed) ? "missed" : "" },
    make("th", { scope: "row" }, make("span", { class: "name", text: one.title }), make("small", { class: "soft", text: one.about })),
    make("td", { class: "number", "data-name": "n", text: whole.format(one.n) }),
    make("td", { class: `number ${one.never ? "bad" : "soft"}`, "data-name": "Never", text: one.never ? whole.format(one.never) : "–" }),
    cell("p50", one.p50, one.unit), cell("p90", one.p90, one.unit), cell("p95", one.p95, one.unit, one.limits.some((limit) => !limit.passed) ? "bad" : ""), cell("Max", one.max, one.unit)));
  return panel("figures", "Figures", run.figures.some((one) => one.never) ? "Percentiles are of what happened; thresholds count what never did as slower than any limit." : "A percentile is the smallest value that so many percent do not exceed.",
    make("table", { class: "listing plain-rows all-figures" },
      make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "Figure" }), ["n", "Never", "p50", "p90", "p95", "Max"].map((text) => make("th", { scope: "col", class: "number", text })))),
      make("tbody", {}, rows)));
}

function spreadPanel(run) {
  const shown = run.figures.filter((one) => one.n >= 5 && one.max > 0);
  if (!shown.length) return null;
  return panel("spread", "How they are spread", "Dashed: thresholds. Red: values beyond one.",
    make("div", { class: "spread" }, shown.map((one) => make("figure", {},
      make("figcaption", {}, make("b", { text: one.title }), make("span", { class: "soft small figures", text: plural(one.n, "value") }), one.limits.map((limit) => make("span", { class: `pill ${limit.passed ? "good" : "bad"}` }, make("span", { class: "dot" }), make("span", { class: "said mono", text: limit.text })))),
      fitted(make("div", { class: "canvas" }), (width) => histogramChart(one, width))))));
}

function loadPanel(run) {
  if (run.calls.length < 2) return null;
  const limits = run.limits("response");
  return panel("load", "Over time", "From the first call’s beginning.",
    make("div", { class: "charts" },
      make("figure", {}, make("figcaption", {}, make("b", { text: "Calls at once" }), make("span", { class: "key failures", text: "failed calls, at their end" })),
        fitted(make("div", { class: "canvas" }), (width) => activeChart(run.calls, run.begun, run.until, width))),
      run.calls.some((call) => call.worst !== null) ? make("figure", {}, make("figcaption", {}, make("b", { text: "Response delay, heard" }), make("span", { class: "key dots", text: "each response" }), make("span", { class: "key dots bad", text: "in a failed call" })),
        fitted(make("div", { class: "canvas" }), (width) => responsesChart(run.calls, limits, run.begun, run.until, width))) : null));
}

/** Failures that differ in their numbers only are one. */
const alike = (text) => text.replace(/ \(× [\d,]+\)/gu, "").replace(/\d+(?:[.,]\d+)*/gu, "…");

function counted(pairs) {
  const groups = new Map();
  for (const [name, call, times] of pairs) {
    const group = groups.get(name) ?? { calls: new Set(), times: 0 };
    group.calls.add(call);
    group.times += times;
    groups.set(name, group);
  }
  return [...groups].sort((one, other) => other[1].calls.size - one[1].calls.size || other[1].times - one[1].times);
}

function tallyPanel(id, title, note, rows) {
  return panel(id, title, note, make("ul", { class: "tally" }, rows));
}

function troubles(run, list) {
  const failures = counted(run.calls.flatMap((call) => call.failures.map((text) => [alike(text), call, 1])));
  const rules = (key) => counted(run.calls.flatMap((call) => Object.entries(call[key]).map(([name, times]) => [name, call, times])));
  const broken = rules("violations");
  const conduct = rules("conduct");
  const ends = counted(run.calls.map((call) => [call.end, call, 1]));
  const most = Math.max(1, run.calls.length);
  const row = (text, more, count, calls, show, kind, mono = false) => make("li", { class: kind, vars: { "--share": calls / most } },
    make("div", { class: "grow" }, make("span", { class: mono ? "said mono clip" : "said clip" }, mono ? text : worded(text)), more ? make("small", { class: "soft" }, worded(more)) : null, make("span", { class: "share", "aria-hidden": "true" })),
    make("span", { class: "count figures", text: count }),
    make("button", { type: "button", class: "compact quiet", "aria-label": `Show calls: ${text}`, on: { click: show } }, "Show"));
  const rule = ([name, group], key) => row(name, `${run.rule(name).text}${run.rule(name).fails ? "" : " Counted only: it fails no call."}`,
    `${whole.format(group.times)} × in ${plural(group.calls.size, "call")}`, group.calls.size, () => list.filter({ only: { title: name, test: (call) => Object.hasOwn(call[key], name) } }), run.rule(name).fails ? "bad" : "", true);
  const panels = [
    failures.length ? tallyPanel("failures", "Why calls failed", plural(failures.length, "reason"), failures.slice(0, 30).map(([text, group]) => row(text, "", plural(group.calls.size, "call"), group.calls.size,
      () => list.filter({ only: { title: text, test: (call) => call.failures.some((one) => alike(one) === text) } }), "bad"))) : null,
    broken.length ? tallyPanel("violations", "Broken rules of the protocol", plural(broken.length, "rule"), broken.slice(0, 50).map((one) => rule(one, "violations"))) : null,
    conduct.length ? tallyPanel("conduct", "Conduct towards the caller", plural(conduct.length, "rule"), conduct.slice(0, 50).map((one) => rule(one, "conduct"))) : null,
    ends.length ? tallyPanel("ends", "How calls ended", "", ends.map(([end, group]) => row(end, "", plural(group.calls.size, "call"), group.calls.size,
      () => list.filter({ end }), ["bot failed", "connection lost", "connect failed"].includes(end) ? "bad" : ""))) : null,
  ].filter(Boolean);
  return panels.length ? make("div", { class: "troubles" }, panels) : null;
}
