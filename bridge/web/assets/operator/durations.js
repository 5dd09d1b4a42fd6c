// Stretches of time as people read them.

const pad = (number) => String(number).padStart(2, "0");
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** Milliseconds, as seconds where there are many. */
export const ms = (value) => (value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`);

/** Seconds in two units at the most. */
export function lasting(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

/** A place in a recording: `4:07`, `1:04:07`. */
export function place(seconds) {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** Unix milliseconds → the time of day. */
export const timeOfDay = (unixMs) => clock.format(new Date(unixMs));
