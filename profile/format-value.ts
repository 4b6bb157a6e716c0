/** Numbers for people: scaled to a unit that keeps them short, never more exact than they are. */

const THOUSANDS = ['', 'k', 'M', 'G', 'T', 'P'];
const TIMES: readonly [ns: number, symbol: string][] = [
  [3600e9, 'h'],
  [60e9, 'min'],
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
];
const NS_PER: Readonly<Record<string, number>> = {
  nanoseconds: 1,
  microseconds: 1e3,
  milliseconds: 1e6,
  seconds: 1e9,
};

/** E.g. `12.3 s`, `4.56 GB`, `1.23 M`; units other than time and bytes stand behind as they are. */
export function formatValue(value: number, unit: string): string {
  if (value < 0) return `\u2212${formatValue(-value, unit)}`;
  const ns = NS_PER[unit];
  if (ns !== undefined) return formatDuration(value * ns);
  if (unit === 'bytes') return `${scaled(value, 1000)}B`;
  const text = scaled(value, 1000).trimEnd();
  return unit === 'count' || unit === '' ? text : `${text} ${unit}`;
}

/** A duration in nanoseconds, in the largest unit in which it is at least 1. */
export function formatDuration(ns: number): string {
  for (const [size, symbol] of TIMES) {
    if (ns >= size) return `${digits(ns / size)} ${symbol}`;
  }
  return ns === 0 ? '0 s' : `${digits(ns)} ns`;
}

function scaled(value: number, base: number): string {
  let power = 0;
  let rest = value;
  // 999.5 would print as 1000.
  while (rest >= base - 0.5 && power < THOUSANDS.length - 1) {
    rest /= base;
    power++;
  }
  return `${digits(rest)} ${THOUSANDS[power]}`;
}

/** Three significant digits, as many as a sampled figure is usually worth. */
function digits(value: number): string {
  if (Number.isInteger(value) || value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** A share of 1 in percent: `12.3 %`, `4.56 %`. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(Math.abs(share) < 0.0995 ? 2 : 1)} %`;
}

/** A whole number with a narrow space at every third digit. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** With its sign always, as a change is written. */
export function formatChange(delta: number, places = 2): string {
  return `${delta < 0 ? '\u2212' : '+'}${Math.abs(delta).toFixed(places)}`;
}
