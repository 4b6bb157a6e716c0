/** Where the sampled events of a selection are counted: rows of a count type, or value / period. */
import type { Selection } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { eventTypes, isPerPeriod, valueTypes } from './row-types.ts';
import { activeSeries, type TypeIds, typesetsWith } from './selection.ts';

export interface EventSource {
  types: TypeIds;
  /** Only of these series; of all where it is absent. */
  only?: ReadonlySet<number>;
}

/**
 * Sources that no event is in twice, to be summed as value / factor; null where events of a part of
 * the selection are not known. A store holds profiles with a count type and others without it.
 */
export function eventSources(catalogue: Catalogue, selection: Selection): EventSource[] | null {
  const types = eventTypes(catalogue, selection.type);
  if (types === null) return null;
  if (types.scaled.length > 0) return [{ types }];
  const read = valueTypes(catalogue, selection.type);
  const values = read.plain.filter((id) => !types.plain.includes(id));
  const counted = countedSeries(catalogue, selection, [...values, ...read.scaled], types.plain);
  const only = uncountedSeries(catalogue, selection, values, types.plain);
  if (only.size === 0) return [{ types, ...counted }];
  if (!isPerPeriod(selection.type)) return null;
  return [
    { types, ...counted },
    { types: { plain: [], scaled: values }, only },
  ];
}

/** Of series with the count, those that have the value too; all where none lacks it. */
function countedSeries(
  catalogue: Catalogue,
  { matchers, range }: Selection,
  values: readonly number[],
  counts: readonly number[],
): { only?: ReadonlySet<number> } {
  if (values.length === 0) return {};
  const valued = new Set(activeSeries(catalogue, new Set(values), matchers, range).selected);
  const { selected } = activeSeries(catalogue, new Set(counts), matchers, range);
  return selected.every((series) => valued.has(series)) ? {} : { only: valued };
}

/** Series with profiles that have the value and no count, and none that have rows of both. */
function uncountedSeries(
  catalogue: Catalogue,
  { matchers, range }: Selection,
  values: readonly number[],
  counts: readonly number[],
): Set<number> {
  const found = new Set<number>();
  if (values.length === 0) return found;
  const valued = typesetsWith(catalogue, new Set(values));
  const counted = typesetsWith(catalogue, new Set(counts));
  const { selected } = activeSeries(catalogue, new Set(values), matchers, range);
  for (const series of selected) found.add(series);
  catalogue.activity.eachIn(range.from, range.to, (series, typeset) => {
    if (valued.has(typeset) && counted.has(typeset)) found.delete(series);
  });
  return found;
}
