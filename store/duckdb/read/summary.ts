/** What a selection consists of: its size, its profiles, and the windows they came from. */
import { aggregationOf, type ProfileType } from '../../../profile/select/profile-type.ts';
import type { EpochMs } from '../../../profile/units.ts';
import type { MergeColumns, Selection, SelectionSummary, StoredProfile } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { type EventSource, eventSources } from './events.ts';
import { eventTypes, valueTypes } from './row-types.ts';
import { idList, type Plan, planSelection, timeCondition } from './selection.ts';
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
  if (plan === null) return { series: 0, profiles: 0, samples: null, windows: null };
  const rows = await session.query(
    `SELECT series, count(*)::DOUBLE FROM (
       SELECT DISTINCT p.series, p.ts_ms FROM ${plan.profilesFrom}
       AND ${timeCondition('p.ts_ms', selection.range)}) GROUP BY series`,
  );
  const hosts = new Set<string>();
  for (const series of rows.u32(0)) hosts.add(catalogue.series.labelValue(series, 'host'));
  hosts.delete('');
  return {
    series: rows.rows,
    profiles: rows.f64(1).reduce((sum, count) => sum + count, 0),
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
  const keys = plan.factor.constant ? '' : `GROUP BY ${plan.factor.sql}`;
  const rows = await session.query(
    `SELECT coalesce(sum(s.value), 0)::DOUBLE, ${plan.factor.sql} FROM ${plan.samplesFrom}
     AND ${timeCondition('s.ts_ms', selection.range)} ${keys}`,
  );
  const periods = Array.from(rows.u32(1), (factor) => plan.factors[factor] ?? 1);
  if (periods.includes(0)) return null;
  return rows.f64(0).reduce((total, sum, row) => total + sum / (periods[row] ?? 1), 0);
}

/** The newest profiles first; several pushes that met in one (series, time) are one. */
export async function readProfiles(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  limit: number,
): Promise<StoredProfile[]> {
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, selection, []);
  if (plan === null) return [];
  const rows = await session.query(
    `WITH chosen_profiles AS (
       SELECT p.series, p.ts_ms, max(p.duration_ms) AS duration_ms, max(p.span_ms) AS span_ms,
         string_agg(DISTINCT p.types, ' ') AS typesets,
         coalesce(string_agg(p.comments, chr(10)) FILTER (p.comments <> ''), '') AS comments
       FROM ${plan.profilesFrom} AND ${timeCondition('p.ts_ms', selection.range)}
       GROUP BY p.series, p.ts_ms
       ORDER BY p.ts_ms DESC, p.series LIMIT ${Math.max(0, Math.floor(limit))}),
     sizes AS (
       SELECT q.series, q.ts_ms, count(*) AS size FROM samples s JOIN chosen_profiles q
         ON s.series = q.series AND s.ts_ms BETWEEN q.ts_ms AND q.ts_ms + q.span_ms
       WHERE s.type IN ${idList([...types.plain, ...types.scaled])} GROUP BY q.series, q.ts_ms)
     SELECT q.series, q.ts_ms::DOUBLE, q.duration_ms, coalesce(z.size, 0)::DOUBLE, q.typesets,
       q.comments
     FROM chosen_profiles q LEFT JOIN sizes z ON q.series = z.series AND q.ts_ms = z.ts_ms
     ORDER BY q.ts_ms DESC, q.series`,
  );
  const [series, tsMs, durationMs] = [rows.u32(0), rows.f64(1), rows.f64(2)];
  const [sizes, typesets, comments] = [rows.f64(3), rows.texts(4), rows.texts(5)];
  return Array.from(series, (ref, row) => ({
    tsMs: tsMs[row] as EpochMs,
    durationMs: durationMs[row] as number,
    labels: catalogue.series.labels(ref),
    types: publicTypes(catalogue, (typesets[row] ?? '').split(' ').map(Number)),
    samples: sizes[row] as number,
    comments: (comments[row] ?? '')
      .split('\n')
      .flatMap((text) => (text === '' ? [] : (JSON.parse(text) as string[]))),
  }));
}

function publicTypes(catalogue: Catalogue, typesets: readonly number[]): ProfileType[] {
  const ids = new Set(typesets.flatMap((typeset) => catalogue.typesets.items[typeset] ?? []));
  return [...ids]
    .sort((a, b) => a - b)
    .flatMap((id) => {
      const row = catalogue.types.items[id];
      if (row === undefined) return [];
      return row.derived === null ? [row.type] : [row.type, row.derived];
    });
}
