/** Timelines -> `SeriesJson`: the largest lines by total, the others as one, in exact sums. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EverflameError } from '../../profile/errors.ts';
import { MAX_SERIES_POINTS, MAX_SERIES_STEPS } from '../../profile/limits.ts';
import type { Aggregation } from '../../profile/select/profile-type.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type { TimelineGroup } from '../../store/store.ts';
import type { SeriesJson, SeriesLineJson } from '../../wire/http.ts';

/** Steps that people can read off an axis; the default is the first with at most 240 steps. */
const STEPS_MS = [
  10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800,
].map((seconds) => seconds * 1000);
const DEFAULT_STEPS = 240;
const MINUTE_MS = 60_000;

/** Points between two turns of the event loop: some milliseconds of sums. */
const POINTS_PER_TURN = 500_000;
/** Making one step of a line costs as much as adding up so many. */
const POINTS_PER_LINE_STEP = 20;

/** The step asked for, or one that suits the range. Throws where there would be too many. */
export function chooseStep(range: TimeRange, stepMs: number | undefined): number {
  const lengthMs = range.to - range.from;
  if (stepMs === undefined) {
    const suits = STEPS_MS.find((step) => lengthMs / step <= DEFAULT_STEPS);
    return suits ?? Math.ceil(lengthMs / DEFAULT_STEPS);
  }
  const steps = Math.ceil(lengthMs / stepMs);
  if (!(stepMs >= 1) || steps > MAX_SERIES_STEPS) {
    throw new EverflameError('unprocessable', `a step of ${stepMs} ms makes ${steps} steps`, {
      field: 'step',
      limit: `MAX_SERIES_STEPS = ${MAX_SERIES_STEPS}`,
      remedy: `Ask for a step of at least ${Math.ceil(lengthMs / MAX_SERIES_STEPS)} ms.`,
    });
  }
  return Math.floor(stepMs);
}

/** Begins with a whole minute where all steps can, and where that makes no step too many. */
export function alignToMinute(range: TimeRange, stepMs: number): TimeRange {
  const from = (Math.floor(range.from / MINUTE_MS) * MINUTE_MS) as EpochMs;
  const fits = Math.ceil((range.to - from) / stepMs) <= MAX_SERIES_STEPS;
  return stepMs % MINUTE_MS === 0 && fits ? { from, to: range.to } : range;
}

export interface SeriesFrame {
  range: TimeRange;
  stepMs: number;
  aggregation: Aggregation;
  limit: number;
}

/** The lines of the answer. Gives way to other work between parts of the sums. */
export async function summarizeTimelines(
  groups: readonly TimelineGroup[],
  frame: SeriesFrame,
): Promise<Pick<SeriesJson, 'step_ms' | 'ts_ms' | 'series' | 'rest'>> {
  const { range, stepMs, limit } = frame;
  const steps = Math.ceil((range.to - range.from) / stepMs);
  if ((Math.min(limit, groups.length) + 1) * steps > MAX_SERIES_POINTS) {
    throw new EverflameError('unprocessable', `${groups.length} lines of ${steps} steps`, {
      field: 'limit',
      limit: `MAX_SERIES_POINTS = ${MAX_SERIES_POINTS}`,
      remedy: 'Ask for fewer lines or a longer step.',
    });
  }
  const seconds = stepSeconds(frame, steps);
  const turn = new Turn();
  const totals = new Float64Array(groups.length);
  for (const [row, group] of groups.entries()) {
    totals[row] = totalOf(group.value, seconds, frame.aggregation);
    await turn.spend(steps);
  }
  const order = [...groups.keys()].sort(
    (a, b) => (totals[b] as number) - (totals[a] as number) || compareLabels(groups[a], groups[b]),
  );
  const others = order.slice(limit).map((row) => groups[row] as TimelineGroup);
  const line = (group: TimelineGroup): SeriesLineJson => toLine(group, seconds, frame.aggregation);
  const lines: SeriesLineJson[] = [];
  for (const row of order.slice(0, limit)) {
    lines.push(line(groups[row] as TimelineGroup));
    await turn.spend(steps * POINTS_PER_LINE_STEP);
  }
  return {
    step_ms: stepMs,
    ts_ms: Array.from({ length: steps }, (_, step) => range.from + step * stepMs),
    series: lines,
    rest:
      others.length === 0
        ? null
        : { ...line(await addUp(others, steps, turn)), count: others.length },
  };
}

/** So that lines with the same total come in one order, whichever was stored first. */
function compareLabels(a: TimelineGroup | undefined, b: TimelineGroup | undefined): number {
  return JSON.stringify(a?.labels) < JSON.stringify(b?.labels) ? -1 : 1;
}

/** Lengths of the steps; the last may be cut short by the range's end. */
function stepSeconds({ range, stepMs }: SeriesFrame, steps: number): Float64Array {
  return Float64Array.from({ length: steps }, (_, step) => {
    const start = range.from + step * stepMs;
    return (Math.min(start + stepMs, range.to) - start) / 1000;
  });
}

/** Sum of a delta; mean of a gauge over the time that profiles cover. */
function totalOf(value: Float64Array, seconds: Float64Array, aggregation: Aggregation): number {
  let sum = 0;
  let covered = 0;
  for (let step = 0; step < seconds.length; step++) {
    const at = value[step] as number;
    if (Number.isNaN(at)) continue;
    const weight = aggregation === 'gauge' ? (seconds[step] as number) : 1;
    sum += at * weight;
    covered += weight;
  }
  if (aggregation === 'delta') return sum;
  return covered > 0 ? sum / covered : 0;
}

function toLine(
  group: TimelineGroup,
  seconds: Float64Array,
  aggregation: Aggregation,
): SeriesLineJson {
  const value = orNull(group.value);
  const perSecond = value.map((at, step) => (at === null ? null : at / (seconds[step] as number)));
  return {
    labels: group.labels,
    total: totalOf(group.value, seconds, aggregation),
    value,
    rate: aggregation === 'delta' ? perSecond : value,
    samples: orNull(group.samples),
  };
}

function orNull(values: Float64Array): (number | null)[] {
  return Array.from(values, (value) => (Number.isNaN(value) ? null : value));
}

/** One line of many; a step that none covers stays uncovered. */
async function addUp(
  groups: readonly TimelineGroup[],
  steps: number,
  turn: Turn,
): Promise<TimelineGroup> {
  const value = new Float64Array(steps).fill(Number.NaN);
  const samples = new Float64Array(steps).fill(Number.NaN);
  for (const group of groups) {
    addTo(value, group.value);
    addTo(samples, group.samples);
    await turn.spend(steps * 2);
  }
  return { labels: {}, value, samples };
}

function addTo(sums: Float64Array, values: Float64Array): void {
  for (let step = 0; step < sums.length; step++) {
    const value = values[step] as number;
    if (Number.isNaN(value)) continue;
    const sum = sums[step] as number;
    sums[step] = Number.isNaN(sum) ? value : sum + value;
  }
}

/** Yields to the event loop after so much work. */
class Turn {
  #spent = 0;

  async spend(points: number): Promise<void> {
    this.#spent += points;
    if (this.#spent < POINTS_PER_TURN) return;
    this.#spent = 0;
    await nextTurn();
  }
}
