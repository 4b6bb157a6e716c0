/**
 * How many profiles a selection has, by series. A profile is a (series, time), and what was pushed
 * in parts may have several rows; within a block it has one for each set of types. So rows need to
 * be compared only where blocks, or a block and hot rows, lie in the same time, and of series whose
 * profiles have several sets of types. What a whole block has stands in the catalogue; of a block
 * at an end of the range the smaller side is read.
 */
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import { type Block, meets } from '../blocks/block.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { idList, type Plan, type TypeIds, timeCondition, typesetsWith } from './selection.ts';
import { isInTimes, sharedTimes } from './shared-times.ts';
import type { Sources } from './sources.ts';

/** Of hot rows, when it is asked where they lie. */
const MINUTE_MS = 60_000;

export async function countProfiles(
  session: ReadSession,
  catalogue: Catalogue,
  types: TypeIds,
  plan: Plan,
  range: TimeRange,
): Promise<Map<number, number>> {
  const { sources } = session;
  const mixed = mixedSeries(catalogue, types, plan, range);
  const time = timeCondition('p.ts_ms', range);
  const counts = new Map<number, number>();
  const add = async (sql: string, isWanted: (series: number) => boolean): Promise<void> => {
    const rows = await session.query(sql);
    const profiles = rows.f64(1);
    for (const [row, series] of rows.u32(0).entries()) {
      if (!isWanted(series)) continue;
      counts.set(series, (counts.get(series) ?? 0) + (profiles[row] as number));
    }
  };
  const isPlain = (series: number): boolean => !mixed.has(series);
  const blocks = sources.blocksIn(range);
  const [most, edges] = partition(blocks, (block) => partIn(block, range) > 0.5);
  if (most.length > 0) {
    const ids = idList(most.map(({ id }) => id));
    const from = `${plan.profilesIn('activity')} AND p.block IN ${ids}`;
    await add(`SELECT p.series, sum(p.profiles)::DOUBLE FROM ${from} GROUP BY p.series`, isPlain);
  }
  const before = most.filter(({ fromMs }) => fromMs < range.from);
  const after = most.filter(({ toMs }) => toMs > range.to);
  for (const [beyond, condition] of [
    [before, `p.ts_ms < ${range.from}`],
    [after, `p.ts_ms >= ${range.to}`],
  ] as const) {
    const rows = sources.rowsOf('profiles', beyond, false);
    if (rows === null) continue;
    const from = `${plan.profilesIn(rows)} AND ${condition}`;
    await add(`SELECT p.series, -count(*)::DOUBLE FROM ${from} GROUP BY p.series`, isPlain);
  }
  const edge = sources.rowsOf('profiles', edges, false);
  if (edge !== null) {
    const from = `${plan.profilesIn(edge)} AND ${time}`;
    await add(`SELECT p.series, count(*)::DOUBLE FROM ${from} GROUP BY p.series`, isPlain);
  }
  const hot = await timesOfHotRows(session, 'profiles', range, MINUTE_MS);
  const rest = restOf(sources, blocks, sharedTimes(blocks, hot, range), hot.length > 0);
  if (rest !== null) await add(uncountedSql(`${plan.profilesIn(rest)} AND ${time}`), isPlain);
  if (mixed.size > 0) {
    const from = `${plan.profilesFrom} AND ${time} AND p.series IN ${idList(mixed)}`;
    await add(distinctSql(from), () => true);
  }
  for (const [series, profiles] of counts) if (profiles === 0) counts.delete(series);
  return counts;
}

/**
 * SQL: hot rows, and rows of blocks at times at which a profile may have others; those of blocks
 * are counted already. Null where there are none.
 */
function restOf(
  sources: Sources,
  blocks: readonly Block[],
  times: readonly TimeRange[],
  hasHot: boolean,
): string | null {
  const columns = 'series, ts_ms, types';
  const parts = hasHot ? [`SELECT ${columns}, 0 AS counted FROM profiles`] : [];
  const meeting = blocks.filter((block) => times.some((time) => meets(block, time)));
  const rows = sources.rowsOf('profiles', meeting, false);
  if (rows !== null) {
    parts.push(`SELECT ${columns}, 1 AS counted FROM ${rows} WHERE ${isInTimes('ts_ms', times)}`);
  }
  return parts.length === 0 ? null : `(${parts.join(' UNION ALL ')})`;
}

/** Distinct profiles less those of the rows that are counted already. */
function uncountedSql(from: string): string {
  return `SELECT series, sum(1 - counted)::DOUBLE FROM (
      SELECT p.series, p.ts_ms, sum(p.counted) AS counted FROM ${from} GROUP BY p.series, p.ts_ms)
    GROUP BY series`;
}

function distinctSql(from: string): string {
  return `SELECT series, count(*)::DOUBLE FROM (SELECT DISTINCT p.series, p.ts_ms FROM ${from})
    GROUP BY series`;
}

/** Series of the plan that have profiles with one set of the types, and others with another one. */
function mixedSeries(
  catalogue: Catalogue,
  types: TypeIds,
  plan: Plan,
  range: TimeRange,
): Set<number> {
  const typesets = typesetsWith(catalogue, new Set([...types.plain, ...types.scaled]));
  const mixed = new Set<number>();
  if (typesets.size < 2) return mixed;
  const chosen = new Set(plan.series);
  const seen = new Set<number>();
  catalogue.activity.eachIn(range.from, range.to, (series, typeset) => {
    if (!typesets.has(typeset) || !chosen.has(series)) return;
    if (seen.has(series)) mixed.add(series);
    else seen.add(series);
  });
  return mixed;
}

/** Units of time in which the range has rows that are not sealed, in order. */
export async function timesOfHotRows(
  session: ReadSession,
  table: 'profiles' | 'windows',
  range: TimeRange,
  unitMs: number,
): Promise<TimeRange[]> {
  const rows = await session.query(
    `SELECT DISTINCT (h.ts_ms // ${unitMs})::DOUBLE AS unit FROM ${table} h
     WHERE ${timeCondition('h.ts_ms', range)} ORDER BY unit`,
  );
  return Array.from(rows.f64(0), (unit) => ({
    from: (unit * unitMs) as EpochMs,
    to: ((unit + 1) * unitMs) as EpochMs,
  }));
}

/** How much of a block's time lies in the range. */
function partIn({ fromMs, toMs }: Block, range: TimeRange): number {
  return (Math.min(toMs, range.to) - Math.max(fromMs, range.from)) / (toMs - fromMs);
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
