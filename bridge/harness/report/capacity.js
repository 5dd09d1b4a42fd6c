// The report of a search for capacity: its steps, and response and failures against the number of calls.

const STEPS = {
  held: ["held", "good"],
  broke: ["broke", "bad"],
  "harness late": ["harness late: invalid", "near"],
  interrupted: ["interrupted", "near"],
};
const COUNTS = ["held", "broke"]; // of the others nothing can be said about the bot

function capacityCard(found) {
  return judgedCard({
    verdict: found.verdict, heading: found.headline, eyebrow: "How many calls a voice bot holds", reasons: found.reasons, settings: found.settings,
    facts: { Target: found.target, Started: when(found.started_at), Lasted: duration(found.duration_ms), Steps: whole.format(found.steps.length), Seed: found.seed },
  });
}

function capacityTiles(found) {
  const held = found.steps.find((step) => step.calls === found.held && step.verdict === "held");
  const count = (number) => (known(number) ? whole.format(number) : "–");
  return make("dl", { class: "tiles", "aria-label": "In short" },
    tile("Held", count(found.held), found.held >= found.at_least ? `asked for: ${count(found.at_least)}` : `fewer than the ${count(found.at_least)} asked for`, found.held >= found.at_least ? "good" : found.verdict === "invalid" ? "near" : "bad"),
    tile("Broke at", count(found.broke), known(found.broke) ? "the fewest calls that did" : "nothing broke", known(found.broke) ? "bad" : ""),
    tile("Harness late at", count(found.harness_late_at), known(found.harness_late_at) ? "invalid from there on" : "it kept time", known(found.harness_late_at) ? "near" : ""),
    tile("Response p95", duration(held?.response_p95_ms), held ? `where ${plural(held.calls, "call")} held` : "nothing held"),
    tile("Response p50", duration(held?.response_p50_ms), held ? `where ${plural(held.calls, "call")} held` : "nothing held"),
    tile("Steps", count(found.steps.length), found.precision ? `to within ${figure(100 * found.precision, "%")}` : ""));
}

/** Round places for a scale of counts, whatever they begin with. */
function frameOf(steps, width, height, pad) {
  const most = Math.max(...steps.map((step) => step.calls), 1);
  const floor = height - pad.bottom;
  return { most, floor, x: (calls) => pad.left + (calls / most) * (width - pad.left - pad.right - 8),
    columns: ticks(most, Math.max(2, Math.floor(width / 90)), 1) };
}

function marksOf(svg, found, frame, top) {
  for (const [at, kind, text] of [[found.held || null, "limit", "held"], [found.broke, "limit missed", "broke"]]) {
    if (!known(at)) continue;
    const right = at === found.broke && known(found.held) && frame.x(found.broke) - frame.x(found.held) < 60;
    svg.append(shapes.line(frame.x(at), top, frame.x(at), frame.floor, kind), shapes.text(frame.x(at) + (right || text === "broke" ? 4 : -4), top + 8, text, "tick strong", right || text === "broke" ? "start" : "end"));
  }
}

const stepText = (step) => `${plural(step.calls, "call")}, ${STEPS[step.verdict][0]}`;

/** Response p50, p95 and the largest against calls; steps in which the harness was late stand apart, hollow. */
function responseAgainstCalls(found, width, height = 260) {
  const pad = { left: 60, right: 16, top: 16, bottom: 36 };
  const steps = [...found.steps].sort((one, other) => one.calls - other.calls);
  const frame = frameOf(steps, width, height, pad);
  const values = steps.flatMap((step) => [step.response_p50_ms, step.response_p95_ms]).filter(known);
  const end = Math.max(...values, ...found.limits.map((limit) => limit.value), 1) * 1.08;
  const y = (ms) => frame.floor - (Math.min(ms, end) / end) * (frame.floor - pad.top);
  const svg = draw("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Response delay against calls: ${steps.map((step) => `${stepText(step)}, median ${duration(step.response_p50_ms)}, 95th percentile ${duration(step.response_p95_ms)}`).join("; ")}` });
  grid(svg, ticks(end, 4).map((ms) => [y(ms), duration(ms)]), frame.columns.map((calls) => [frame.x(calls), whole.format(calls)]), pad, width, height - 14);
  svg.append(shapes.text(width - pad.right, height - 3, "calls at once", "tick", "end"));
  for (const limit of found.limits) {
    svg.append(draw("line", { x1: pad.left, x2: width - pad.right, y1: y(limit.value), y2: y(limit.value), class: limit.passed ? "limit" : "limit missed" }, draw("title", { text: limit.text })));
  }
  marksOf(svg, found, frame, pad.top - 8);
  for (const [key, kind, name] of [["response_p95_ms", "p95", "p95"], ["response_p50_ms", "p50", "p50"]]) {
    const line = steps.filter((step) => COUNTS.includes(step.verdict) && known(step[key]));
    svg.append(draw("path", { class: `curve ${kind}`, d: line.map((step, index) => `${index ? "L" : "M"}${frame.x(step.calls).toFixed(1)} ${y(step[key]).toFixed(1)}`).join("") }));
    for (const step of steps) {
      if (!known(step[key])) continue;
      const state = COUNTS.includes(step.verdict) ? step.verdict : "unknown";
      svg.append(draw("circle", { cx: frame.x(step.calls), cy: y(step[key]), r: 4.5, class: `point ${kind} ${state}` },
        draw("title", { text: `${stepText(step)}: ${name} ${duration(step[key])}` })));
    }
  }
  return svg;
}

/** The share of calls that failed at each number of calls. */
function failuresAgainstCalls(found, width, height = 150) {
  const pad = { left: 60, right: 16, top: 16, bottom: 36 };
  const steps = [...found.steps].sort((one, other) => one.calls - other.calls);
  const frame = frameOf(steps, width, height, pad);
  const share = (step) => (step.calls ? step.failed_calls / step.calls : 0);
  const end = Math.max(0.05, ...steps.map(share));
  const svg = draw("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Failed calls against calls: ${steps.map((step) => `${stepText(step)}, ${whole.format(step.failed_calls)} failed`).join("; ")}` });
  grid(svg, [0, end / 2, end].map((part) => [frame.floor - (part / end) * (frame.floor - pad.top), figure(100 * part, "%")]), frame.columns.map((calls) => [frame.x(calls), whole.format(calls)]), pad, width, height - 14);
  svg.append(shapes.text(width - pad.right, height - 3, "calls at once", "tick", "end"));
  for (const step of steps) {
    const tall = Math.max(2, (share(step) / end) * (frame.floor - pad.top));
    const state = COUNTS.includes(step.verdict) ? (step.failed_calls ? "beyond" : "") : "unknown";
    svg.append(draw("rect", { x: frame.x(step.calls) - 5, y: frame.floor - tall, width: 10, height: tall, rx: 2, class: `bar ${state}` },
      draw("title", { text: `${stepText(step)}: ${whole.format(step.failed_calls)} failed` })));
  }
  return svg;
}

function capacityCharts(found) {
  if (!found.steps.length) return null;
  const key = (kind, text) => make("span", { class: `key ${kind}`, text });
  const limits = found.limits.map((limit) => make("span", { class: `pill ${limit.passed ? "good" : "bad"}` }, make("span", { class: "dot" }), make("span", { class: "said mono", text: limit.text })));
  return panel("load", "Against the number of calls", "Each point is a step. Hollow: the harness was late or the step was cut short, so it says nothing of the bot.",
    make("figure", { class: "alone" }, make("figcaption", {}, make("b", { text: "Response delay, heard" }), key("", "median"), key("p95", "95th percentile"), key("unknown", "invalid"), limits),
      fitted(make("div", { class: "canvas tall" }), (width) => responseAgainstCalls(found, width))),
    make("figure", { class: "alone" }, make("figcaption", {}, make("b", { text: "Calls that failed" }), key("bad", "failed"), key("unknown", "invalid")),
      fitted(make("div", { class: "canvas" }), (width) => failuresAgainstCalls(found, width))));
}

function stepsPanel(found) {
  const cell = (name, text, more = "", kind = "") => make("td", { class: `number ${kind}`, "data-name": name }, make("span", { text }), more ? make("small", { text: more }) : null);
  const rows = found.steps.map((step, index) => {
    const [word, kind] = STEPS[step.verdict];
    return make("tr", { class: `step ${step.verdict.replace(" ", "-")}` },
      make("td", { class: "named" }, make("div", { class: "row" }, make("span", { class: "soft figures", text: `${index + 1}.` }),
        make("div", { class: "who" }, make("span", { class: "name" }, plural(step.calls, "call"), " ", make("span", { class: `pill ${kind}` }, make("span", { class: "dot" }), word)),
          step.because ? make("span", { class: "because said soft", text: step.because }) : null,
          step.report ? make("a", { href: step.report, text: "The step’s own report", "aria-label": `Report of step ${index + 1}, ${plural(step.calls, "call")}` }) : null))),
      cell("Failed", whole.format(step.failed_calls), "", step.failed_calls ? "bad" : ""),
      cell("Unanswered", whole.format(step.unanswered), "", step.unanswered ? "bad" : ""),
      cell("Connect p95", duration(step.connect_p95_ms)),
      cell("Response p50", duration(step.response_p50_ms)),
      cell("p95", duration(step.response_p95_ms)),
      cell("Max", duration(step.response_max_ms)),
      cell("To clear p95", duration(step.barge_in_clear_p95_ms)),
      cell("Harness late", duration(step.late_ms), "", step.verdict === "harness late" ? "near" : ""),
      cell("Lasted", duration(step.duration_ms)));
  });
  return panel("steps", "Steps", "In the order in which they were made.",
    make("table", { class: "listing plain-rows steps" },
      make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "Calls at once" }),
        ["Failed", "Unanswered", "Connect p95", "Response p50", "p95", "Max", "To clear p95", "Harness late", "Lasted"].map((text) => make("th", { scope: "col", class: "number", text })))),
      make("tbody", {}, rows.length ? rows : make("tr", {}, make("td", { colspan: "10" }, make("p", { class: "soft", text: "No step was made." }))))));
}

function beginCapacity() {
  const found = JSON.parse(document.getElementById("run").textContent);
  const parts = [capacityCard(found), capacityTiles(found), capacityCharts(found), stepsPanel(found)];
  document.getElementById("report").replaceChildren(...parts.filter(Boolean));
  for (const link of document.querySelectorAll("a[href^='#']")) if (!document.querySelector(link.getAttribute("href"))) link.hidden = true;
}

beginCapacity();
