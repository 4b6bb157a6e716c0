/** What a selection consists of: its size, its profiles, and the windows they came from. */
import { aggregationOf } from '../../../profile/select/profile-type.ts';
import type { MergeColumns, Selection, SelectionSummary } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { type EventSource, eventSources } from './events.ts';
import { countProfiles } from './profile-counts.ts';
import { eventTypes, valueTypes } from './row-types.ts';
import { ALL_SUMS, keyColumns, rowsToSum } from './rows-to-sum.ts';
import { type Plan, planSelection } from './selection.ts';
import { totalsOfHosts } from './windows.ts';

/** `merged` is the merge of the same selection, where there is one. */
export async function readSummary(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  merged: MergeColumns | null = null,
): Promise<SelectionSummary> {
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, selection, []);
  const damaged = session.sources.damagedIn(selection.range);
  const lost = damaged === null ? {} : { damaged };
  if (plan === null) return { ...lost, series: 0, profiles: 0, samples: null, windows: null };
  const counts = await countProfiles(session, catalogue, types, plan, selection.range);
  const hosts = new Set<string>();
  for (const series of counts.keys()) hosts.add(catalogue.series.labelValue(series, 'host'));
  hosts.delete('');
  return {
    ...lost,
    series: counts.size,
    profiles: [...counts.values()].reduce((sum, count) => sum + count, 0),
    samples:
      mergedEvents(catalogue, plan, selection, merged) ??
      (await countEvents(session, catalogue, selection)),
    windows: await totalsOfHosts(session, catalogue, hosts, selection.range),
  };
}

/** The events out of the merge's own values, where these are all that counting them would read. */
function mergedEvents(
  catalogue: Catalogue,
  plan: Plan,
  { type }: Selection,
  merged: MergeColumns | null,
): number | null {
  if (merged === null || !merged.integer || aggregationOf(type) === 'gauge') return null;
  const events = eventTypes(catalogue, type);
  if (events === null) return null;
  const values = valueTypes(catalogue, type);
  const total = () => merged.value.reduce((sum, value) => sum + value, 0);
  if (events.scaled.length === 0) {
    return sameIds(events.plain, [...values.plain, ...values.scaled]) ? total() : null;
  }
  const [, period = 0, ...others] = plan.factors;
  const onePeriod = period > 0 && others.length === 0;
  return onePeriod && values.scaled.length === 0 ? total() / period : null;
}

function sameIds(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((id) => others.includes(id));
}

async function countEvents(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
): Promise<number | null> {
  if (aggregationOf(selection.type) === 'gauge') return null;
  const sources = eventSources(catalogue, selection);
  if (sources === null) return null;
  let events = 0;
  for (const source of sources) {
    const counted = await countRows(session, catalogue, selection, source);
    if (counted === null) return null;
    events += counted;
  }
  return events;
}

async function countRows(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  { types, only }: EventSource,
): Promise<number | null> {
  const plan = await planSelection(session, catalogue, types, selection, [], only);
  if (plan === null) return 0;
  const source = await rowsToSum(session, plan, selection.range, ALL_SUMS);
  const { factor } = keyColumns(plan);
  const keys = plan.factor.constant ? '' : `GROUP BY ${factor}`;
  const rows = await session.query(
    `SELECT coalesce(sum(value), 0)::DOUBLE, ${factor} FROM ${source} ${keys}`,
  );
  const periods = Array.from(rows.u32(1), (factor) => plan.factors[factor] ?? 1);
  if (periods.includes(0)) return null;
  return rows.f64(0).reduce((total, sum, row) => total + sum / (periods[row] ?? 1), 0);
}
