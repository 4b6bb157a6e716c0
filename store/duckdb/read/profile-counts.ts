/**
 * How many profiles a selection has, by series. A profile is a (series, time), and what was pushed
 * in parts may have several rows; within a block it has one for each set of types. So rows need to
 * be compared only where blocks, or a block and hot rows, lie in the same time, and of series whose
 * profiles have several sets of types.
 */
import type { TimeRange } from '../../../profile/units.ts';
import { HOUR_MS } from '../blocks/block.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { idList, type Plan, type TypeIds, timeCondition, typesetsWith } from './selection.ts';

const NO_HOURS: ReadonlySet<number> = new Set();

export async function countProfiles(
  session: ReadSession,
  catalogue: Catalogue,
  types: TypeIds,
  plan: Plan,
  range: TimeRange,
): Promise<Map<number, number>> {
  const { sources } = session;
  const mixed = mixedSeries(catalogue, types, plan, range);
  const hasBlocks = sources.blocksIn(range).length > 0;
  const hotHours = hasBlocks ? await hoursWithHotRows(session, 'profiles', range) : NO_HOURS;
  const { whole, edges, shared } = sources.partsOf(range, hotHours);
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
  if (whole.length > 0) {
    const ids = idList(whole.map(({ id }) => id));
    const from = `${plan.profilesIn('activity')} AND p.block IN ${ids}`;
    await add(`SELECT p.series, sum(p.profiles)::DOUBLE FROM ${from} GROUP BY p.series`, isPlain);
  }
  const edge = sources.rowsOf('profiles', edges, false);
  if (edge !== null) {
    const from = `${plan.profilesIn(edge)} AND ${time}`;
    await add(`SELECT p.series, count(*)::DOUBLE FROM ${from} GROUP BY p.series`, isPlain);
  }
  const rest = sources.rowsOf('profiles', shared, !hasBlocks || hotHours.size > 0);
  if (rest !== null) await add(distinctSql(`${plan.profilesIn(rest)} AND ${time}`), isPlain);
  if (mixed.size > 0) {
    const from = `${plan.profilesFrom} AND ${time} AND p.series IN ${idList(mixed)}`;
    await add(distinctSql(from), () => true);
  }
  return counts;
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
