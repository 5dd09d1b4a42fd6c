// What all calls come to: figures and their spread, sums, load, what went wrong, how calls ended.

function figuresPanel(run) {
  const cell = (name, value, unit, kind = "") => make("td", { class: `number ${kind}`, "data-name": name, text: figure(value, unit) });
  const rows = run.figures.map((one) => make("tr", { class: one.limits.some((limit) => !limit.passed) ? "missed" : "" },
    make("th", { scope: "row" }, make("span", { class: "name", text: one.title }), make("small", { class: "soft", text: one.about })),
    make("td", { class: "number", "data-name": "n", text: whole.format(one.n) }),
    make("td", { class: `number ${one.never ? "bad" : "soft"}`, "data-name": "Never", text: one.never ? whole.format(one.never) : "–" }),
    cell("Min", one.min, one.unit, "soft"), cell("p50", one.p50, one.unit), cell("p90", one.p90, one.unit),
    cell("p95", one.p95, one.unit, one.limits.some((limit) => !limit.passed) ? "bad" : ""), cell("p99", one.p99, one.unit), cell("Max", one.max, one.unit)));
  return panel("figures", "Figures", run.figures.some((one) => one.never) ? "Percentiles are of what happened; thresholds count what never did as slower than any limit." : "A percentile is the smallest value that so many percent do not exceed.",
    make("table", { class: "listing plain-rows all-figures" },
      make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "Figure" }), ["n", "Never", "Min", "p50", "p90", "p95", "p99", "Max"].map((text) => make("th", { scope: "col", class: "number", text })))),
      make("tbody", {}, rows)));
}

/** Sums over all calls, where the figures above are percentiles. */
function sumsPanel(run) {
  const sum = run.totals;
  const count = (number) => whole.format(number);
  const left = [[sum.checkpoints_cleared, "cleared"], [sum.checkpoints_unplayed, "not reached"]].filter(([times]) => times).map(([times, what]) => `${count(times)} ${what}`);
  return panel("sums", "In total", "Over all calls.", make("dl", { class: "facts figures" },
    fact("Responses", count(sum.responses), sum.unanswered ? `${count(sum.unanswered)} never came` : "all came", sum.unanswered ? "bad" : ""),
    fact("Barge-ins", count(sum.barge_ins), sum.not_yielded ? `${count(sum.not_yielded)} went on` : sum.barge_ins ? "all yielded to" : "none", sum.not_yielded ? "bad" : ""),
    fact("Callers’ speech", duration(sum.caller_talk_ms), `the bot’s ${duration(sum.bot_talk_ms)}`),
    fact("Overtalk", duration(sum.overtalk_ms), `${figure(100 * sum.overtalk_share, "%")} of all sound`),
    fact("Gaps", count(sum.gaps), sum.gaps ? `${duration(sum.gap_ms)} together` : "none"),
    fact("Underruns", count(sum.underruns), "gaps under 200 ms"),
    fact("Checkpoints", count(sum.checkpoints), [`${count(sum.checkpoints_played)} acknowledged`, ...left].join(", ")),
    fact("Acknowledgement errors", count(sum.acknowledgement_errors), sum.acknowledgement_errors ? "sound taken for heard too early" : "none", sum.acknowledgement_errors ? "bad" : ""),
    fact("From the bot", bytes(sum.bytes_in), `to it ${bytes(sum.bytes_out)}`),
    fact("Harness late", duration(sum.late_ms), "at worst")));
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
  const remarks = counted(run.calls.flatMap((call) => call.remarks.map((text) => [alike(text), call, 1])));
  const broken = rules("violations");
  const conduct = rules("conduct");
  const ends = counted(run.calls.map((call) => [call.ended, call, 1]));
  const most = Math.max(1, run.calls.length);
  const row = (text, more, count, calls, show, kind, mono = false) => make("li", { class: kind, vars: { "--share": calls / most } },
    make("div", { class: "grow" }, make("span", { class: mono ? "said mono clip" : "said clip" }, mono ? text : worded(text)), more ? make("small", { class: "soft" }, worded(more)) : null, make("span", { class: "share", "aria-hidden": "true" })),
    make("span", { class: "count figures", text: count }),
    make("button", { type: "button", class: "compact quiet", "aria-label": `Show calls: ${text}`, on: { click: show } }, "Show"));
  const rule = ([name, group], key) => row(name, `${run.rule(name).acknowledges ? "Acknowledgement error. " : ""}${run.rule(name).text}${run.rule(name).fails ? "" : " Counted only: it fails no call."}`,
    `${whole.format(group.times)} × in ${plural(group.calls.size, "call")}`, group.calls.size, () => list.filter({ rule: name }), run.rule(name).fails ? "bad" : "", true);
  const panels = [
    failures.length ? tallyPanel("failures", "Why calls failed", plural(failures.length, "reason"), failures.slice(0, 30).map(([text, group]) => row(text, "", plural(group.calls.size, "call"), group.calls.size,
      () => list.filter({ only: { title: text, test: (call) => call.failures.some((one) => alike(one) === text) } }), "bad"))) : null,
    broken.length ? tallyPanel("violations", "Broken rules of the protocol", plural(broken.length, "rule"), broken.slice(0, 50).map((one) => rule(one, "violations"))) : null,
    remarks.length ? tallyPanel("remarks", "What the harness could not do", plural(remarks.length, "remark"), remarks.slice(0, 30).map(([text, group]) => row(text, "", plural(group.calls.size, "call"), group.calls.size,
      () => list.filter({ only: { title: text, test: (call) => call.remarks.some((one) => alike(one) === text) } }), ""))) : null,
    conduct.length ? tallyPanel("conduct", "Conduct towards the caller", plural(conduct.length, "rule"), conduct.slice(0, 50).map((one) => rule(one, "conduct"))) : null,
    ends.length ? tallyPanel("ends", "How calls ended", ends.length > 1 ? "" : "all of them", ends.map(([end, group]) => row(end, endText(end), plural(group.calls.size, "call"), group.calls.size,
      () => list.filter({ end }), endIsBad(end) ? "bad" : ""))) : null,
  ].filter(Boolean);
  return panels.length ? make("div", { class: "troubles" }, panels) : null;
}
