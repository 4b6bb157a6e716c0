/** Which stored row types a public type is read from, and which ones count its sampled events. */
import { isCountType, type ProfileType } from '../../../profile/select/profile-type.ts';
import { type Catalogue, sameType } from '../catalogue/catalogue.ts';
import type { TypeIds } from './selection.ts';

/** Rows of the type itself, and rows of counts that it is derived from by their period. */
export function valueTypes(catalogue: Catalogue, type: ProfileType): TypeIds {
  const types: TypeIds = { plain: [], scaled: [] };
  for (const [id, row] of catalogue.types.items.entries()) {
    if (sameType(row.type, type)) types.plain.push(id);
    else if (row.derived !== null && sameType(row.derived, type)) types.scaled.push(id);
  }
  return types;
}

/**
 * Rows whose sum is the number of sampled events: the count type beside this one if there is any,
 * else the value divided by the period if both measure the same (then in `scaled`), else null.
 */
export function eventTypes(catalogue: Catalogue, type: ProfileType): TypeIds | null {
  const plain: number[] = [];
  for (const [id, row] of catalogue.types.items.entries()) {
    const beside =
      row.type.name === type.name &&
      row.type.periodType === type.periodType &&
      row.type.periodUnit === type.periodUnit;
    const counts = isCountType(type) ? sameType(row.type, type) : isCountType(row.type) && beside;
    if (counts) plain.push(id);
  }
  if (plain.length > 0) return { plain, scaled: [] };
  return isPerPeriod(type) ? { plain: [], scaled: valueTypes(catalogue, type).plain } : null;
}

/** Whether value / period is a number of events. */
export function isPerPeriod(type: ProfileType): boolean {
  return type.sampleType === type.periodType && type.sampleUnit === type.periodUnit;
}
