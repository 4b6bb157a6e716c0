/** Sums by group and stack. */
import { EverflameError } from '../../../profile/errors.ts';
import { MAX_MERGE_ROWS } from '../../../profile/limits.ts';
import type { MergeColumns, Selection } from '../../store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { Turn } from '../catalogue/turn.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import type { ResultColumns } from '../sql/result-columns.ts';
import { rowsIn } from './estimate.ts';
import { valueTypes } from './row-types.ts';
import { keyColumns, rowsToSum, STACK_SUMS } from './rows-to-sum.ts';
import { type Plan, planSelection } from './selection.ts';

const ROWS_PER_LOOK = 1_024;
/** One more than may be answered, so that it is seen. */
export const ROW_LIMIT = MAX_MERGE_ROWS + 1;

/**
 * Up to so many rows are added up here. A GROUP BY by stack makes room for every stack that there
 * is, which takes longer than to read so few rows.
 */
const MAX_FEW_ROWS = 32_768;

/** `hotRows`: how many rows of samples are not sealed. */
export async function mergeDeltas(
  session: ReadSession,
  catalogue: Catalogue,
  selection: Selection,
  by: readonly string[],
  hotRows: number,
): Promise<MergeColumns> {
  const types = valueTypes(catalogue, selection.type);
  const plan = await planSelection(session, catalogue, types, selection, by);
  if (plan === null) return emptyMerge(by);
  const source = await rowsToSum(session, plan, selection.range, STACK_SUMS);
  const keys = keyColumns(plan);
  if (keys.varying.length === 0 && expectsFew(session, catalogue, plan, selection, hotRows)) {
    const few = await sumFew(session, plan, source);
    if (few !== null) return few;
  }
  const rows = await session.query(
    `SELECT stack, sum(value)::DOUBLE, ${keys.group}, ${keys.factor} FROM ${source}
     GROUP BY ${['stack', ...keys.varying].join(', ')}
     LIMIT ${ROW_LIMIT}`,
  );
  checkRowCount(rows);
  const value = rows.f64(1);
  checkSums(value);
  return foldFactors(plan, rows, value);
}

/** As far as is known: the rows of one series may be many more than those of another. */
function expectsFew(
  { sources }: ReadSession,
  { seriesIndex }: Catalogue,
  { series }: Plan,
  { range }: Selection,
  hotRows: number,
): boolean {
  const rows = rowsIn(hotRows, sources.blocksIn(range), range);
  return rows * (series.length / seriesIndex.count) <= MAX_FEW_ROWS;
}

/** Sums of rows that have one group and factor; null where they are not few. */
async function sumFew(
  session: ReadSession,
  { groups, factors, factor }: Plan,
  source: string,
): Promise<MergeColumns | null> {
  const rows = await session.query(
    `SELECT stack, value::DOUBLE, ${factor.sql} FROM ${source} LIMIT ${MAX_FEW_ROWS + 1}`,
  );
  if (rows.rows > MAX_FEW_ROWS) return null;
  const stack = rows.u32(0);
  const value = rows.f64(1);
  const slots = new Map<number, number>();
  for (let row = 0; row < rows.rows; row++) {
    const ref = stack[row] as number;
    const added = value[row] as number;
    const slot = slots.get(ref);
    if (slot !== undefined) {
      // Values are not negative: a sum that is rounded on its way stays over 2^53, and is refused.
      value[slot] = (value[slot] as number) + added;
      continue;
    }
    stack[slots.size] = ref;
    value[slots.size] = added;
    slots.set(ref, slots.size);
  }
  const sums = value.slice(0, slots.size);
  checkSums(sums);
  return {
    groups,
    group: new Uint32Array(slots.size),
    stack: stack.slice(0, slots.size),
    value: sums,
    multiplier: factors[rows.u32(2)[0] ?? 0] ?? 1,
    integer: true,
  };
}

export function emptyMerge(by: readonly string[]): MergeColumns {
  return {
    groups: by.length === 0 ? [{}] : [],
    group: new Uint32Array(0),
    stack: new Uint32Array(0),
    value: new Float64Array(0),
    multiplier: 1,
    integer: true,
  };
}

export function checkRowCount(rows: ResultColumns): void {
  if (rows.rows <= MAX_MERGE_ROWS) return;
  throw new EverflameError('too-large', 'the merge has too many stacks', {
    limit: `MAX_MERGE_ROWS = ${MAX_MERGE_ROWS}`,
    remedy: 'Ask for a shorter range or fewer groups, or match fewer series.',
  });
}

/** A float64 is exact up to 2^53: beyond it the answer would be wrong without saying so. */
export function checkSums(value: Float64Array): void {
  for (let row = 0; row < value.length; row++) {
    if ((value[row] as number) > Number.MAX_SAFE_INTEGER) {
      throw new EverflameError('unprocessable', 'the sum of a stack is over 2^53', {
        limit: 'MAX_SAFE_INTEGER = 9007199254740991',
        remedy: 'Ask for a shorter range, or match fewer series.',
      });
    }
  }
}

/** Integer counts with one multiplier where all rows have the same factor, else products. */
async function foldFactors(
  plan: Plan,
  rows: ResultColumns,
  value: Float64Array,
): Promise<MergeColumns> {
  const stack = rows.u32(0);
  const group = rows.u32(2);
  const factor = rows.u32(3);
  const first = factor[0] ?? 0;
  if (factor.every((number) => number === first)) {
    const multiplier = plan.factors[first] ?? 1;
    return { groups: plan.groups, group, stack, value, multiplier, integer: true };
  }
  const slots = new Map<number, number>();
  let count = 0;
  const turn = new Turn();
  for (let row = 0; row < rows.rows; row++) {
    if (row % ROWS_PER_LOOK === 0 && turn.isOver()) await turn.next();
    const product = (value[row] as number) * (plan.factors[factor[row] as number] ?? 1);
    const key = (group[row] as number) * 2 ** 32 + (stack[row] as number);
    const slot = slots.get(key);
    if (slot !== undefined) {
      value[slot] = (value[slot] as number) + product;
      continue;
    }
    slots.set(key, count);
    stack[count] = stack[row] as number;
    group[count] = group[row] as number;
    value[count++] = product;
  }
  return {
    groups: plan.groups,
    group: group.slice(0, count),
    stack: stack.slice(0, count),
    value: value.slice(0, count),
    multiplier: 1,
    integer: false,
  };
}
