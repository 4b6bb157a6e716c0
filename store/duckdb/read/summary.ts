/** What a selection consists of: its size, its profiles, and the windows they came from. */
import { aggregationOf, type ProfileType } from '../../../profile/select/profile-type.ts';
import type { EpochMs } from '../../../profile/units.ts';
import type { MergeColumns, Selection, SelectionSummary, StoredProfile } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { type EventSource, eventSources } from './events.ts';
import { countProfiles } from './profile-counts.ts';
import { eventTypes, valueTypes } from './row-types.ts';
import { idList, type Plan, planSelection, type TypeIds, timeCondition } from './selection.ts';
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
  const counts = await countProfiles(session, plan, selection.range);
  const hosts = new Set<string>();
  for (const series of counts.keys()) hosts.add(catalogue.series.labelValue(series, 'host'));
  hosts.delete('');
  return {
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
    `SELECT p.series, p.ts_ms::DOUBLE, max(p.duration_ms), max(p.ts_ms + p.span_ms)::DOUBLE,
       string_agg(DISTINCT p.types, ' '),
       coalesce(string_agg(p.comments, chr(10)) FILTER (p.comments <> ''), '')
     FROM ${plan.profilesFrom} AND ${timeCondition('p.ts_ms', selection.range)}
     GROUP BY p.series, p.ts_ms
     ORDER BY p.ts_ms DESC, p.series LIMIT ${Math.max(0, Math.floor(limit))}`,
  );
  const [series, tsMs, durationMs, lastMs] = [rows.u32(0), rows.f64(1), rows.f64(2), rows.f64(3)];
  const [typesets, comments] = [rows.texts(4), rows.texts(5)];
  const sizes = await countSamples(session, types, { series, tsMs, lastMs });
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

interface ProfileTimes {
  series: Uint32Array;
  tsMs: Float64Array;
  lastMs: Float64Array;
}

/** Rows of samples of each profile. Samples with times of their own may lie in later blocks. */
async function countSamples(
  session: ReadSession,
  types: TypeIds,
  { series, tsMs, lastMs }: ProfileTimes,
): Promise<Float64Array> {
  const sizes = new Float64Array(series.length);
  if (series.length === 0) return sizes;
  const range = {
    from: tsMs.reduce((first, time) => Math.min(first, time)) as EpochMs,
    to: (lastMs.reduce((last, time) => Math.max(last, time)) + 1) as EpochMs,
  };
  await session.fill(
    'picked',
    'profile UINTEGER, series UINTEGER, first_ms DOUBLE, last_ms DOUBLE',
    ['u32', 'u32', 'f64', 'f64'],
    series.length,
    (writer) => {
      writer.sequence(0, 0);
      writer.numbers(1, series);
      writer.numbers(2, tsMs);
      writer.numbers(3, lastMs);
    },
  );
  const rows = await session.query(
    `SELECT q.profile, count(*)::DOUBLE FROM ${session.sources.samples(range)} s JOIN picked q
       ON s.series = q.series AND s.ts_ms BETWEEN q.first_ms::BIGINT AND q.last_ms::BIGINT
     WHERE s.type IN ${idList([...types.plain, ...types.scaled])}
       AND ${timeCondition('s.ts_ms', range)} GROUP BY q.profile`,
  );
  const counts = rows.f64(1);
  for (const [row, profile] of rows.u32(0).entries()) sizes[profile] = counts[row] as number;
  return sizes;
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
