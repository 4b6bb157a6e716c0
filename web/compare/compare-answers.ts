/** Everything Compare asks the server, from its state. */
import { type DiffMode, sidesOf } from '../../profile/flame/diff.ts';
import type { FlameGraph } from '../../profile/flame/flame-graph.ts';
import type { ProfileTypeJson } from '../../wire/http.ts';
import { type Selection, useDiff, useSeries } from '../answers.ts';
import { useClock } from '../parts/hooks.ts';
import { readSelected, type Selected } from '../query/selected.ts';
import { alignRange, chooseStepMs, isRelative, type Range, resolveRange } from '../time.ts';
import type { CompareSide, CompareState } from '../url-state.ts';

const SERIES_POINTS = 160;
/** A comparison stays as it is until it is asked for again: a moving base would mislead. */
const NEVER_MS = 86_400_000;
const ALIGN_MS = 1000;

const never = () => false;

export interface ComparedSide {
  selected: Selected;
  range: Range;
  selection: Selection | null;
}

function sideOf(side: CompareSide, types: readonly ProfileTypeJson[], nowMs: number): ComparedSide {
  const selected = readSelected(side.query, types);
  const resolved = resolveRange(side.range, nowMs);
  const range = isRelative(side.range) ? alignRange(resolved, ALIGN_MS) : resolved;
  const selection = selected.query === '' ? null : { query: selected.query, range };
  return { selected, range, selection };
}

export function useCompareAnswers(state: CompareState, types: readonly ProfileTypeJson[]) {
  const clock = useClock(NEVER_MS, false, never);
  const a = sideOf(state.a, types, clock.nowMs);
  const b = sideOf(state.b, types, clock.nowMs);
  const longest = Math.max(a.range.toMs - a.range.fromMs, b.range.toMs - b.range.fromMs);
  const stepMs = chooseStepMs({ fromMs: 0, toMs: longest }, SERIES_POINTS);
  const seriesA = useSeries(a.selection, { stepMs, limit: 1 });
  const seriesB = useSeries(b.selection, { stepMs, limit: 1 });
  const diff = useDiff(
    a.selection === null || b.selection === null
      ? null
      : { a: a.selection, b: b.selection, mode: state.mode, lines: state.lines },
  );
  return { clock, a, b, longest, stepMs, seriesA, seriesB, diff };
}

export type CompareAnswers = ReturnType<typeof useCompareAnswers>;

/** Units per second of each side (of a gauge, the mean), from the graph's own totals. */
export function averagesOf(graph: FlameGraph, gauge: boolean): { a: number; b: number } {
  const sides = sidesOf(graph);
  const average = ({ total, multiplier, seconds }: typeof sides.a) =>
    gauge || seconds <= 0 ? total * multiplier : (total * multiplier) / seconds;
  return { a: average(sides.a), b: average(sides.b) };
}

export const MODES: readonly { mode: DiffMode; title: string }[] = [
  { mode: 'share', title: 'share' },
  { mode: 'rate', title: 'per second' },
  { mode: 'absolute', title: 'in total' },
];
