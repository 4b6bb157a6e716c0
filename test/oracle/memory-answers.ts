/** Merge and time series of a store in memory: one sum per (group, stack) or (group, step). */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_MERGE_ROWS, MAX_TIMELINE_POINTS, MAX_TIMELINE_STEPS } from '../../profile/limits.ts';
import type { Labels } from '../../profile/select/labels.ts';
import { aggregationOf } from '../../profile/select/profile-type.ts';
import { compileMatchers } from '../../profile/select/selector.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type { MergeColumns, Selection, TimelineGroup } from '../../store/store.ts';
import { type MemoryContent, type MemoryProfile, readsAs } from './memory-content.ts';
import {
  groupOf,
  listEvents,
  lookBack,
  profilesOfType,
  selectRows,
  selectSeries,
  sumEvents,
  tellsEvents,
  type Weight,
  weightOf,
} from './memory-deltas.ts';
import { type Hold, heldMs, holdsOf, unionMs } from './memory-gauges.ts';

/** Sums of integers by period, so that nothing is rounded before the end. */
class Sum {
  readonly #byPeriod = new Map<number, bigint>();

  add({ value, period }: Weight): void {
    const sum = (this.#byPeriod.get(period) ?? 0n) + value;
    if (sum > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new EverflameError('unprocessable', 'a sum is beyond 2^53', { field: 'query' });
    }
    this.#byPeriod.set(period, sum);
  }

  get total(): number {
    let total = 0;
    for (const [period, sum] of this.#byPeriod) total += Number(sum) * period;
    return total;
  }
}

class Groups {
  readonly labels: Labels[] = [];
  readonly #rows = new Map<string, number>();

  constructor(by: readonly string[]) {
    if (by.length === 0) this.rowOf({});
  }

  rowOf(labels: Labels): number {
    const text = JSON.stringify(Object.entries(labels).sort());
    const known = this.#rows.get(text);
    if (known !== undefined) return known;
    const row = this.labels.push(labels) - 1;
    this.#rows.set(text, row);
    return row;
  }
}

export function mergeRows(
  content: MemoryContent,
  selection: Selection,
  by: readonly string[],
): MergeColumns {
  return aggregationOf(selection.type) === 'gauge'
    ? mergeGauge(content, selection, by)
    : mergeDelta(content, selection, by);
}

function mergeDelta(
  content: MemoryContent,
  selection: Selection,
  by: readonly string[],
): MergeColumns {
  const weights = selectRows(content, selection).map((row) => weightOf(row, selection, by));
  const periods = new Set(weights.map(({ period }) => period));
  const [multiplier = 1] = periods.size === 1 ? periods : [];
  const groups = new Groups(by);
  const sums = new Map<string, Sum>();
  for (const weight of weights) {
    const key = `${groups.rowOf(weight.groupLabels)} ${weight.stack}`;
    const sum = sums.get(key) ?? new Sum();
    sum.add(periods.size === 1 ? { ...weight, period: 1 } : weight);
    sums.set(key, sum);
  }
  const values = [...sums].map(([key, { total }]): [string, number] => [key, total]);
  return columnsOf(groups, values, multiplier, periods.size <= 1);
}

function mergeGauge(
  content: MemoryContent,
  selection: Selection,
  by: readonly string[],
): MergeColumns {
  const groups = new Groups(by);
  const sums = new Map<string, number>();
  const { all, parts } = gaugeParts(content, selection, by);
  const coveredMs = unionMs(all.map(spanOf), selection.range);
  for (const { hold, groupLabels, stack, value } of parts) {
    const key = `${groups.rowOf(groupLabels)} ${stack}`;
    const part = (value * heldMs(hold, selection.range)) / coveredMs;
    sums.set(key, (sums.get(key) ?? 0) + part);
  }
  return columnsOf(groups, [...sums], 1, false);
}

interface GaugePart {
  hold: Hold;
  groupLabels: Labels;
  stack: number;
  value: number;
}

/** The holds of all selected series, and each row's value with its hold. */
function gaugeParts(
  content: MemoryContent,
  selection: Selection,
  by: readonly string[],
): { all: Hold[]; parts: GaugePart[] } {
  const all = holdsOf(content, selection);
  const accepts = compileMatchers(selection.matchers);
  const parts: GaugePart[] = [];
  for (const row of content.rows) {
    const reading = readsAs(row.type, selection.type);
    const hold = all.find(({ profile }) => profile === row.profile);
    if (reading === null || hold === undefined || !accepts(row.labels)) continue;
    const factor = reading === 'derived' ? row.profile.series.period : 1;
    const value = Number(row.value) * factor;
    parts.push({ hold, groupLabels: groupOf(row.labels, by), stack: row.stack, value });
  }
  return { all, parts };
}

function spanOf({ fromMs, toMs }: Hold): [number, number] {
  return [fromMs, toMs];
}

function columnsOf(
  groups: Groups,
  values: [key: string, value: number][],
  multiplier: number,
  integer: boolean,
): MergeColumns {
  if (values.length > MAX_MERGE_ROWS) {
    const limit = `MAX_MERGE_ROWS = ${MAX_MERGE_ROWS}`;
    throw new EverflameError('too-large', `the merge has ${values.length} rows`, { limit });
  }
  const keys = values.map(([key]) => key.split(' ').map(Number));
  return {
    groups: groups.labels,
    group: Uint32Array.from(keys, ([group]) => group as number),
    stack: Uint32Array.from(keys, ([, stack]) => stack as number),
    value: Float64Array.from(values, ([, value]) => value),
    multiplier,
    integer,
  };
}

export function timelineRows(
  content: MemoryContent,
  selection: Selection,
  by: readonly string[],
  stepMs: number,
): TimelineGroup[] {
  const steps = stepsOf(selection.range, stepMs);
  const isGauge = aggregationOf(selection.type) === 'gauge';
  const lines = isGauge
    ? gaugeLines(content, selection, by, steps)
    : deltaLines(content, selection, by, steps);
  if (lines.length * steps.length > MAX_TIMELINE_POINTS) {
    const limit = `MAX_TIMELINE_POINTS = ${MAX_TIMELINE_POINTS}`;
    throw new EverflameError('too-large', `${lines.length} groups are too many`, { limit });
  }
  return lines;
}

function stepsOf({ from, to }: TimeRange, stepMs: number): TimeRange[] {
  if (!(stepMs > 0)) {
    throw new EverflameError('invalid', `${stepMs} ms is no step`, { field: 'step' });
  }
  const count = Math.ceil((to - from) / stepMs);
  if (count > MAX_TIMELINE_STEPS) {
    const limit = `MAX_TIMELINE_STEPS = ${MAX_TIMELINE_STEPS}`;
    throw new EverflameError('too-large', `${count} steps`, { field: 'step', limit });
  }
  return Array.from({ length: count }, (_, step) => ({
    from: (from + step * stepMs) as EpochMs,
    to: Math.min(from + (step + 1) * stepMs, to) as EpochMs,
  }));
}

function deltaLines(
  content: MemoryContent,
  selection: Selection,
  by: readonly string[],
  steps: readonly TimeRange[],
): TimelineGroup[] {
  const rows = selectRows(content, selection);
  const groups = new Groups(by);
  const rowsOf = new Map<number, typeof rows>();
  for (const row of rows) {
    const group = groups.rowOf(groupOf(row.labels, by));
    rowsOf.set(group, [...(rowsOf.get(group) ?? []), row]);
  }
  const covering = new Map<number, MemoryProfile[]>();
  const around = profilesOfType(content, lookBack(selection)).filter((profile) =>
    covers(profile, selection.range),
  );
  for (const { series, labels } of selectSeries(content, lookBack(selection))) {
    const own = around.filter((profile) => profile.series === series);
    if (own.length === 0) continue;
    for (const group of new Set(labels.map((all) => groups.rowOf(groupOf(all, by))))) {
      covering.set(group, [...(covering.get(group) ?? []), ...own]);
    }
  }
  const isKnown = around.every((profile) => tellsEvents(profile, selection.type));
  const events = listEvents(content, selection);
  for (const { labels } of events) groups.rowOf(groupOf(labels, by));
  return groups.labels.map((labels, group) => {
    const value = steps.map((step): number => {
      const inside = (rowsOf.get(group) ?? []).filter((row) => isIn(row.tsMs, step));
      const isCovered = (covering.get(group) ?? []).some((profile) => covers(profile, step));
      if (inside.length === 0) return isCovered ? 0 : Number.NaN;
      const sum = new Sum();
      for (const row of inside) sum.add(weightOf(row, selection, by));
      return sum.total;
    });
    const samples = steps.map((range, step): number => {
      const inside = events.filter(
        (each) => isIn(each.tsMs, range) && groups.rowOf(groupOf(each.labels, by)) === group,
      );
      if (!isKnown) return Number.NaN;
      if (inside.length === 0)
        return value[step] === undefined || Number.isNaN(value[step]) ? Number.NaN : 0;
      return sumEvents(inside) ?? Number.NaN;
    });
    return { labels, value: Float64Array.from(value), samples: Float64Array.from(samples) };
  });
}

function isIn(tsMs: number, { from, to }: TimeRange): boolean {
  return tsMs >= from && tsMs < to;
}

function covers({ tsMs, durationMs }: MemoryProfile, { from, to }: TimeRange): boolean {
  return tsMs < to && Math.max(tsMs + 1, tsMs + durationMs) > from;
}

function gaugeLines(
  content: MemoryContent,
  selection: Selection,
  by: readonly string[],
  steps: readonly TimeRange[],
): TimelineGroup[] {
  const { all, parts } = gaugeParts(content, selection, by);
  const groups = new Groups(by);
  const holds = new Map<number, Hold[]>();
  for (const { series, labels } of selectSeries(content, lookBack(selection))) {
    const own = all.filter(({ profile }) => profile.series === series);
    for (const group of new Set(labels.map((each) => groups.rowOf(groupOf(each, by))))) {
      holds.set(group, [...(holds.get(group) ?? []), ...own]);
    }
  }
  return groups.labels.map((labels, group) => {
    const own = parts.filter((part) => groups.rowOf(part.groupLabels) === group);
    const value = steps.map((step): number => {
      const isCovered = (holds.get(group) ?? []).some((hold) => heldMs(hold, step) > 0);
      if (!isCovered) return Number.NaN;
      const coveredMs = unionMs(all.map(spanOf), step);
      return own.reduce((sum, { hold, value: at }) => sum + at * heldMs(hold, step), 0) / coveredMs;
    });
    const samples = new Float64Array(steps.length).fill(Number.NaN);
    return { labels, value: Float64Array.from(value), samples };
  });
}
