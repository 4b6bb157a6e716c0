/**
 * Gauges: a value holds from its profile to the next of its series, at most twice the usual
 * spacing, and an answer is the time-weighted mean of the sum over series, over the time that any
 * selected series covers (docs/adr/0001-gauges.md).
 */
import { EverflameError } from '../../../profile/errors.ts';
import { MAX_GAUGE_PROFILES, MAX_TIMELINE_POINTS } from '../../../profile/limits.ts';
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { MergeColumns, Selection } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { checkRowCount, checkSums, emptyMerge, ROW_LIMIT } from './merge.ts';
import { valueTypes } from './row-types.ts';
import { type Plan, planSelection, timeCondition } from './selection.ts';

/** How long before the range a profile may lie that still holds in it. */
const GAUGE_LOOK_BACK_MS = 3_600_000;
/** The usual spacing where neither a second profile nor a duration tells it. */
const DEFAULT_SPACING_MS = 10_000;

/** One profile's value holds from `startMs` to `endMs`, both within the range that was asked for. */
export interface Hold {
  series: number;
  /** The profile's own time, by which its samples are found. */
  tsMs: number;
  startMs: number;
  endMs: number;
}

export interface GaugePlan {
  plan: Plan;
  holds: Hold[];
  /** The range and what lies before it. */
  range: TimeRange;
}

export async function planGauges(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  by: readonly string[],
): Promise<GaugePlan | null> {
  const { from, to } = selection.range;
  const range = { from: (from - GAUGE_LOOK_BACK_MS) as EpochMs, to };
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, { ...selection, range }, by);
  if (plan === null) return null;
  const rows = await session.query(
    `SELECT p.series, p.ts_ms::DOUBLE, max(p.duration_ms)
     FROM ${plan.profilesFrom} AND ${timeCondition('p.ts_ms', range)}
     GROUP BY p.series, p.ts_ms ORDER BY p.series, p.ts_ms LIMIT ${MAX_GAUGE_PROFILES + 1}`,
  );
  if (rows.rows > MAX_GAUGE_PROFILES) {
    throw new EverflameError('too-large', 'the selection has too many profiles of gauges', {
      limit: `MAX_GAUGE_PROFILES = ${MAX_GAUGE_PROFILES}`,
      remedy: 'Ask for a shorter range, or match fewer series.',
    });
  }
  const holds = holdsOf(rows.u32(0), rows.f64(1), rows.f64(2), selection.range);
  return holds.length === 0 ? null : { plan, holds, range };
}

/** Rows are sorted by series and time. */
function holdsOf(
  series: Uint32Array,
  tsMs: Float64Array,
  durationMs: Float64Array,
  range: TimeRange,
): Hold[] {
  const holds: Hold[] = [];
  for (let start = 0; start < series.length; ) {
    let end = start + 1;
    while (end < series.length && series[end] === series[start]) end++;
    // Once for all of a series: it sorts their times.
    const spacing = usualSpacing(tsMs.subarray(start, end), durationMs[start] as number);
    for (let row = start; row < end; row++) {
      const own = tsMs[row] as number;
      const next = row + 1 < end ? (tsMs[row + 1] as number) : Number.POSITIVE_INFINITY;
      const hold = {
        series: series[row] as number,
        tsMs: own,
        startMs: Math.max(own, range.from),
        endMs: Math.min(next, own + 2 * spacing, range.to),
      };
      if (hold.startMs < hold.endMs) holds.push(hold);
    }
    start = end;
  }
  return holds;
}

/** The median gap between a series' profiles, else the duration, else a default. */
function usualSpacing(tsMs: Float64Array, durationMs: number): number {
  if (tsMs.length < 2) return durationMs > 0 ? durationMs : DEFAULT_SPACING_MS;
  const gaps = tsMs.subarray(1).map((ts, before) => ts - (tsMs[before] as number));
  gaps.sort();
  const middle = gaps.length >> 1;
  const upper = gaps[middle] as number;
  return gaps.length % 2 === 1 ? upper : (upper + (gaps[middle - 1] as number)) / 2;
}

/** Milliseconds within each step that at least one hold covers. */
export function coveredMs(holds: readonly Hold[], range: TimeRange, stepMs: number): Float64Array {
  const steps = Math.ceil((range.to - range.from) / stepMs);
  const covered = new Float64Array(steps);
  const sorted = [...holds].sort((a, b) => a.startMs - b.startMs);
  let coveredTo: number = range.from;
  for (const { startMs, endMs } of sorted) {
    eachStep(Math.max(startMs, coveredTo), endMs, range.from, stepMs, (step, ms) => {
      covered[step] = (covered[step] as number) + ms;
    });
    coveredTo = Math.max(coveredTo, endMs);
  }
  return covered;
}

/** Visits the steps that from <= t < to meets, with the time in each. */
export function eachStep(
  fromMs: number,
  toMs: number,
  originMs: number,
  stepMs: number,
  visit: (step: number, ms: number) => void,
): void {
  for (let at = fromMs; at < toMs; ) {
    const step = Math.floor((at - originMs) / stepMs);
    const end = Math.min(toMs, originMs + (step + 1) * stepMs);
    visit(step, end - at);
    at = end;
  }
}

/** Fills the temporary table `holds` with a row per hold and step. */
export async function fillHolds(
  session: ReadSession,
  holds: readonly Hold[],
  range: TimeRange,
  stepMs: number,
): Promise<void> {
  const parts: { hold: Hold; step: number; ms: number }[] = [];
  for (const hold of holds) {
    eachStep(hold.startMs, hold.endMs, range.from, stepMs, (step, ms) => {
      parts.push({ hold, step, ms });
    });
    if (parts.length > MAX_TIMELINE_POINTS) {
      throw new EverflameError('too-large', 'the time series of gauges has too many points', {
        limit: `MAX_TIMELINE_POINTS = ${MAX_TIMELINE_POINTS}`,
        remedy: 'Ask for a longer step or a shorter range.',
      });
    }
  }
  const series = Uint32Array.from(parts, ({ hold }) => hold.series);
  const tsMs = Float64Array.from(parts, ({ hold }) => hold.tsMs);
  const step = Uint32Array.from(parts, (part) => part.step);
  const weight = Float64Array.from(parts, ({ ms }) => ms);
  await session.fill(
    'holds',
    'series UINTEGER, ts_ms DOUBLE, step UINTEGER, weight DOUBLE',
    ['u32', 'f64', 'u32', 'f64'],
    parts.length,
    (writer) => {
      writer.numbers(0, series);
      writer.numbers(1, tsMs);
      writer.numbers(2, step);
      writer.numbers(3, weight);
    },
  );
}

/** The samples of a plan, joined with their holds `h`. */
export function samplesWithHolds({ plan, range }: GaugePlan): string {
  const held = 'JOIN holds h ON s.series = h.series AND s.ts_ms = h.ts_ms::BIGINT';
  return `${plan.samplesJoined(held)} AND ${timeCondition('s.ts_ms', range)}`;
}

export async function mergeGauges(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  by: readonly string[],
): Promise<MergeColumns> {
  const gauges = await planGauges(session, catalogue, selection, by);
  if (gauges === null) return { ...emptyMerge(by), integer: false };
  const { plan, holds } = gauges;
  const { range } = selection;
  const wholeMs = Math.max(1, range.to - range.from);
  await fillHolds(session, holds, range, wholeMs);
  const keys = plan.group.constant ? [] : [plan.group.sql];
  const rows = await session.query(
    `SELECT s.stack, sum(s.value * h.weight), ${plan.group.sql}
     FROM ${samplesWithHolds(gauges)} GROUP BY ${['s.stack', ...keys].join(', ')}
     LIMIT ${ROW_LIMIT}`,
  );
  checkRowCount(rows);
  const covered = coveredMs(holds, range, wholeMs)[0] as number;
  const value = rows.f64(1).map((sum) => sum / covered);
  checkSums(value);
  return {
    groups: plan.groups,
    group: rows.u32(2),
    stack: rows.u32(0),
    value,
    multiplier: 1,
    integer: false,
  };
}
