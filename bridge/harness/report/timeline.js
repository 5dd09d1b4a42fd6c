// One call over its time: the caller above, the bot below, between them who answered whom and when.

const SIGN = 5;
const MOST_WIDE = 24000;

const SIGNS = {
  diamond: `M0 ${-SIGN}L${SIGN} 0L0 ${SIGN}L${-SIGN} 0Z`,
  "full-diamond": `M0 ${-SIGN}L${SIGN} 0L0 ${SIGN}L${-SIGN} 0Z`,
  bar: "M-4 -5H4V5H-4Z",
  "full-bar": "M-4 -5H4V5H-4Z",
  ring: "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
  "full-triangle": "M0 -5L5.5 4.5H-5.5Z",
  gap: "M-5 -4.5V4.5M5 -4.5V4.5M-1.5 0H1.5",
  tick: "M0 -5V5",
  cross: "M-4 -4L4 4M4 -4L-4 4",
  dot: "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
};

const signClass = (kind) => `sign ${kindOf(kind).sign} k-${kindOf(kind).known ? kind.replace(" ", "-") : "other"}`;

function signMark(kind) {
  return draw("svg", { class: "mark", viewBox: "-7 -7 14 14", "aria-hidden": "true" },
    draw("path", { d: SIGNS[kindOf(kind).sign], class: signClass(kind) }));
}

/** Everything that happened in a call, in order: its moments, its responses and its barge-ins. */
function happenings(call) {
  const found = call.timeline.map(([at, kind, text]) => ({ at, until: at, kind, text }));
  for (const response of call.responses) {
    const answered = known(response.heard_ms);
    const arrived = known(response.arrived_ms) ? `, arrived after ${duration(response.arrived_ms)}` : "";
    found.push(answered
      ? { at: response.asked_ms, until: response.asked_ms + response.heard_ms, kind: "answer", text: `heard after ${duration(response.heard_ms)}${arrived}` }
      : { at: response.asked_ms, until: response.asked_ms, kind: "unanswered", text: `the bot was never heard${arrived}` });
  }
  for (const one of call.barge_ins) {
    const cleared = known(one.clear_ms) ? `cleared after ${duration(one.clear_ms)}` : "never cleared";
    const silent = known(one.silence_ms) ? `not heard any more after ${duration(one.silence_ms)}` : "the bot went on";
    found.push({ at: one.at_ms, until: one.at_ms + (one.silence_ms ?? 0), kind: "barge_in", text: `${cleared}, ${silent}` });
  }
  return found.sort((one, other) => one.at - other.at);
}

/** Places of the lanes, from top to bottom; those with nothing in them take no room. */
function lanesOf(call, rows) {
  const lanes = { axis: 14, caller: { middle: 50, half: 27 }, callerSpeech: 80 };
  let y = 92;
  if (call.responses.length) { lanes.responses = y; y += 24; }
  if (call.barge_ins.length) { lanes.bargeIns = y; y += 24; }
  lanes.botSpeech = y;
  lanes.bot = { middle: y + 34, half: 27 };
  y += 70;
  lanes.events = y + 6;
  lanes.height = y + (rows ? rows * 18 + 6 : 4);
  return lanes;
}

/** Give each moment a row so that no sign lies on another; at most four rows. */
function rowsOf(moments, x) {
  const last = [];
  for (const moment of moments) {
    const at = x(moment.at);
    let row = last.findIndex((end) => at - end >= 13);
    if (row < 0) row = last.length < 4 ? last.length : 3;
    last[row] = at;
    moment.row = row;
  }
  return last.length;
}

/**
 * The timeline of one call: {element, show(ms)}. `onSeek(ms)` is told where people point, `onPlay` called
 * for the space bar, if there is something to play; `limits` are the thresholds on the response delay.
 */
function timelineOf(call, levels, limits, onSeek, onPlay) {
  const all = happenings(call);
  const moments = all.filter((one) => !["answer", "unanswered", "barge_in"].includes(one.kind));
  const { caller_speech: caller, bot_speech: bot } = call;
  const total = Math.max(call.duration_ms, levels.caller.length * FRAME_MS, levels.bot.length * FRAME_MS, ...all.map((one) => one.until), 1000);
  const state = { zoom: 1, at: 0, width: 0, perMs: 1, cursor: null, pointed: false };

  const readout = make("p", { class: "readout figures", "aria-hidden": "true" });
  readout.append(make("span", { class: "soft", text: onPlay ? "Point into the timeline, or use the arrow keys; the space bar plays." : "Point into the timeline, or use the arrow keys." }));
  const scroller = make("div", { class: "scroller", role: "slider", tabindex: "0", "aria-label": `Timeline of call ${call.number}`,
    "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": String(Math.round(total)) });
  const gutter = make("div", { class: "gutter", "aria-hidden": "true" });
  const zooms = make("div", { class: "zooms", role: "group", "aria-label": "Zoom" },
    make("button", { type: "button", class: "square compact quiet", "aria-label": "Zoom out", on: { click: () => zoom(state.zoom / 2) } }, icon("wider")),
    make("button", { type: "button", class: "square compact quiet", "aria-label": "Zoom in", on: { click: () => zoom(state.zoom * 2) } }, icon("closer")));
  const element = make("div", { class: "timeline" },
    make("div", { class: "above" }, readout, zooms), make("div", { class: "strips" }, gutter, scroller));

  const levelAt = (side, ms) => {
    const frame = Math.floor(ms / FRAME_MS);
    return frame < side.length ? side[frame] : null;
  };
  const nearby = (ms) => {
    const reach = Math.max(FRAME_MS, 6 / state.perMs);
    return all.filter((one) => ms >= one.at - reach && ms <= one.until + reach).slice(0, 3);
  };

  function show(ms, follow = false) {
    state.pointed = true;
    state.at = Math.max(0, Math.min(total, ms));
    const near = nearby(state.at);
    const sides = [`caller ${level(levelAt(levels.caller, state.at))}`, `bot ${level(levelAt(levels.bot, state.at))}`];
    readout.replaceChildren(
      make("b", { text: clock(state.at) }),
      make("span", { class: "of-caller", text: sides[0] }),
      make("span", { class: "of-bot", text: sides[1] }),
      ...near.map((one) => make("span", { class: "said" }, signMark(one.kind), make("span", { text: `${kindOf(one.kind).title}${one.text ? `: ${one.text}` : ""}` }))),
    );
    scroller.setAttribute("aria-valuenow", String(Math.round(state.at)));
    scroller.setAttribute("aria-valuetext", [clock(state.at), ...sides, ...near.map((one) => `${kindOf(one.kind).title} ${one.text}`)].join(", "));
    const x = state.at * state.perMs;
    state.cursor?.setAttribute("class", "cursor");
    state.cursor?.setAttribute("transform", `translate(${x.toFixed(1)} 0)`);
    if (follow && (x < scroller.scrollLeft + 20 || x > scroller.scrollLeft + state.width - 20)) scroller.scrollLeft = x - state.width / 3;
  }

  function seek(ms, follow = true) {
    show(ms, follow);
    onSeek(state.at);
  }

  function zoom(to) {
    const most = Math.max(1, MOST_WIDE / Math.max(1, state.width));
    state.zoom = Math.max(1, Math.min(most, 64, to));
    render();
    scroller.scrollLeft = state.at * state.perMs - state.width / 2;
    zooms.firstElementChild.disabled = state.zoom <= 1;
    zooms.lastElementChild.disabled = state.zoom >= Math.min(most, 64);
  }

  function render() {
    const wide = Math.floor(state.width * state.zoom);
    state.perMs = wide / total;
    const x = (ms) => ms * state.perMs;
    const lanes = lanesOf(call, rowsOf(moments, x));
    const svg = draw("svg", { width: wide, height: lanes.height, viewBox: `0 0 ${wide} ${lanes.height}`, "aria-hidden": "true" });
    const frame = FRAME_MS * state.perMs;
    for (const at of timeTicks(total, Math.max(2, wide / 84))) {
      svg.append(shapes.line(x(at), 20, x(at), lanes.height, "rule"), x(at) > wide - 34 ? "" : shapes.text(x(at) + 3, lanes.axis, axisTime(at), "tick"));
    }
    for (const [begin, end] of overlaps(caller, bot)) {
      svg.append(draw("rect", { x: x(begin), y: 22, width: Math.max(2, x(end - begin)), height: lanes.bot.middle + 28 - 22, class: "overtalk" }));
    }
    for (const one of moments) {
      if (["clear", "violation", "fault", "failure"].includes(one.kind)) svg.append(shapes.line(x(one.at), 22, x(one.at), lanes.events + one.row * 18, `drop k-${one.kind}`));
    }
    for (const [side, place, found, bar, kind] of [
      [levels.caller, lanes.caller, caller, lanes.callerSpeech, "caller"],
      [levels.bot, lanes.bot, bot, lanes.botSpeech, "bot"],
    ]) {
      svg.append(
        shapes.line(0, place.middle, wide, place.middle, "middle"),
        draw("path", { d: outline(side, wide, frame, place.middle, place.half), class: `wave ${kind}` }),
        draw("path", { d: found.map(([begin, end]) => `M${x(begin).toFixed(1)} ${bar}h${Math.max(1, x(end - begin)).toFixed(1)}`).join(""), class: `speech ${kind}` }),
      );
    }
    renderResponses(svg, lanes, x);
    renderBargeIns(svg, lanes, x);
    for (const one of moments) {
      svg.append(draw("path", { d: SIGNS[kindOf(one.kind).sign], class: signClass(one.kind),
        transform: `translate(${x(one.at).toFixed(1)} ${lanes.events + 7 + one.row * 18})` }));
    }
    state.cursor = draw("g", { class: "cursor unset" }, shapes.line(0, 18, 0, lanes.height, ""), draw("path", { d: "M-5 12H5L0 19Z" }));
    svg.append(state.cursor);
    scroller.replaceChildren(svg);
    renderGutter(lanes);
    if (state.pointed) show(state.at);
    else scroller.setAttribute("aria-valuenow", "0");
  }

  function renderResponses(svg, lanes, x) {
    call.responses.forEach((response, index) => {
      const left = x(response.asked_ms);
      const next = index + 1 < call.responses.length ? x(call.responses[index + 1].asked_ms) : Infinity;
      if (!known(response.heard_ms)) {
        svg.append(draw("path", { d: `M${left} ${lanes.responses + 9}h${Math.max(10, Math.min(next - left - 6, 46))}`, class: "never" }));
        if (next - left > 96) svg.append(shapes.text(left + 50, lanes.responses + 13, "never", "span-label bad"));
        return;
      }
      const slow = beyond(limits, response.heard_ms);
      const size = Math.max(2, x(response.heard_ms));
      const text = duration(response.heard_ms);
      svg.append(draw("rect", { x: left, y: lanes.responses, width: size, height: 18, rx: 3, class: slow ? "span slow" : "span" }));
      if (known(response.arrived_ms) && response.arrived_ms < response.heard_ms) {
        svg.append(shapes.line(left + x(response.arrived_ms), lanes.responses + 2, left + x(response.arrived_ms), lanes.responses + 16, "arrived"));
      }
      label(svg, text, left, size, next, lanes.responses + 13, slow ? "span-label bad" : "span-label");
    });
  }

  function renderBargeIns(svg, lanes, x) {
    call.barge_ins.forEach((one, index) => {
      const left = x(one.at_ms);
      const next = index + 1 < call.barge_ins.length ? x(call.barge_ins[index + 1].at_ms) : Infinity;
      const stopped = known(one.silence_ms);
      const size = stopped ? Math.max(2, x(one.silence_ms)) : Math.max(10, Math.min(next - left - 6, 46));
      svg.append(stopped
        ? draw("rect", { x: left, y: lanes.bargeIns, width: size, height: 18, rx: 3, class: "span barge" })
        : draw("path", { d: `M${left} ${lanes.bargeIns + 9}h${size}`, class: "never" }));
      if (known(one.clear_ms)) svg.append(shapes.line(left + x(one.clear_ms), lanes.bargeIns + 2, left + x(one.clear_ms), lanes.bargeIns + 16, "arrived"));
      label(svg, stopped ? duration(one.silence_ms) : "went on", left, size, next, lanes.bargeIns + 13, stopped ? "span-label" : "span-label bad");
    });
  }

  /** Within its span where it fits, behind it where there is room, else left to the readout. */
  function label(svg, text, left, size, next, y, kind) {
    const needs = text.length * 6.6 + 8;
    if (needs <= size) svg.append(shapes.text(left + size / 2, y, text, kind, "middle"));
    else if (left + size + needs < next && left + size + needs < state.width * state.zoom) svg.append(shapes.text(left + size + 4, y, text, kind));
  }

  function renderGutter(lanes) {
    const at = (top, text, kind = "") => make("span", { class: kind, vars: { "--top": `${top}px` }, text });
    gutter.replaceChildren(
      at(lanes.caller.middle, "Caller", "of-caller"),
      ...(lanes.responses ? [at(lanes.responses + 9, "Response")] : []),
      ...(lanes.bargeIns ? [at(lanes.bargeIns + 9, "Barge-in")] : []),
      at(lanes.bot.middle, "Bot", "of-bot"),
      ...(moments.length ? [at(lanes.events + 7, "Events")] : []),
    );
  }

  const msAt = (event) => (event.clientX - scroller.getBoundingClientRect().left + scroller.scrollLeft) / state.perMs;
  scroller.addEventListener("pointermove", (event) => show(msAt(event)));
  scroller.addEventListener("click", (event) => seek(msAt(event), false));
  scroller.addEventListener("focus", () => show(state.at));
  scroller.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 1000 : 100;
    const places = all.map((one) => one.at);
    const to = {
      ArrowRight: () => state.at + step,
      ArrowLeft: () => state.at - step,
      ArrowUp: () => state.at + FRAME_MS,
      ArrowDown: () => state.at - FRAME_MS,
      PageDown: () => places.find((at) => at > state.at + 0.5) ?? total,
      PageUp: () => places.findLast((at) => at < state.at - 0.5) ?? 0,
      Home: () => 0,
      End: () => total,
    }[event.key];
    if (to && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      seek(to());
    } else if (event.key === " " && onPlay) {
      event.preventDefault();
      onPlay();
    } else if (event.key === "+" || event.key === "-") {
      event.preventDefault();
      zoom(event.key === "+" ? state.zoom * 2 : state.zoom / 2);
    }
  });

  new ResizeObserver(() => {
    const width = Math.floor(scroller.clientWidth);
    if (width < 1 || width === state.width) return;
    const first = state.width === 0;
    state.width = width;
    // On a narrow window a long call begins a little closer, so that responses can be made out.
    zoom(first ? Math.max(1, Math.min(8, (total * 0.014) / width)) : state.zoom);
  }).observe(scroller);

  return { element, show: (ms) => show(ms, true), seek };
}
