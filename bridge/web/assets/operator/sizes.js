// Numbers of bytes as people read them.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Bytes, with three digits at the most where there are more than a thousand. */
export function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}
