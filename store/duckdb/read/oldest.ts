/** The time from which on there are profiles. */
import type { EpochMs } from '../../../profile/units.ts';
import type { ReadSession } from '../sql/reader-pool.ts';

/** Null where there is no profile. */
export async function readOldestMs(session: ReadSession): Promise<EpochMs | null> {
  const rows = await session.query(
    'SELECT count(*)::DOUBLE, coalesce(min(ts_ms), 0)::DOUBLE FROM profiles',
  );
  const times = session.sources.list.blocks
    .filter(({ kind, damaged, profiles }) => kind === 'rows' && damaged === '' && profiles > 0)
    .map(({ fromMs }) => fromMs);
  if ((rows.f64(0)[0] as number) > 0) times.push(rows.f64(1)[0] as number);
  return times.length === 0 ? null : (Math.min(...times) as EpochMs);
}
