/** Where in time blocks lie over each other or over hot rows: profiles may have rows in both. */
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { Block } from '../blocks/block.ts';
import { timeCondition } from './selection.ts';

/** A condition of more of them would cost more than the rows between. */
const MAX_TIMES = 16;

/** Parts of the range, in order and apart from each other. `hot`: where hot rows lie. */
export function sharedTimes(
  blocks: readonly Pick<Block, 'fromMs' | 'toMs'>[],
  hot: readonly TimeRange[],
  range: TimeRange,
): TimeRange[] {
  const found: TimeRange[] = [];
  const hotParts = joined(hot);
  let reachedMs = Number.NEGATIVE_INFINITY;
  for (const { fromMs, toMs } of [...blocks].sort((a, b) => a.fromMs - b.fromMs)) {
    add(found, fromMs, Math.min(toMs, reachedMs), range);
    reachedMs = Math.max(reachedMs, toMs);
    for (const { from, to } of hotParts) {
      add(found, Math.max(from, fromMs), Math.min(to, toMs), range);
    }
  }
  return joined(found);
}

function add(found: TimeRange[], fromMs: number, toMs: number, range: TimeRange): void {
  const from = Math.max(fromMs, range.from) as EpochMs;
  const to = Math.min(toMs, range.to) as EpochMs;
  if (from < to) found.push({ from, to });
}

/** Those that touch as one; all of them where they are many. */
function joined(times: readonly TimeRange[]): TimeRange[] {
  const parts: TimeRange[] = [];
  for (const { from, to } of [...times].sort((a, b) => a.from - b.from)) {
    const last = parts.at(-1);
    if (last !== undefined && from <= last.to) {
      last.to = Math.max(last.to, to) as EpochMs;
    } else {
      parts.push({ from, to });
    }
  }
  const [first, last] = [parts[0], parts.at(-1)];
  if (parts.length <= MAX_TIMES || first === undefined || last === undefined) return parts;
  return [{ from: first.from, to: last.to }];
}

/** SQL: whether a time lies in one of them. */
export function isInTimes(column: string, times: readonly TimeRange[]): string {
  return `(${times.map((time) => `(${timeCondition(column, time)})`).join(' OR ')})`;
}
