/**
 * What sums over a selection are taken of: its samples, or in their place the roll-ups of whole
 * hours, where nothing of a series but its service and period decides.
 */
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import { HOUR_MS } from '../blocks/block.ts';
import type { ReadSession } from '../sql/reader-pool.ts';
import { idList, type Plan, type SumKey, type SumPlan, timeCondition } from './selection.ts';

/**
 * SQL: a source with the columns stack, ts_ms, value, grp and factor, whose sums are those of the
 * plan's samples in the range. A roll-up's ts_ms is the begin of its hour, which must do unless
 * `isHourly` is false.
 */
export async function rowsToSum(
  session: ReadSession,
  plan: Plan,
  range: TimeRange,
  isHourly = true,
): Promise<string> {
  const { sources } = session;
  const sums = isHourly ? plan.sums : null;
  const samplesIn = (source: string, { from, to }: TimeRange): string =>
    `SELECT s.stack, s.ts_ms, s.value, ${plan.group.sql} AS grp, ${plan.factor.sql} AS factor
     FROM ${plan.samplesIn(source)} AND ${timeCondition('s.ts_ms', { from, to })}`;
  if (sums === null) return `(${samplesIn(sources.samples(range), range)})`;
  const parts = sources.hourlyParts(range);
  const whole = sources.rollupsOf(parts.whole);
  const inner = sources.rollupsOf(parts.inner);
  const head = sources.rowsOf('samples', parts.head, false);
  const tail = sources.rowsOf('samples', parts.tail, false);
  const hours = { from: parts.fromMs as EpochMs, to: parts.toMs as EpochMs };
  const others = sources.rowsOf('samples', parts.others, true) ?? 'samples';
  const branches = [samplesIn(others, range)];
  if (head !== null) branches.push(samplesIn(head, { from: range.from, to: hours.from }));
  if (tail !== null) branches.push(samplesIn(tail, { from: hours.to, to: range.to }));
  if (whole !== null) branches.push(rollupsIn(whole, sums, 'true'));
  if (inner !== null) branches.push(rollupsIn(inner, sums, timeCondition('s.hour_ms', hours)));
  const hasRollups = whole !== null || inner !== null;
  if (sums.keys !== null && hasRollups) await fillSumKeys(session, sums.keys);
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

/** Whether each hour lies in one step, so that its sum can. */
export function areStepsHourly({ from }: TimeRange, stepMs: number): boolean {
  return from % HOUR_MS === 0 && stepMs % HOUR_MS === 0;
}

function rollupsIn(source: string, { group, factor, types, ...sums }: SumPlan, hours: string) {
  const services = sums.services === null ? '' : ` AND s.service IN ${idList(sums.services)}`;
  const keys =
    sums.keys === null ? '' : 'JOIN sum_keys c ON s.service = c.service AND s.period = c.period';
  return `SELECT s.stack, s.hour_ms AS ts_ms, s.sum AS value, ${group} AS grp, ${factor} AS factor
    FROM ${source} s ${keys} WHERE ${types}${services} AND ${hours}`;
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
