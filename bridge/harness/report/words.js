// How figures and times are written, and what things are called.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

const known = (value) => typeof value === "number" && Number.isFinite(value);

/** A duration in ms as people read it: 812 ms, 12.3 s, 4 min 5 s. */
function duration(ms) {
  if (!known(ms)) return "–";
  if (Math.abs(ms) < 10 && ms % 1) return `${tenths.format(ms)} ms`;
  if (Math.abs(ms) < 10000) return `${whole.format(ms)} ms`;
  if (Math.abs(ms) < 60000) return `${tenths.format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${whole.format(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** A figure in its unit. */
function figure(value, unit) {
  if (!known(value)) return "–";
  if (unit === "ms") return duration(value);
  if (unit === "s") return `${hundredths.format(value)} s`;
  if (unit === "%") return `${tenths.format(value)} %`;
  return hundredths.format(value);
}

const clock = (ms) => `${(Math.max(0, ms) / 1000).toFixed(2)} s`;
const axisTime = (ms) => (ms >= 60000 ? `${Math.floor(ms / 60000)}:${String(Math.round((ms % 60000) / 1000)).padStart(2, "0")}` : `${tenths.format(ms / 1000)} s`);

/** Texts that differ in their numbers only are one. */
const alike = (text) => text.replace(/ \(× [\d,]+\)/gu, "").replace(/\d+(?:[.,]\d+)*/gu, "…");

const plural = (count, one, many = `${one}s`) => `${whole.format(count)} ${count === 1 ? one : many}`;

/** Unix seconds, in UTC, so that everybody who gets the page reads the same. */
function when(seconds) {
  try {
    const written = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });
    return `${written.format(new Date(seconds * 1000))} UTC`;
  } catch {
    return "–";
  }
}

function bytes(count) {
  if (!known(count)) return "–";
  if (count < 10000) return `${whole.format(count)} B`;
  return count < 1e7 ? `${whole.format(count / 1000)} kB` : `${tenths.format(count / 1e6)} MB`;
}

/** What a level sounds like, for the readout. */
const level = (dbov) => (dbov === null ? "–" : dbov <= -90 ? "silent" : `−${-dbov} dBov`);

const KINDS = {
  mark: ["Checkpoint sent", "diamond"],
  checkpoint: ["Checkpoint sent", "diamond"],
  played: ["Checkpoint played", "full-diamond"],
  clear: ["Bot clears", "bar"],
  cleared: ["Cleared", "full-bar"],
  digit: ["Digit", "ring"],
  fault: ["Fault injected", "full-triangle"],
  step: ["Step", "tick"],
  violation: ["Violation", "cross"],
  noted: ["Violation, counted only", "cross"],
  conduct: ["Conduct", "full-triangle"],
  failure: ["Failure", "cross"],
  gap: ["Gap in the bot’s sound", "gap"],
  redialled: ["Dialled again", "ring"],
  "left out": ["Not kept", "dot"],
  stream: ["Stream begun by the answer", "ring"],
  redirected: ["Redirected", "ring"],
  fallback: ["Fallback asked", "full-triangle"],
  unsupported: ["Not carried out", "full-triangle"],
  callback: ["Callback", "dot"],
  ended: ["Ended", "full-bar"],
  answer: ["Response", "dot"],
  unanswered: ["No response", "cross"],
  barge_in: ["Barge-in", "dot"],
};

/** What a kind of moment is called, and its sign. */
function kindOf(kind) {
  if (Object.hasOwn(KINDS, kind)) return { known: true, title: KINDS[kind][0], sign: KINDS[kind][1] };
  return { known: false, title: kind, sign: "dot" };
}
