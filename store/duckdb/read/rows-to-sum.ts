/**
 * What sums over a selection are taken of: its samples, or in their place what these add up to in
 * whole hours and minutes, where nothing of a series but its service and period decides.
 */
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { Block } from '../blocks/block.ts';
import { SUM_TABLES, SUMS, type SumTable } from '../blocks/sums.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { idList, type Plan, type SumKey, type SumPlan, timeCondition } from './selection.ts';

/** Those that tell stacks. */
export const STACK_SUMS = SUM_TABLES.filter((table) => SUMS[table].stack);
/** Those that do for a sum over all stacks, the one with the fewest edges first. */
export const ALL_SUMS: readonly SumTable[] = ['totals', 'rollup'];

/** Of all sums, those whose hours or minutes each lie in one step. */
export function sumsOfSteps({ from }: TimeRange, stepMs: number): SumTable[] {
  return ALL_SUMS.filter((table) => {
    const { unitMs } = SUMS[table];
    return from % unitMs === 0 && stepMs % unitMs === 0;
  });
}

/**
 * SQL: a source with the columns ts_ms, value, grp and factor, whose sums are those of the plan's
 * samples in the range; with stack where all of `tables` tell it. Of what comes from sums, ts_ms is
 * the begin of the hour or minute. `tables`: what may take the place of samples, the best first.
 */
export async function rowsToSum(
  session: ReadSession,
  plan: Plan,
  range: TimeRange,
  tables: readonly SumTable[],
): Promise<string> {
  const { sources } = session;
  const stack = tables.every((table) => SUMS[table].stack) ? 's.stack, ' : '';
  const { sums } = plan;
  const samplesIn = (source: string, { from, to }: TimeRange): string =>
    `SELECT ${stack}s.ts_ms, s.value, ${plan.group.sql} AS grp, ${plan.factor.sql} AS factor
     FROM ${plan.samplesIn(source)} AND ${timeCondition('s.ts_ms', { from, to })}`;
  if (sums === null || tables.length === 0) {
    return `(${samplesIn(sources.samples(range), range)})`;
  }
  const branches: string[] = [];
  let hasSums = false;
  let rest: readonly Block[] = sources.blocksIn(range);
  for (const table of tables) {
    const parts = sources.partsBy(table, SUMS[table].unitMs, rest, range);
    rest = parts.others;
    const whole = sources.derivedFrom(table, parts.whole);
    const inner = sources.derivedFrom(table, parts.inner);
    const head = sources.rowsOf('samples', parts.head, false);
    const tail = sources.rowsOf('samples', parts.tail, false);
    const units = { from: parts.fromMs as EpochMs, to: parts.toMs as EpochMs };
    const time = timeCondition(`s.${SUMS[table].timeMs}`, units);
    if (head !== null) branches.push(samplesIn(head, { from: range.from, to: units.from }));
    if (tail !== null) branches.push(samplesIn(tail, { from: units.to, to: range.to }));
    if (whole !== null) branches.push(sumsIn(table, whole, stack, sums, 'true'));
    if (inner !== null) branches.push(sumsIn(table, inner, stack, sums, time));
    hasSums ||= whole !== null || inner !== null;
  }
  branches.push(samplesIn(sources.rowsOf('samples', rest, true) ?? 'samples', range));
  if (sums.keys !== null && hasSums) await fillSumKeys(session, sums.keys);
  return `(${branches.join(' UNION ALL ')})`;
}

/** SQL: group and factor of `rowsToSum`, and those of them that differ. */
export function keyColumns({ group, factor }: Plan): {
  group: string;
  factor: string;
  varying: string[];
} {
  const keys = {
    group: group.constant ? group.sql : 'grp',
    factor: factor.constant ? factor.sql : 'factor',
  };
  const varying = Object.values(keys).filter((_, at) => ![group, factor][at]?.constant);
  return { ...keys, varying };
}

function sumsIn(
  table: SumTable,
  source: string,
  stack: string,
  { group, factor, types, keys, services }: SumPlan,
  time: string,
): string {
  const among = services === null ? '' : ` AND s.service IN ${idList(services)}`;
  const join =
    keys === null ? '' : 'JOIN sum_keys c ON s.service = c.service AND s.period = c.period';
  return `SELECT ${stack}s.${SUMS[table].timeMs} AS ts_ms, s.sum AS value, ${group} AS grp,
      ${factor} AS factor
    FROM ${source} s ${join} WHERE ${types}${among} AND ${time}`;
}

async function fillSumKeys(session: ReadSession, keys: readonly SumKey[]): Promise<void> {
  const numbers = (of: (key: SumKey) => number): Uint32Array => Uint32Array.from(keys, of);
  const service = numbers((key) => key.service);
  const group = numbers((key) => key.group);
  const factor = numbers((key) => key.factor);
  const period = Float64Array.from(keys, (key) => key.period);
  await session.fill(
    'sum_keys',
    'service UINTEGER, period DOUBLE, grp UINTEGER, factor UINTEGER',
    ['u32', 'f64', 'u32', 'u32'],
    keys.length,
    (writer) => {
      writer.numbers(0, service);
      writer.numbers(1, period);
      writer.numbers(2, group);
      writer.numbers(3, factor);
    },
  );
}
