/** The time that profiles of a selection cover together: what an average is an average over. */
import type { EpochMs } from '../../../profile/units.ts';
import type { Selection } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { GAUGE_LOOK_BACK_MS } from './gauges.ts';
import { valueTypes } from './row-types.ts';
import { planSelection, sqlTime, timeCondition } from './selection.ts';

/**
 * The union of the profiles' times, in ms; null where one does not say how long it took. A profile
 * whose samples have no times of their own counts as a whole where it begins, so its time does too.
 */
export async function readCoveredMs(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
): Promise<number | null> {
  const from = sqlTime(selection.range.from);
  const to = sqlTime(selection.range.to);
  const range = {
    from: (selection.range.from - GAUGE_LOOK_BACK_MS) as EpochMs,
    to: selection.range.to,
  };
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, { ...selection, range }, []);
  if (plan === null) return 0;
  const end = 'p.ts_ms + p.duration_ms';
  // Profiles of a second or more that begin in one second overlap: one span, and far less to sort.
  const rows = await session.query(
    `WITH profile_spans AS (
       SELECT CASE WHEN p.span_ms > 0 THEN greatest(p.ts_ms, ${from}) ELSE p.ts_ms END AS start,
         CASE WHEN p.span_ms > 0 THEN least(${end}, ${to}) ELSE ${end} END AS stop, p.duration_ms
       FROM ${plan.profilesFrom} AND ${timeCondition('p.ts_ms', range)}
         AND (p.ts_ms >= ${from} OR (p.span_ms > 0 AND ${end} > ${from}))),
     spans AS (
       SELECT min(start) AS start, max(stop) AS stop, min(duration_ms) AS shortest
       FROM profile_spans
       GROUP BY stop - start >= 1000,
         CASE WHEN stop - start >= 1000 THEN start // 1000 ELSE start END),
     parts AS (
       SELECT shortest, stop, greatest(start, coalesce(max(stop) OVER (
         ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), start)) AS start
       FROM spans)
     SELECT coalesce(sum(greatest(stop - start, 0)), 0)::DOUBLE,
       coalesce(min(shortest), 1)::DOUBLE FROM parts`,
  );
  const shortestMs = rows.f64(1)[0] ?? 0;
  return shortestMs > 0 ? (rows.f64(0)[0] ?? 0) : null;
}
