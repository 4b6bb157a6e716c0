/** Sums over rows of a delta type, as docs and store.ts describe them; slow and plain. */
import type { Labels } from '../../profile/select/labels.ts';
import { isCountType } from '../../profile/select/profile-type.ts';
import { compileMatchers, labelValue } from '../../profile/select/selector.ts';
import type { Selection } from '../../store/store.ts';
import {
  type MemoryContent,
  type MemoryProfile,
  type MemoryRow,
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
    ({ type, labels, tsMs }) =>
      readsAs(type, selection.type) !== null && inRange(tsMs, selection) && accepts(labels),
  );
}

/** Profiles that have the type, and whose series or a sample of it the matchers accept. */
export function profilesOfType(content: MemoryContent, selection: Selection): MemoryProfile[] {
  const accepts = compileMatchers(selection.matchers);
  return [...content.profiles.values()].filter(
    (profile) =>
      profile.types.some((type) => readsAs(type, selection.type) !== null) &&
      (accepts(profile.series.labels) ||
        content.rows.some((row) => row.profile === profile && accepts(row.labels))),
  );
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

/**
 * Sampled events of rows: the count that is read, or that lies beside the value in its profile,
 * else value / period where both have one unit; null where one of the rows has neither.
 */
export function countEvents(
  content: MemoryContent,
  rows: readonly MemoryRow[],
  selection: Selection,
): number | null {
  let events = 0;
  const accepts = compileMatchers(selection.matchers);
  const counted = new Set<MemoryProfile>();
  for (const row of rows) {
    const { profile, type } = row;
    if (readsAs(type, selection.type) === 'derived' || isCountType(selection.type)) {
      events += Number(row.value);
      continue;
    }
    const isBeside = (other: MemoryRow['type']): boolean =>
      isCountType(other.type) &&
      other.derived === null &&
      other.type.name === selection.type.name &&
      other.type.periodType === selection.type.periodType &&
      other.type.periodUnit === selection.type.periodUnit;
    if (profile.types.some(isBeside)) {
      if (counted.has(profile)) continue;
      counted.add(profile);
      for (const other of content.rows) {
        const beside = other.profile === profile && isBeside(other.type);
        if (beside && inRange(other.tsMs, selection) && accepts(other.labels)) {
          events += Number(other.value);
        }
      }
    } else if (profile.series.period > 0 && type.type.sampleUnit === type.type.periodUnit) {
      events += Number(row.value) / profile.series.period;
    } else {
      return null;
    }
  }
  return events;
}
