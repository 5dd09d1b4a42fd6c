// The levels of both sides: unpacked when a call is looked at, and what follows from them.

const FRAME_MS = 20;

async function unpack(packed) {
  if (!packed) return new Int8Array(0);
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const steps = new Uint8Array(await new Response(stream).arrayBuffer());
  return Int8Array.from(steps, (step) => -step);
}

/** {caller, bot}: dBov of every 20 ms. */
async function levelsOf(call) {
  const [caller, bot] = await Promise.all([unpack(call.caller), unpack(call.bot)]);
  return { caller, bot };
}

/** Where utterances of both sides, as [from, to], lie over each other. */
function overlaps(one, other) {
  const found = [];
  let first = 0;
  let second = 0;
  while (first < one.length && second < other.length) {
    const begin = Math.max(one[first][0], other[second][0]);
    const end = Math.min(one[first][1], other[second][1]);
    if (end > begin) found.push([begin, end]);
    if (one[first][1] < other[second][1]) first += 1;
    else second += 1;
  }
  return found;
}

/** 0…1: what is very quiet still shows, what is loud does not fill the whole strip. */
const loudness = (dbov) => Math.max(0, Math.min(1, (dbov + 66) / 60)) ** 1.6;

/** A waveform's outline about the line `middle`: the loudest frame of every column, `columns` of them. */
function outline(levels, columns, perFrame, middle, half) {
  const path = [];
  for (let x = 0; x < columns; x += 3) {
    const from = Math.floor(x / perFrame);
    const until = Math.max(from + 1, Math.floor((x + 3) / perFrame));
    if (from >= levels.length) break;
    let peak = -127;
    for (let at = from; at < until && at < levels.length; at += 1) if (levels[at] > peak) peak = levels[at];
    const height = loudness(peak) * half;
    if (height > 0.4) path.push(`M${x + 1.5} ${(middle - height).toFixed(1)}V${(middle + height).toFixed(1)}`);
  }
  return path.join("");
}
