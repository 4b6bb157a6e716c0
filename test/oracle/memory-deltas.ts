/** Sums over rows of a delta type, as docs and store.ts describe them; slow and plain. */
import type { Labels } from '../../profile/select/labels.ts';
import { isCountType, type ProfileType } from '../../profile/select/profile-type.ts';
import { compileMatchers, labelValue } from '../../profile/select/selector.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { RowType, Selection } from '../../store/store.ts';
import {
  type MemoryContent,
  type MemoryProfile,
  type MemoryRow,
  type MemorySeries,
  readsAs,
} from './memory-content.ts';

/** A value of the asked type, in its unit, at a stack of a group. */
export interface Weight {
  groupLabels: Labels;
  stack: number;
  tsMs: number;
  /** Exact: an integer, or an integer times a period. */
  value: bigint;
  period: number;
}

export function inRange(tsMs: number, { range }: Pick<Selection, 'range'>): boolean {
  return tsMs >= range.from && tsMs < range.to;
}

/** Rows that are read as the selection's type and lie in its range. */
export function selectRows(content: MemoryContent, selection: Selection): MemoryRow[] {
  const accepts = compileMatchers(selection.matchers);
  return content.rows.filter(
    ({ type, labels, tsMs, profile }) =>
      readsAs(type, selection.type) !== null &&
      inRange(tsMs, selection) &&
      isAsked(profile.series, selection) &&
      accepts(labels),
  );
}

/** A series of a selection with the labels that its samples of the type have in the range. */
export interface SelectedSeries {
  series: MemorySeries;
  /** Those that the matchers accept; its own labels alone where it has no sample. */
  labels: Labels[];
}

/** Series with profiles or samples of the type in the range, of which matchers accept a part. */
export function selectSeries(content: MemoryContent, selection: Selection): SelectedSeries[] {
  const accepts = compileMatchers(selection.matchers);
  const found = new Map<MemorySeries, Labels[]>();
  for (const { series, tsMs, types } of content.profiles.values()) {
    if (inRange(tsMs, selection) && types.some((type) => readsAs(type, selection.type) !== null)) {
      found.set(series, []);
    }
  }
  for (const { profile, type, labels, tsMs } of content.rows) {
    if (!inRange(tsMs, selection) || readsAs(type, selection.type) === null) continue;
    found.set(profile.series, [...(found.get(profile.series) ?? []), labels]);
  }
  return [...found]
    .map(([series, all]) => ({ series, labels: all.length === 0 ? [series.labels] : all }))
    .map(({ series, labels }) => ({ series, labels: labels.filter(accepts) }))
    .filter(({ series, labels }) => labels.length > 0 && isAsked(series, selection));
}

function isAsked({ id }: MemorySeries, { series }: Selection): boolean {
  return series === undefined || (id[0] === series[0] && id[1] === series[1]);
}

/** Profiles of the selection's series that have the type, at any time. */
export function profilesOfType(content: MemoryContent, selection: Selection): MemoryProfile[] {
  const series = new Set(selectSeries(content, selection).map((selected) => selected.series));
  return [...content.profiles.values()].filter(
    (profile) =>
      series.has(profile.series) &&
      profile.types.some((type) => readsAs(type, selection.type) !== null),
  );
}

/** The selection with a range that begins earlier, for profiles that reach into it. */
export function lookBack(selection: Selection): Selection {
  const { from, to } = selection.range;
  return { ...selection, range: { from: (from - 3_600_000) as EpochMs, to } };
}

export function groupOf(labels: Labels, by: readonly string[]): Labels {
  const pairs = by.map((name): [string, string] => [name, labelValue(labels, name)]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''));
}

export function weightOf(row: MemoryRow, selection: Selection, by: readonly string[]): Weight {
  const derived = readsAs(row.type, selection.type) === 'derived';
  const { stack, tsMs, value, profile, labels } = row;
  const period = derived ? profile.series.period : 1;
  return { groupLabels: groupOf(labels, by), stack, tsMs, value, period };
}

/** Whether a stored type counts the events of the asked one, in the profiles that have both. */
function isCountBeside({ type, derived }: RowType, wanted: ProfileType): boolean {
  return (
    isCountType(type) &&
    derived === null &&
    type.name === wanted.name &&
    type.periodType === wanted.periodType &&
    type.periodUnit === wanted.periodUnit
  );
}

/** Whether a profile says how its events are counted: by a count, or by value / period. */
export function tellsEvents({ types }: MemoryProfile, wanted: ProfileType): boolean {
  return (
    isCountType(wanted) ||
    isPerPeriod(wanted) ||
    types.some((type) => readsAs(type, wanted) === 'derived' || isCountBeside(type, wanted))
  );
}

/** The same for its own period: none is told where a value has a period of nothing. */
export function countsEvents({ types, series }: MemoryProfile, wanted: ProfileType): boolean {
  const hasValue = types.some((type) => readsAs(type, wanted) === 'own');
  const hasCount = isCountType(wanted) || types.some((type) => isCountBeside(type, wanted));
  return !hasValue || hasCount || series.period > 0;
}

function isPerPeriod(type: ProfileType): boolean {
  return type.sampleType === type.periodType && type.sampleUnit === type.periodUnit;
}

/** Events at a time under some labels; null where they are not known. */
export interface Events {
  labels: Labels;
  tsMs: number;
  count: number | null;
}

/**
 * Sampled events of a selection: the count that is read, or that lies beside the value in its
 * profile, else value / period where both measure the same.
 */
export function listEvents(content: MemoryContent, selection: Selection): Events[] {
  const { type: wanted, matchers } = selection;
  const accepts = compileMatchers(matchers);
  const listed: Events[] = [];
  for (const { type, profile, labels, tsMs, value } of content.rows) {
    if (!inRange(tsMs, selection) || !isAsked(profile.series, selection) || !accepts(labels)) {
      continue;
    }
    const reading = readsAs(type, wanted);
    const hasCount = profile.types.some((other) => isCountBeside(other, wanted));
    const hasValue = profile.types.some((other) => readsAs(other, wanted) !== null);
    if (reading === 'derived' || (reading === 'own' && isCountType(wanted))) {
      listed.push({ labels, tsMs, count: Number(value) });
    } else if (reading === 'own' && !hasCount) {
      const { period } = profile.series;
      const count = isPerPeriod(wanted) && period > 0 ? Number(value) / period : null;
      listed.push({ labels, tsMs, count });
    } else if (reading === null && hasValue && isCountBeside(type, wanted)) {
      listed.push({ labels, tsMs, count: Number(value) });
    }
  }
  return listed;
}

/** Null where one is not known. */
export function sumEvents(events: readonly Events[]): number | null {
  let sum: number | null = 0;
  for (const { count } of events) sum = sum === null || count === null ? null : sum + count;
  return sum;
}
