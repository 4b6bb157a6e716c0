/** Which of a profile's value columns are stored, and under which types. */
import type { PprofColumns } from '../../profile/pprof/columns.ts';
import { aggregationOf, isCountType, type ProfileType } from '../../profile/select/profile-type.ts';
import type { RowType } from '../../store/store.ts';

export interface StoredColumn {
  /** Index of the value in each sample. */
  column: number;
  type: RowType;
}

/**
 * All columns, or all but the time where time = count x period in every sample: then the time is
 * read from the count. A profile without samples agrees with either.
 */
export function storedColumns(
  columns: PprofColumns,
  types: readonly ProfileType[],
  period: number,
): StoredColumn[] {
  const count = types.findIndex(isCountType);
  const time = types.findIndex((type, index) => index !== count && isPeriodOf(type));
  const isDerived = count >= 0 && time >= 0 && isProduct(columns, count, time, period);
  const stored: StoredColumn[] = [];
  for (const [column, type] of types.entries()) {
    if (isDerived && column === time) continue;
    const derived = isDerived && column === count ? (types[time] as ProfileType) : null;
    stored.push({ column, type: { type, derived } });
  }
  return stored;
}

function isPeriodOf(type: ProfileType): boolean {
  return (
    aggregationOf(type) === 'delta' &&
    type.sampleType === type.periodType &&
    type.sampleUnit === type.periodUnit
  );
}

function isProduct(columns: PprofColumns, count: number, time: number, period: number): boolean {
  if (!(period > 0)) return false;
  const width = columns.sampleTypes.length;
  for (let i = 0; i < columns.samples.count; i++) {
    const product = valueAt(columns, i * width + count) * period;
    // Beyond 2^53 the product is rounded and says nothing.
    if (product > Number.MAX_SAFE_INTEGER) return false;
    if (product !== valueAt(columns, i * width + time)) return false;
  }
  return true;
}

function valueAt(columns: PprofColumns, index: number): number {
  const { value } = columns.values;
  return (value[index * 2 + 1] as number) * 2 ** 32 + ((value[index * 2] as number) >>> 0);
}
