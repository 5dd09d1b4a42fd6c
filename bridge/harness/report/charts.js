// The charts of the whole run. Each is a picture with a sentence that says what it shows.

const shapes = {
  line: (x1, y1, x2, y2, kind) => draw("line", { x1, y1, x2, y2, class: kind }),
  text: (x, y, text, kind, anchor = "start") => draw("text", { x, y, class: kind, "text-anchor": anchor, text }),
};

/** Round steps over 0…end, about `wanted` of them. */
function ticks(end, wanted, least = 0) {
  if (!(end > 0)) return [0];
  const rough = Math.max(end / wanted, least);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let at = 0; at <= end * 1.0001; at += step) found.push(at);
  return found;
}

function timeTicks(end, wanted) {
  const steps = [100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000];
  const step = steps.find((size) => end / size <= wanted) ?? 7200000 * Math.ceil(end / wanted / 7200000);
  const found = [];
  for (let at = 0; at <= end; at += step) found.push(at);
  return found;
}

/** Above all that values were asked to be below. */
const beyond = (limits, value) => {
  const upper = limits.filter((limit) => limit.upper);
  return upper.length > 0 && upper.every((limit) => value > limit.value);
};

/** How a figure is spread: bars, its percentiles, and its thresholds as lines. */
function histogramChart(one, width, height = 132) {
  const { width: cell, counts, over } = one.histogram;
  const end = cell * counts.length;
  const pad = { left: 4, right: over ? 42 : 10, top: 18, bottom: 20 };
  const inner = width - pad.left - pad.right;
  const floor = height - pad.bottom;
  const most = Math.max(...counts, over, 1);
  const x = (value) => pad.left + (value / end) * inner;
  const y = (count) => floor - (count / most) * (floor - pad.top);
  const bar = Math.max(1.5, inner / counts.length - 1.5);
  const asked = one.limits.map((limit) => `, asked for: ${limit.text}, ${limit.passed ? "met" : "missed"}`).join("");
  const said = `${one.title}: ${plural(one.n, "value")}, median ${figure(one.p50, one.unit)}, 95th percentile ${figure(one.p95, one.unit)}, largest ${figure(one.max, one.unit)}${asked}`;
  const svg = draw("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said });
  counts.forEach((count, index) => {
    if (!count) return;
    const top = Math.min(y(count), floor - 2);
    const kind = beyond(one.limits, (index + 0.5) * cell) ? "bar beyond" : "bar";
    svg.append(draw("rect", { x: x(index * cell), y: top, width: bar, height: floor - top, rx: Math.min(2, bar / 2), class: kind },
      draw("title", { text: `${figure(index * cell, one.unit)} to ${figure((index + 1) * cell, one.unit)}: ${whole.format(count)}` })));
  });
  if (over) {
    const top = Math.min(y(over), floor - 2);
    const left = width - 30;
    svg.append(
      draw("rect", { x: left, y: top, width: 14, height: floor - top, rx: 2, class: beyond(one.limits, end) ? "bar beyond" : "bar" },
        draw("title", { text: `above ${figure(end, one.unit)}: ${whole.format(over)}` })),
      shapes.line(left - 8, floor - 4, left - 4, floor + 4, "axis"),
      shapes.text(left + 7, height - 5, "more", "tick", "middle"),
    );
  }
  svg.append(shapes.line(pad.left, floor + 0.5, width - (over ? 44 : 4), floor + 0.5, "axis"));
  for (const at of ticks(end, Math.max(2, Math.floor(inner / 60)), one.unit ? 0 : 1)) {
    const anchor = at === 0 ? "start" : x(at) > width - 30 ? "end" : "middle";
    svg.append(shapes.text(x(at), height - 5, at === 0 ? "0" : figure(at, one.unit), "tick", anchor));
  }
  for (const [name, value] of [["p50", one.p50], ["p95", one.p95]]) {
    if (value > end) continue;
    svg.append(shapes.line(x(value), pad.top - 2, x(value), floor, "quantile"), shapes.text(x(value), 11, name, "tick strong", x(value) > width - 24 ? "end" : x(value) < 16 ? "start" : "middle"));
    if (one.p95 - one.p50 < (end * 30) / inner) break; // one label would lie on the other
  }
  for (const limit of one.limits) {
    const at = x(limit.value);
    svg.append(draw("line", { x1: at, x2: at, y1: pad.top - 4, y2: floor + 3, class: limit.passed ? "limit" : "limit missed" }, draw("title", { text: limit.text })));
  }
  return svg;
}

/** A line with steps where calls begin and end; failures stand where the failed calls ended. */
function activeChart(calls, begun, end, width, height = 168) {
  const pad = { left: 34, right: 12, top: 14, bottom: 22 };
  const edges = calls.flatMap((call) => [[call.begins, 1], [call.ends, -1]]).sort((one, other) => one[0] - other[0] || other[1] - one[1]);
  let now = 0;
  let most = 0;
  const steps = [];
  for (const [at, change] of edges) {
    steps.push([at, now]);
    now += change;
    most = Math.max(most, now);
    steps.push([at, now]);
  }
  const x = (at) => pad.left + (Math.max(0, at - begun) / Math.max(1, end - begun)) * (width - pad.left - pad.right);
  const floor = height - pad.bottom;
  const y = (count) => floor - (count / Math.max(1, most)) * (floor - pad.top);
  const failed = calls.filter((call) => call.failed);
  const svg = draw("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Calls over time: at most ${whole.format(most)} at once; ${plural(failed.length, "call")} failed` });
  grid(svg, ticks(most, 3, 1).map((count) => [y(count), whole.format(count)]), timeTicks(end - begun, Math.max(2, width / 90)).map((at) => [x(begun + at), axisTime(at)]), pad, width, height);
  const line = steps.map(([at, count], index) => `${index ? "L" : "M"}${x(at).toFixed(1)} ${y(count).toFixed(1)}`).join("");
  if (steps.length) {
    svg.append(
      draw("path", { d: `${line}V${floor}H${x(steps[0][0])}Z`, class: "area" }),
      draw("path", { d: line, class: "curve" }),
    );
  }
  svg.append(draw("path", { d: failed.map((call) => `M${x(call.ends).toFixed(1)} ${floor - 4}v-9`).join(""), class: "failures" }));
  return svg;
}

/** Every response at the time of its call's beginning and its own: does it grow with the load? */
function responsesChart(calls, limits, begun, end, width, height = 168) {
  const pad = { left: 56, right: 12, top: 14, bottom: 22 };
  const points = [];
  for (const call of calls) {
    for (const response of call.responses) if (known(response.heard_ms)) points.push([call.begins + response.asked_ms, response.heard_ms, call.failed]);
  }
  const sorted = points.map((point) => point[1]).sort((one, other) => one - other);
  const p99 = sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0;
  const top = Math.max(Math.min(sorted[sorted.length - 1] ?? 0, 2 * p99), ...limits.map((limit) => limit.value * 1.1), 1);
  const x = (at) => pad.left + (Math.max(0, at - begun) / Math.max(1, end - begun)) * (width - pad.left - pad.right);
  const floor = height - pad.bottom;
  const y = (ms) => floor - (Math.min(ms, top) / top) * (floor - pad.top);
  const svg = draw("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Response delay over time: ${plural(points.length, "response")}` });
  grid(svg, ticks(top, 3).map((ms) => [y(ms), duration(ms)]), timeTicks(end - begun, Math.max(2, width / 90)).map((at) => [x(begun + at), axisTime(at)]), pad, width, height);
  const dots = (some) => some.map(([at, ms]) => `M${x(at).toFixed(1)} ${y(ms).toFixed(1)}h0`).join("");
  const dense = points.length > 800 ? " dense" : "";
  svg.append(
    draw("path", { d: dots(points.filter((point) => !point[2])), class: `dots${dense}` }),
    draw("path", { d: dots(points.filter((point) => point[2])), class: `dots bad${dense}` }),
  );
  for (const limit of limits) {
    svg.append(draw("line", { x1: pad.left, x2: width - pad.right, y1: y(limit.value), y2: y(limit.value), class: limit.passed ? "limit" : "limit missed" }, draw("title", { text: limit.text })));
  }
  return svg;
}

function grid(svg, rows, columns, pad, width, height) {
  for (const [y, text] of rows) {
    svg.append(shapes.line(pad.left, y, width - pad.right, y, "rule"), shapes.text(pad.left - 6, y + 4, text, "tick", "end"));
  }
  for (const [x, text] of columns) {
    svg.append(shapes.text(x, height - 5, text, "tick", x > width - 30 ? "end" : "middle"));
  }
}
