// What an opened call shows.

function fact(title, value, more = "", kind = "") {
  return make("div", { class: kind }, make("dt", { text: title }), make("dd", {}, make("span", { text: value }), more && make("small", { text: more })));
}

function median(values) {
  const ordered = values.filter(known).sort((one, other) => one - other);
  return ordered.length ? ordered[Math.max(1, Math.ceil(ordered.length / 2)) - 1] : null;
}

function factsOf(call, run) {
  const heard = call.responses.map((response) => response.heard_ms);
  const silences = call.barge_ins.map((one) => one.silence_ms);
  const never = heard.filter((ms) => !known(ms)).length;
  const went = silences.filter((ms) => !known(ms)).length;
  const share = call.turns?.overtalk_share;
  return make("dl", { class: "facts figures" },
    known(call.answer_ms) ? fact("Answer URL", duration(call.answer_ms), "its XML was there") : null,
    fact("Connect", duration(call.connect_ms), known(call.connect_ms) ? "" : "never"),
    fact("First audio", duration(call.first_heard_ms), known(call.first_audio_ms) ? `arrived ${duration(call.first_audio_ms)}` : "never arrived"),
    fact("Responses", duration(median(heard)), call.responses.length ? never ? `median; ${never} of ${call.responses.length} never` : `median of ${call.responses.length}` : "none due", never ? "bad" : ""),
    fact("Slowest", duration(call.worst), "heard"),
    fact("Barge-ins", duration(median(silences)), call.barge_ins.length ? went ? `to silence; ${went} of ${call.barge_ins.length} went on` : `to silence, ${call.barge_ins.length} of them` : "none", went ? "bad" : ""),
    fact("Overtalk", known(share) ? figure(share * 100, "%") : "–", known(call.turns?.overtalk_ms) ? duration(call.turns.overtalk_ms) : ""),
    fact("Gaps", whole.format(call.gaps), call.gaps ? `${duration(call.gap_ms)}, ${plural(call.turns?.underruns ?? 0, "underrun")}` : ""),
    fact("Checkpoints", whole.format(call.checkpoints), call.checkpoints ? checkpointsOf(call) : ""),
    fact("Acknowledgement", call.misacknowledged ? plural(call.misacknowledged, "error") : call.checkpoints ? "in order" : "–", "", call.misacknowledged ? "bad" : ""),
    fact("From the bot", bytes(call.bytes_in), `to it ${bytes(call.bytes_out)}`),
    fact("Harness late", duration(call.late_ms), "at worst"),
    fact("Lasted", duration(call.duration_ms), `from ${clock(call.begins - run.begun)}`),
  );
}

function checkpointsOf(call) {
  const left = call.checkpoints - call.checkpoints_played - call.checkpoints_cleared;
  return [[call.checkpoints_played, "acknowledged"], [call.checkpoints_cleared, "cleared"], [left, "not reached"]]
    .filter(([times, what]) => times > 0 || what === "acknowledged").map(([times, what]) => `${whole.format(times)} ${what}`).join(", ");
}

/** Rules that were broken in this call, of the protocol and of conduct. */
function rulesOf(call, run) {
  const broken = [...Object.entries(call.violations), ...Object.entries(call.conduct)];
  if (!broken.length) return null;
  return make("ul", { class: "broken", "aria-label": "Broken rules" }, broken.map(([name, times]) => make("li", { class: run.rule(name).fails ? "fails" : "" },
    make("b", { class: "figures", text: `${whole.format(times)} ×` }),
    make("span", {}, make("span", { class: "said mono", text: name }), run.rule(name).acknowledges ? make("span", { class: "pill bad" }, "acknowledgement error") : null, make("span", { class: "soft" }, " ", worded(run.rule(name).text))))));
}

/** All that happened, as a table: what the drawing shows, for those who read. */
function eventsOf(call, seek) {
  const all = happenings(call);
  const body = make("tbody");
  const table = make("table", { class: "listing events" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "At" }), make("th", { scope: "col", text: "What" }), make("th", { scope: "col", text: "More" }))), body);
  const more = call.left_out ? make("p", { class: "soft small", text: `${plural(call.left_out, "more moment")} not kept on this page.` }) : null;
  const details = make("details", {}, make("summary", { text: `Everything that happened (${whole.format(all.length)})` }), make("div", { class: "events-scroll", tabindex: "0", role: "region", "aria-label": "Everything that happened" }, table), more);
  details.addEventListener("toggle", () => {
    if (!details.open || body.childElementCount) return;
    body.append(...all.map((one) => make("tr", {},
      make("td", {}, make("button", { type: "button", class: "at figures", text: clock(one.at), "aria-label": `Go to ${clock(one.at)}`, on: { click: () => seek(one.at) } })),
      make("td", {}, make("span", { class: "row" }, signMark(one.kind), make("span", { class: "said", text: kindOf(one.kind).title }))),
      make("td", { class: "said", text: one.text }))));
  });
  return details;
}

function soundOf(call, show) {
  if (!call.wav) return null;
  const audio = make("audio", { controls: true, preload: "none", src: call.wav, "aria-label": `Recording of call ${call.number}: the caller on the left, the bot on the right` });
  const missing = make("p", { class: "soft small", role: "status" });
  const follow = () => {
    show(audio.currentTime * 1000);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", follow);
  audio.addEventListener("error", () => { missing.textContent = "The recording could not be opened: it is kept in a file beside this page."; });
  return { audio, element: make("div", { class: "sound" }, audio, make("p", { class: "soft small", text: "Left: the caller. Right: the bot, as it was heard." }), missing) };
}

const legendOf = (call) => {
  const kinds = [...new Set(call.timeline.map(([, kind]) => kind))].slice(0, 12);
  return make("ul", { class: "legend", "aria-hidden": "true" },
    make("li", {}, make("i", { class: "overtalk" }), "Overtalk"),
    kinds.map((kind) => make("li", {}, signMark(kind), make("span", { class: "said", text: kindOf(kind).title }))));
};

/** The panel of one call. `go(step)` opens the one before or after it, null where there is none. */
function callPanel(call, run, { before, after, close }) {
  const place = make("div", { class: "timeline-place" }, make("p", { class: "soft", text: "Unpacking levels …" }));
  const seeking = { seek: () => {}, show: () => {} };
  const sound = soundOf(call, (ms) => seeking.show(ms));
  const limits = run.limits("response");
  levelsOf(call).then((levels) => {
    const timeline = timelineOf(call, levels, limits, (ms) => { if (sound) sound.audio.currentTime = ms / 1000; },
      sound && (() => { if (sound.audio.paused) sound.audio.play().catch(() => {}); else sound.audio.pause(); }));
    Object.assign(seeking, timeline);
    place.replaceChildren(timeline.element);
  }).catch(() => place.replaceChildren(make("p", { class: "soft", text: "The levels of this call cannot be shown by this browser." })));
  const step = (name, label, to) => make("button", { type: "button", class: "compact quiet", disabled: !to, on: { click: () => to?.() } }, name === "back" && icon(name), label, name === "next" && icon(name));
  return make("div", { class: "opened" },
    make("div", { class: "row apart wrap" }, make("div", { class: "grow" },
      make("h3", { class: "said", tabindex: "-1" }, `Call ${call.number}`, call.scenario && make("span", { class: "soft", text: ` · ${call.scenario}` })),
    make("p", { class: "soft small said" }, make("span", { class: "mono", text: call.call_id }), ` · ${when(call.started_at)} · ${call.end}${call.end_detail ? `: ${call.end_detail}` : ""}`)),
      make("div", { class: "row" }, step("back", "Previous", before), step("next", "Next", after), step("", "Close", close))),
    call.failures.length ? make("div", { class: "notice bad" }, icon("invalid"), make("ul", { "aria-label": "Why this call failed" }, call.failures.map((text) => make("li", { class: "said" }, worded(text))))) : null,
    call.remarks.length ? make("div", { class: "notice" }, icon("invalid"), make("ul", { "aria-label": "What the harness could not do" }, call.remarks.map((text) => make("li", { class: "said" }, worded(text))))) : null,
    place,
    legendOf(call),
    sound?.element,
    factsOf(call, run),
    rulesOf(call, run),
    eventsOf(call, (ms) => seeking.seek(ms)),
  );
}
