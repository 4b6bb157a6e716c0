/** Durations as people write them: `10s`, `1h30m`, `30d`. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds, or null for what is no duration. 0 is allowed without a unit. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d{1,15}(?:\.\d{1,9})?)(ms|[smhdw])/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) return null;
  const sum = parts.reduce((ms, [, n, unit]) => ms + Number(n) * (UNIT_MS[unit ?? ''] ?? 0), 0);
  return Math.round(sum);
}
