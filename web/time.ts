/** Time ranges as the URL has them (`now-1h`, epoch ms) and as a query needs them. */
import { EverflameError } from '../profile/errors.ts';
import { parseTime } from '../profile/select/time-range.ts';

export interface RangeText {
  from: string;
  to: string;
}

export interface Range {
  fromMs: number;
  toMs: number;
}

const MINUTE = 60_000;
export const DEFAULT_RANGE: RangeText = { from: 'now-1h', to: 'now' };

/** What the range menu offers. */
export const PRESETS: readonly { title: string; from: string }[] = [
  { title: 'Last 5 minutes', from: 'now-5m' },
  { title: 'Last 15 minutes', from: 'now-15m' },
  { title: 'Last 1 hour', from: 'now-1h' },
  { title: 'Last 3 hours', from: 'now-3h' },
  { title: 'Last 6 hours', from: 'now-6h' },
  { title: 'Last 12 hours', from: 'now-12h' },
  { title: 'Last 24 hours', from: 'now-24h' },
];

/** A time as profile/select/time-range.ts reads it; null where it cannot be read. */
export function resolveTime(text: string, nowMs: number): number | null {
  try {
    return parseTime(text, nowMs, 'time');
  } catch (error) {
    if (error instanceof EverflameError) return null;
    throw error;
  }
}

/** Both ends resolved; a range that cannot be read, or ends before it begins, is the default. */
export function resolveRange(range: RangeText, nowMs: number): Range {
  const from = resolveTime(range.from, nowMs);
  const to = resolveTime(range.to, nowMs);
  if (from !== null && to !== null && from < to) return { fromMs: from, toMs: to };
  return resolveRange(DEFAULT_RANGE, nowMs);
}

export function isRelative(range: RangeText): boolean {
  return range.to === 'now' && range.from.startsWith('now-');
}

export function absoluteRange({ fromMs, toMs }: Range): RangeText {
  return { from: String(Math.round(fromMs)), to: String(Math.round(toMs)) };
}

const STEPS_MS = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400].map(
  (seconds) => seconds * 1000,
);

/**
 * The step of a series: the smallest of the round ones that needs at most `points` steps. Not
 * under 10 s, the agents' window: finer steps would be empty in turn.
 */
export function chooseStepMs({ fromMs, toMs }: Range, points: number): number {
  const wanted = (toMs - fromMs) / Math.max(1, points);
  return STEPS_MS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400_000) * 86_400_000;
}

/** Ends moved to whole steps, so that no step is half full and refreshes ask for the same steps. */
export function alignRange({ fromMs, toMs }: Range, stepMs: number): Range {
  const to = Math.max(Math.floor(toMs / stepMs), 1) * stepMs;
  return { fromMs: Math.min(Math.floor(fromMs / stepMs) * stepMs, to - stepMs), toMs: to };
}

const TICKS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080].map(
  (minutes) => minutes * MINUTE,
);

/** Round moments in a range, at most `count`: of the reader's clock, or counted from `zeroMs`. */
export function chooseTicks({ fromMs, toMs }: Range, count: number, zeroMs?: number): number[] {
  const wanted = (toMs - fromMs) / Math.max(1, count);
  const tick =
    TICKS_MS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400_000) * 86_400_000;
  const offset = zeroMs ?? new Date(fromMs).getTimezoneOffset() * MINUTE;
  const ticks: number[] = [];
  for (let at = Math.ceil((fromMs - offset) / tick) * tick + offset; at < toMs; at += tick) {
    ticks.push(at);
  }
  return ticks;
}
