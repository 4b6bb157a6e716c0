/** Everything Explore asks the server, from its state. */
import { useState } from 'react';
import type { ProfileTypeJson, SeriesJson } from '../../wire/http.ts';
import { queryClient, type Selection, useFlame, useLabelNames, useSeries } from '../answers.ts';
import { useClock } from '../parts/hooks.ts';
import { readSelected, writeQuery } from '../query/selected.ts';
import { alignRange, chooseStepMs, isRelative, type Range, resolveRange } from '../time.ts';
import type { ExploreState } from '../url-state.ts';

export const REFRESH_MS = 10_000;
const SERIES_POINTS = 240;
/** Values of the label panel that have a row of their own. */
const LABEL_VALUES = 50;

const isIdle = () => queryClient.isFetching() === 0;

export function useExploreAnswers(state: ExploreState, types: readonly ProfileTypeJson[]) {
  const relative = isRelative(state.range);
  const live = relative && !state.paused;
  const clock = useClock(REFRESH_MS, live, isIdle);
  const selected = readSelected(state.query, types);
  const resolved = resolveRange(state.range, clock.nowMs);
  const stepMs = chooseStepMs(resolved, SERIES_POINTS);
  const range = relative ? alignRange(resolved, Math.min(stepMs, REFRESH_MS)) : resolved;
  const shown = state.brush ?? range;
  // A text that is no selector is asked for too: the server says what is wrong with it.
  const ready = selected.query !== '';
  const whole: Selection | null = ready ? { query: selected.query, range } : null;
  const part: Selection | null = ready ? { query: selected.query, range: shown } : null;
  const series = useSeries(whole === null ? null : { ...whole, range: alignRange(range, stepMs) }, {
    stepMs,
    limit: 1,
  });
  const spanMs = Math.max(1000, shown.toMs - shown.fromMs);
  const labels = useSeries(part, { stepMs: spanMs, by: state.by, limit: LABEL_VALUES });
  const names = useLabelNames(
    selected.type === null ? null : { query: writeQuery(selected.type, []), range },
  );
  const flame = useFlame(part, state);
  const coveredMs = coveredTime(series.data, shown, labels.data?.covered_ms ?? 0);
  return {
    selected,
    /** Time of the shown part that profiles cover: what averages are over. */
    seconds: Math.max(1, coveredMs) / 1000,
    partlyCovered: coveredMs < (shown.toMs - shown.fromMs) * 0.9,
    live,
    relative,
    clock,
    range,
    shown,
    stepMs,
    part,
    series,
    labels,
    names: names.data?.values ?? [],
    flame,
  };
}

/**
 * What the profiles tell of a range, in ms; else the steps with profiles in it, which are longer;
 * all of the range where nothing is known.
 */
export function coveredTime(series: SeriesJson | undefined, shown: Range, toldMs: number): number {
  if (toldMs > 0) return toldMs;
  const whole = shown.toMs - shown.fromMs;
  const line = series?.series[0];
  if (series === undefined || line === undefined) return whole;
  let covered = 0;
  for (const [step, value] of line.value.entries()) {
    const fromMs = Math.max(series.ts_ms[step] ?? 0, shown.fromMs);
    const toMs = Math.min((series.ts_ms[step] ?? 0) + series.step_ms, shown.toMs);
    if (value !== null && toMs > fromMs) covered += toMs - fromMs;
  }
  return covered === 0 ? whole : Math.min(covered, whole);
}

export type ExploreAnswers = ReturnType<typeof useExploreAnswers>;

/**
 * The last good value of an answer, so that a failed refresh does not take the page away. `key`
 * says what was asked for: another question starts from nothing.
 */
export function useLastGood<T>(key: string, value: T | undefined): T | undefined {
  const [last, setLast] = useState<{ key: string; value: T } | null>(null);
  if (value !== undefined && (last?.key !== key || last.value !== value)) {
    setLast({ key, value });
  }
  return value ?? (last?.key === key ? last.value : undefined);
}
