/** Times in parameters: epoch ms, RFC 3339, or `now` less a duration; ranges are from <= t < to. */
import { EverflameError } from '../errors.ts';
import type { EpochMs, TimeRange } from '../units.ts';

/** What a range is where a request gives none. */
export const DEFAULT_FROM = 'now-1h';
export const DEFAULT_TO = 'now';

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const RELATIVE = /^now(?:([+-])((?:\d{1,15}(?:ms|[smhdw]))+))?$/;
const TERM = /(\d+)(ms|[smhdw])/g;
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;
/** The largest time that JavaScript's dates hold. */
const MAX_EPOCH_MS = 8_640_000_000_000_000;

/** Reads one time; `field` names the parameter in errors. */
export function parseTime(text: string, nowMs: number, field: string): EpochMs {
  const trimmed = text.trim();
  const ms = readEpoch(trimmed) ?? readRelative(trimmed, nowMs) ?? readRfc3339(trimmed);
  if (ms === null || !(ms >= 0 && ms <= MAX_EPOCH_MS)) {
    throw new EverflameError('invalid', `"${text.slice(0, 80)}" is not a time`, {
      field,
      remedy: 'Write epoch milliseconds, RFC 3339 as 2026-01-31T12:00:00Z, or now-1h30m.',
    });
  }
  return Math.trunc(ms) as EpochMs;
}

function readEpoch(text: string): number | null {
  return /^\d{1,16}$/.test(text) ? Number(text) : null;
}

/** Whether the time moves with the clock. */
export function isRelative(text: string): boolean {
  return RELATIVE.test(text.trim());
}

function readRelative(text: string, nowMs: number): number | null {
  const match = RELATIVE.exec(text);
  if (match === null) return null;
  let offset = 0;
  for (const [, digits, unit] of (match[2] ?? '').matchAll(TERM)) {
    offset += Number(digits) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  return match[1] === '+' ? nowMs + offset : nowMs - offset;
}

function readRfc3339(text: string): number | null {
  if (!RFC_3339.test(text)) return null;
  const ms = Date.parse(text.replace(' ', 'T').toUpperCase());
  return Number.isNaN(ms) ? null : ms;
}

/** Reads a range and refuses an empty one. `fields` name the two parameters. */
export function parseRange(
  from: string | undefined,
  to: string | undefined,
  nowMs: number,
  fields: { from: string; to: string } = { from: 'from', to: 'to' },
): TimeRange {
  const range = {
    from: parseTime(from ?? DEFAULT_FROM, nowMs, fields.from),
    to: parseTime(to ?? DEFAULT_TO, nowMs, fields.to),
  };
  if (range.from >= range.to) {
    const [fromText, toText] = [range.from, range.to].map((ms) => new Date(ms).toISOString());
    throw new EverflameError('invalid', `${fields.from} (${fromText}) is not before ${toText}`, {
      field: fields.from,
      remedy: `Ranges are ${fields.from} <= t < ${fields.to}.`,
    });
  }
  return range;
}
