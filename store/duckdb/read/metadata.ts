/** Types, label names and label values that have data in a selection. */
import type { Labels } from '../../../profile/select/labels.ts';
import { formatProfileType, type ProfileType } from '../../../profile/select/profile-type.ts';
import { labelValue } from '../../../profile/select/selector.ts';
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { MetaSelection } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { sortTexts } from '../catalogue/sorted-texts.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { valueTypes } from './row-types.ts';
import {
  activeSeries,
  needsSampleLabels,
  type Pair,
  selectPairs,
  typesetsWith,
  unionOf,
} from './selection.ts';

const ALWAYS: TimeRange = { from: 0 as EpochMs, to: Number.MAX_SAFE_INTEGER as EpochMs };

/** Asks the tables, in a session of its own; only sample labels need that. */
export type Read = <T>(run: (session: ReadSession) => Promise<T>) => Promise<T>;

function typesOf(catalogue: Catalogue, selection: MetaSelection): Set<number> {
  if (selection.type === undefined) return new Set(catalogue.types.items.keys());
  const { plain, scaled } = valueTypes(catalogue, selection.type);
  return new Set([...plain, ...scaled]);
}

function pairsOf(
  session: ReadSession,
  catalogue: Catalogue,
  selection: MetaSelection,
  rowsOf: 'all' | 'labelled',
): Promise<Pair[]> {
  const types = typesOf(catalogue, selection);
  const { matchers, range = ALWAYS } = selection;
  return selectPairs(session, catalogue, types, { matchers, range }, rowsOf);
}

function selectedSeries(catalogue: Catalogue, selection: MetaSelection): Uint8Array {
  const types = typesOf(catalogue, selection);
  const range = selection.range ?? ALWAYS;
  const marks = new Uint8Array(catalogue.series.count);
  for (const series of activeSeries(catalogue, types, selection.matchers, range).selected) {
    marks[series] = 1;
  }
  return marks;
}

export async function readProfileTypes(
  read: Read,
  catalogue: Catalogue,
  selection: MetaSelection,
): Promise<ProfileType[]> {
  const ids = new Set<number>();
  if (needsSampleLabels(catalogue, selection.matchers, [])) {
    const pairs = await read((session) => pairsOf(session, catalogue, selection, 'all'));
    for (const { type } of pairs) ids.add(type);
  } else {
    const marks = selectedSeries(catalogue, selection);
    const types = typesOf(catalogue, selection);
    const typesets = typesetsWith(catalogue, types);
    const { from, to } = selection.range ?? ALWAYS;
    catalogue.activity.eachIn(from, to, (series, typeset) => {
      if (marks[series] !== 1 || !typesets.has(typeset)) return;
      for (const type of catalogue.typesets.items[typeset] ?? [])
        if (types.has(type)) ids.add(type);
    });
  }
  const found = new Map<string, ProfileType>();
  for (const id of ids) {
    const row = catalogue.types.items[id];
    if (row === undefined) continue;
    found.set(formatProfileType(row.type), row.type);
    if (row.derived !== null) found.set(formatProfileType(row.derived), row.derived);
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, type]) => type);
}

/** Label sets of the rows: those without sample labels only if matchers ask about these. */
async function unionsOf(
  read: Read,
  catalogue: Catalogue,
  selection: MetaSelection,
): Promise<Labels[]> {
  const rowsOf = needsSampleLabels(catalogue, selection.matchers, []) ? 'all' : 'labelled';
  const pairs = await read((session) => pairsOf(session, catalogue, selection, rowsOf));
  return pairs.map((pair) => unionOf(catalogue, pair));
}

export async function readLabelNames(
  read: Read,
  catalogue: Catalogue,
  selection: MetaSelection,
): Promise<string[]> {
  const names = new Set<string>();
  if (!needsSampleLabels(catalogue, selection.matchers, [])) {
    const selected = selectedSeries(catalogue, selection);
    for (const name of catalogue.series.namesAmong(selected)) names.add(name);
  }
  if (catalogue.sampleLabels.count > 0) {
    for (const union of await unionsOf(read, catalogue, selection)) {
      for (const name of Object.keys(union)) names.add(name);
    }
  }
  return sortTexts(names);
}

export async function readLabelValues(
  read: Read,
  catalogue: Catalogue,
  name: string,
  selection: MetaSelection,
): Promise<string[]> {
  const values = new Set<string>();
  if (!needsSampleLabels(catalogue, selection.matchers, [])) {
    const selected = selectedSeries(catalogue, selection);
    for (const value of catalogue.series.valuesAmong(name, selected)) values.add(value);
  }
  if (needsSampleLabels(catalogue, selection.matchers, [name])) {
    for (const union of await unionsOf(read, catalogue, selection)) {
      values.add(labelValue(union, name));
    }
  }
  values.delete('');
  return sortTexts(values);
}
