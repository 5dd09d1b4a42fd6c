// Puts the report together from the block of JSON in the page.

/** What the page leaves out where it is empty, and what is looked up often. */
function completed(call, rule) {
  const full = { scenario: "", call_id: "", end_detail: "", hung_up_by: "", responses: [], barge_ins: [], violations: {}, conduct: {}, failures: [], remarks: [], timeline: [], caller_speech: [], bot_speech: [],
    gaps: 0, gap_ms: 0, checkpoints: 0, checkpoints_played: 0, checkpoints_cleared: 0, bytes_in: 0, bytes_out: 0, late_ms: 0, duration_ms: 0, turns: null, connect_ms: null, answer_ms: null,
    first_audio_ms: null, first_heard_ms: null, wav: null, left_out: 0, ...call };
  const heard = full.responses.map((response) => response.heard_ms).filter(known);
  full.timeline = full.timeline.map(([at, kind, text]) => [at, kind === "violation" && !rule(text).fails ? "noted" : kind, text]);
  full.gravely = Object.keys(full.violations).some((name) => rule(name).fails);
  full.misacknowledged = Object.entries(full.violations).reduce((sum, [name, times]) => sum + (rule(name).acknowledges ? times : 0), 0);
  full.ended = endOf(full);
  full.failed = full.failures.length > 0;
  full.worst = heard.length ? heard.reduce((one, other) => Math.max(one, other)) : null;
  full.unanswered = full.responses.length - heard.length;
  full.broken = Object.values(full.violations).reduce((sum, times) => sum + times, 0);
  full.begins = (full.started_at ?? 0) * 1000;
  full.ends = full.begins + full.duration_ms;
  full.searched = [full.number, full.call_id, full.scenario, full.end, full.end_detail, ...full.failures, ...full.remarks, ...Object.keys(full.violations), ...Object.keys(full.conduct),
    ...full.timeline.map(([, kind, text]) => `${kind} ${text}`)].join("\n").toLowerCase();
  return full;
}

function readRun() {
  const run = JSON.parse(document.getElementById("run").textContent);
  run.rule = (name) => (Object.hasOwn(run.rules, name) ? run.rules[name] : { text: "", fails: true, acknowledges: false });
  run.calls = run.calls.map((call) => completed(call, run.rule));
  run.begun = run.calls.reduce((first, call) => Math.min(first, call.begins), Infinity);
  run.until = run.calls.reduce((last, call) => Math.max(last, call.ends), 0);
  run.limits = (key) => run.figures.find((one) => one.key === key)?.limits ?? [];
  return run;
}

function begin() {
  const run = readRun();
  const list = new CallList(run);
  const report = document.getElementById("report");
  const parts = [verdictCard(run), tiles(run), thresholdsPanel(run), troubles(run, list), figuresPanel(run), sumsPanel(run), spreadPanel(run), loadPanel(run), list.element];
  report.replaceChildren(...parts.filter(Boolean));
  for (const link of document.querySelectorAll("nav a[href^='#']")) if (!document.querySelector(link.getAttribute("href"))) link.hidden = true;

  const follow = () => {
    const asked = /^#call-(\d{1,9})$/u.exec(location.hash);
    if (asked) list.goTo(Number(asked[1]));
  };
  addEventListener("hashchange", follow);
  follow();
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
    event.preventDefault();
    list.find.focus();
    list.find.scrollIntoView({ block: "center", behavior: "instant" });
  });
}

begin();
