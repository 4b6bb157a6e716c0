/**
 * How many profiles a selection has, by series. A profile is a (series, time), and what was pushed
 * in parts may have several rows; within a block it has one for each set of types. So rows need to
 * be compared only where blocks, or a block and hot rows, lie in the same time.
 */
import type { TimeRange } from '../../../profile/units.ts';
import { type Block, HOUR_MS } from '../blocks/block.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { type Plan, timeCondition } from './selection.ts';

export async function countProfiles(
  session: ReadSession,
  plan: Plan,
  range: TimeRange,
): Promise<Map<number, number>> {
  const { sources } = session;
  const hotHours = await hoursWithHotRows(session, 'profiles', range);
  const { whole, edges, shared } = sources.partsOf(range, hotHours);
  const counts = new Map<number, number>();
  const compared = [...shared];
  if (!(await addRows(session, wholeSql(plan, whole), counts))) compared.push(...whole);
  const edgeSource = sources.rowsOf('profiles', edges, false);
  const edgeSql = edgeSource === null ? null : rowsSql(plan, edgeSource, range);
  if (!(await addRows(session, edgeSql, counts))) compared.push(...edges);
  const rest = sources.rowsOf('profiles', compared, hotHours.size > 0);
  if (rest !== null) await addRows(session, distinctSql(plan, rest, range), counts);
  return counts;
}

/** Hours since the epoch in which the range has rows that are not sealed. */
export async function hoursWithHotRows(
  session: ReadSession,
  table: 'profiles' | 'windows',
  range: TimeRange,
): Promise<Set<number>> {
  const rows = await session.query(
    `SELECT DISTINCT (h.ts_ms // ${HOUR_MS})::DOUBLE FROM ${table} h
     WHERE ${timeCondition('h.ts_ms', range)}`,
  );
  return new Set(rows.f64(0));
}

/** Columns: series, rows, sets of types in one block. */
function wholeSql(plan: Plan, blocks: readonly Block[]): string | null {
  if (blocks.length === 0) return null;
  const ids = blocks.map(({ id }) => id).join(', ');
  return `SELECT series, sum(profiles)::DOUBLE, max(sets)::UINTEGER FROM (
      SELECT p.series, sum(p.profiles) AS profiles, count(*) AS sets
      FROM ${plan.profilesIn('activity')} AND p.block IN (${ids}) GROUP BY p.block, p.series)
    GROUP BY series`;
}

function rowsSql(plan: Plan, source: string, range: TimeRange): string {
  return `SELECT p.series, count(*)::DOUBLE, (1 + max(p.types) - min(p.types))::UINTEGER
    FROM ${plan.profilesIn(source)} AND ${timeCondition('p.ts_ms', range)} GROUP BY p.series`;
}

function distinctSql(plan: Plan, source: string, range: TimeRange): string {
  return `SELECT series, count(*)::DOUBLE, 1::UINTEGER FROM (
      SELECT DISTINCT p.series, p.ts_ms FROM ${plan.profilesIn(source)}
      AND ${timeCondition('p.ts_ms', range)})
    GROUP BY series`;
}

/** False, and nothing added, where a series has profiles of several sets of types in one block. */
async function addRows(
  session: ReadSession,
  sql: string | null,
  counts: Map<number, number>,
): Promise<boolean> {
  if (sql === null) return true;
  const rows = await session.query(sql);
  if (rows.u32(2).some((sets) => sets > 1)) return false;
  const profiles = rows.f64(1);
  for (const [row, series] of rows.u32(0).entries()) {
    counts.set(series, (counts.get(series) ?? 0) + (profiles[row] as number));
  }
  return true;
}
