/** Which two times a comparison is about. */
import type { SeriesJson } from '../../wire/http.ts';
import { absoluteRange, isRelative, type Range, type RangeText } from '../time.ts';
import { type CompareState, DEFAULT_COMPARE } from '../url-state.ts';

export type PresetName = 'previous' | 'yesterday' | 'week';

export const COMPARE_PRESETS: readonly { name: PresetName; title: string }[] = [
  { name: 'previous', title: 'The period before' },
  { name: 'yesterday', title: 'The same time yesterday' },
  { name: 'week', title: 'The same time last week' },
];

const DAY_MS = 86_400_000;

/** The range of side A for a preset, from side B's. */
export function presetRange(name: PresetName, b: Range): Range {
  const lengthMs = b.toMs - b.fromMs;
  const back = { previous: lengthMs, yesterday: DAY_MS, week: 7 * DAY_MS }[name];
  return { fromMs: b.fromMs - back, toMs: b.toMs - back };
}

const RELATIVE_PARTS = /^now-(\d+)([smhd])$/;

/** From a page that shows one selection to a comparison of it with the period before. */
export function compareWithPrevious(
  query: string,
  text: RangeText,
  shown: Range,
  brush: Range | null,
): CompareState {
  const relative = brush === null && isRelative(text) ? RELATIVE_PARTS.exec(text.from) : null;
  if (relative) {
    const from = `now-${Number(relative[1]) * 2}${relative[2]}`;
    return {
      ...DEFAULT_COMPARE,
      a: { query, range: { from, to: text.from } },
      b: { query, range: text },
    };
  }
  return {
    ...DEFAULT_COMPARE,
    a: { query, range: absoluteRange(presetRange('previous', shown)) },
    b: { query, range: absoluteRange(shown) },
  };
}

/** The two halves of the time in which a series has values; null without two steps. */
export function coveredHalves(series: SeriesJson | undefined): { a: Range; b: Range } | null {
  const values = series?.series[0]?.value ?? [];
  const first = values.findIndex((value) => value !== null);
  const last = values.findLastIndex((value) => value !== null);
  if (series === undefined || first < 0 || last <= first) return null;
  const fromMs = series.ts_ms[first] ?? series.from_ms;
  const toMs = (series.ts_ms[last] ?? series.to_ms) + series.step_ms;
  const middle = Math.round((fromMs + toMs) / 2);
  return { a: { fromMs, toMs: middle }, b: { fromMs: middle, toMs } };
}
