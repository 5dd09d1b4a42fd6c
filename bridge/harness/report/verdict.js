// The head of a report: the verdict and why, and what was asked.

const VERDICTS = { passed: "Passed", failed: "Failed", invalid: "Invalid" };

const eyebrowOf = (run) => (!run.settings.replayed ? "Test of a voice bot" : run.target.startsWith("replay of ") ? "Captured calls, measured again" : "Test of a voice bot by captured callers");

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
  return judgedCard({
    verdict: run.verdict, heading: VERDICTS[run.verdict], eyebrow: eyebrowOf(run), reasons, settings: run.settings,
    facts: { Target: run.target, Started: when(run.started_at), Lasted: duration(run.duration_ms), Calls: whole.format(run.calls.length), Seed: run.seed },
  });
}

/** The first card: `verdict` passed, failed or invalid; `reasons` are sentences; `settings` are those of the run that `facts` do not hold. */
function judgedCard({ verdict, heading, eyebrow, reasons, facts, settings }) {
  const told = Object.entries(facts);
  const more = Object.entries(settings).filter(([name, text]) => told.every(([title, same]) => title.toLowerCase() !== name.toLowerCase() || same !== text));
  return make("section", { class: `verdict ${verdict}`, id: "summary", "aria-labelledby": "verdict" },
    make("div", { class: "stamp" }, icon(verdict)),
    make("div", { class: "judged" }, make("p", { class: "eyebrow", text: eyebrow }), make("h1", { id: "verdict", text: heading }),
      make("ul", {}, reasons.map((text) => make("li", { class: "said clip", text })))),
    make("dl", { class: "about" },
      told.map(([name, text]) => make("div", { class: name === "Target" ? "wide" : "" }, make("dt", { text: name }), make("dd", { class: name === "Target" ? "said mono clip" : "said figures", text }))),
      more.map(([name, text]) => make("div", {}, make("dt", { class: "said clip", text: name }), make("dd", { class: "said clip", text })))));
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
  return panel("thresholds", "Thresholds", `${met} of ${run.thresholds.length} met`, thresholdsTable(run.thresholds));
}

function thresholdsTable(thresholds) {
  const bar = ({ asked, value, passed }) => {
    if (!known(asked) || !known(value)) return null;
    const end = 1.3 * Math.max(asked, value) || 1;
    return make("span", { class: passed ? "bullet" : "bullet missed", "aria-hidden": "true", vars: { "--found": Math.max(0, value / end), "--asked": asked / end } });
  };
  const rows = [...thresholds].sort((one, other) => one.passed - other.passed).map((threshold) => {
    return make("tr", { class: threshold.passed ? "" : "missed" },
      make("td", {}, make("span", { class: threshold.passed ? "verdict-dot" : "verdict-dot bad" }, icon(threshold.passed ? "passed" : "failed")), make("span", { class: "state", text: threshold.passed ? "met" : "missed" })),
      make("td", { class: "asked" }, make("span", { class: "said mono clip", text: threshold.text })),
      make("td", { class: "number" }, known(threshold.value) ? figure(threshold.value, threshold.unit) : make("span", { class: "soft", text: threshold.never ? "too often never" : "nothing to measure" })),
      make("td", { class: "against" }, bar(threshold)));
  });
  return make("table", { class: "listing plain-rows thresholds" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "Result" }), make("th", { scope: "col", class: "asked", text: "Asked" }), make("th", { scope: "col", class: "number", text: "Found" }),
      make("th", { class: "against" }, make("span", { class: "soft", "aria-hidden": "true", text: "Found, and the limit asked for" })))),
    make("tbody", {}, rows));
}
