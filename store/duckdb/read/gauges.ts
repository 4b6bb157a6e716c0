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
import { type Plan, planSelection, sqlTime, timeCondition } from './selection.ts';

/** How long before the range a profile may lie that still holds in it. */
const GAUGE_LOOK_BACK_MS = 3_600_000;
/** The usual spacing where neither a second profile nor a duration tells it. */
const DEFAULT_SPACING_MS = 10_000;

export interface GaugePlan {
  plan: Plan;
  /** The range and what lies before it. */
  range: TimeRange;
  /** Milliseconds within each step that at least one selected series covers. */
  covered: Float64Array;
}

/**
 * Finds how long each profile's value holds, and fills the temporary table `holds` with a row for
 * each step that it holds in: `weight` are the milliseconds. Null where nothing holds in the range.
 */
export async function planGauges(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  by: readonly string[],
  stepMs: number,
): Promise<GaugePlan | null> {
  const { from, to } = selection.range;
  const range = { from: (from - GAUGE_LOOK_BACK_MS) as EpochMs, to };
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, { ...selection, range }, by);
  if (plan === null) return null;
  await session.query(
    `CREATE OR REPLACE TEMP TABLE gauge_profiles AS
     SELECT p.series, p.ts_ms::BIGINT AS ts_ms, max(p.duration_ms) AS duration_ms
     FROM ${plan.profilesFrom} AND ${timeCondition('p.ts_ms', range)}
     GROUP BY p.series, p.ts_ms LIMIT ${MAX_GAUGE_PROFILES + 1}`,
  );
  if ((await readNumber(session, 'count(*)', 'gauge_profiles')) > MAX_GAUGE_PROFILES) {
    throw new EverflameError('too-large', 'the selection has too many profiles of gauges', {
      limit: `MAX_GAUGE_PROFILES = ${MAX_GAUGE_PROFILES}`,
      remedy: 'Ask for a shorter range, or match fewer series.',
    });
  }
  await session.query(spansSql(selection.range));
  const steps = stepsOf({ from: 'start_ms', to: 'end_ms' }, from, stepMs);
  const points = await readNumber(session, `coalesce(sum(len(${steps})), 0)`, 'gauge_spans');
  if (points === 0) return null;
  if (points > MAX_TIMELINE_POINTS) {
    throw new EverflameError('too-large', 'the time series of gauges has too many points', {
      limit: `MAX_TIMELINE_POINTS = ${MAX_TIMELINE_POINTS}`,
      remedy: 'Ask for a longer step or a shorter range.',
    });
  }
  await session.query(
    `CREATE OR REPLACE TEMP TABLE holds AS
     SELECT series, ts_ms, step::UINTEGER AS step, ${weightOf(from, stepMs)} AS weight
     FROM (SELECT *, unnest(${steps}) AS step FROM gauge_spans)`,
  );
  return { plan, range, covered: await readCovered(session, selection.range, stepMs) };
}

async function readNumber(session: ReadSession, value: string, table: string): Promise<number> {
  return (await session.query(`SELECT (${value})::DOUBLE FROM ${table}`)).f64(0)[0] as number;
}

/**
 * A value holds from its profile's time to the next one's of the series, at most twice the usual
 * spacing, as far as that lies in the range. Usual is the median gap between the series' profiles,
 * else a profile's duration, else a default.
 */
function spansSql({ from, to }: TimeRange): string {
  return `CREATE OR REPLACE TEMP TABLE gauge_spans AS
    WITH gaps AS (
      SELECT *, lead(ts_ms) OVER (PARTITION BY series ORDER BY ts_ms) AS next_ms
      FROM gauge_profiles),
    spacings AS (
      SELECT series, coalesce(quantile_cont((next_ms - ts_ms)::DOUBLE, 0.5),
        CASE WHEN max(duration_ms) > 0 THEN max(duration_ms) END, ${DEFAULT_SPACING_MS}) AS spacing
      FROM gaps GROUP BY series)
    SELECT series, ts_ms, start_ms, end_ms FROM (
      SELECT series, ts_ms, greatest(ts_ms, ${sqlTime(from)})::DOUBLE AS start_ms,
        least(next_ms, ts_ms + 2 * spacing, ${sqlTime(to)})::DOUBLE AS end_ms
      FROM gaps JOIN spacings USING (series))
    WHERE start_ms < end_ms`;
}

/** The steps, as a list of numbers, that times from <= t < to meet; none where that is nothing. */
function stepsOf(times: { from: string; to: string }, originMs: number, stepMs: number): string {
  const first = `floor((${times.from} - ${sqlTime(originMs)}) / ${stepMs})::BIGINT`;
  const end = `ceil((${times.to} - ${sqlTime(originMs)}) / ${stepMs})::BIGINT`;
  return `range(${first}, ${end})`;
}

/** Milliseconds of a span in one of its steps. */
function weightOf(originMs: number, stepMs: number): string {
  const start = `${sqlTime(originMs)} + step * ${stepMs}`;
  return `least(end_ms, ${start} + ${stepMs}) - greatest(start_ms, ${start})`;
}

/** Of spans in the order of their begin, each adds what those before it have not covered. */
async function readCovered(
  session: ReadSession,
  { from, to }: TimeRange,
  stepMs: number,
): Promise<Float64Array> {
  const steps = stepsOf({ from: 'start_ms', to: 'end_ms' }, from, stepMs);
  const rows = await session.query(
    `WITH begun AS (
       SELECT start_ms, end_ms, max(end_ms) OVER (
         ORDER BY start_ms ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered_ms
       FROM gauge_spans),
     new AS (
       SELECT greatest(start_ms, coalesce(covered_ms, start_ms)) AS start_ms, end_ms FROM begun)
     SELECT step::UINTEGER, sum(${weightOf(from, stepMs)})
     FROM (SELECT *, unnest(${steps}) AS step FROM new WHERE start_ms < end_ms) GROUP BY step`,
  );
  const covered = new Float64Array(Math.ceil((to - from) / stepMs));
  const [step, ms] = [rows.u32(0), rows.f64(1)];
  for (let row = 0; row < rows.rows; row++) covered[step[row] as number] = ms[row] as number;
  return covered;
}

/** The samples of a plan, joined with their holds `h`. */
export function samplesWithHolds({ plan, range }: GaugePlan): string {
  const held = 'JOIN holds h ON s.series = h.series AND s.ts_ms = h.ts_ms';
  return `${plan.samplesJoined(held)} AND ${timeCondition('s.ts_ms', range)}`;
}

export async function mergeGauges(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  by: readonly string[],
): Promise<MergeColumns> {
  const wholeMs = Math.max(1, selection.range.to - selection.range.from);
  const gauges = await planGauges(session, catalogue, selection, by, wholeMs);
  if (gauges === null) return { ...emptyMerge(by), integer: false };
  const { plan } = gauges;
  const keys = plan.group.constant ? [] : [plan.group.sql];
  const rows = await session.query(
    `SELECT s.stack, sum(s.value * h.weight), ${plan.group.sql}
     FROM ${samplesWithHolds(gauges)} GROUP BY ${['s.stack', ...keys].join(', ')}
     LIMIT ${ROW_LIMIT}`,
  );
  checkRowCount(rows);
  const covered = gauges.covered[0] as number;
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
