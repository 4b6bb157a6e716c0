/** Ranges of code with their names and line records, and which of those that overlap holds. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_CODE_RANGES } from '../../profile/limits.ts';
import { NO_TEXT } from '../code-piece.ts';

/** One row per range, in columns that grow. */
export class CodeRanges {
  count = 0;
  start = new Float64Array(1024);
  end = new Float64Array(1024);
  /** TextId or NO_TEXT. */
  name = new Int32Array(1024);
  /** The record's place in the encoder's bytes; length 0 = it has none. */
  recordAt = new Uint32Array(1024);
  recordLength = new Uint16Array(1024);
  /** Bytes of it that have a file and a line. */
  lineBytes = new Float64Array(1024);
  /** Inlined calls that no earlier range of the same piece has. */
  inlinedCalls = new Uint16Array(1024);

  add(
    start: number,
    end: number,
    name: number,
    recordAt: number,
    recordLength: number,
    lineBytes: number,
    inlinedCalls: number,
  ): void {
    if (this.count === this.start.length) this.#grow();
    const row = this.count++;
    this.start[row] = start;
    this.end[row] = end;
    this.name[row] = name;
    this.recordAt[row] = recordAt;
    this.recordLength[row] = recordLength;
    this.lineBytes[row] = lineBytes;
    this.inlinedCalls[row] = inlinedCalls;
  }

  #grow(): void {
    const length = this.count * 2;
    if (length > MAX_CODE_RANGES) {
      throw new EverflameError('too-large', `the file has over ${this.count} ranges of code`, {
        field: 'file',
        limit: `MAX_CODE_RANGES = ${MAX_CODE_RANGES}`,
        remedy: 'Split the program, or keep only its symbols (strip -g).',
      });
    }
    const { start, end, name, recordAt, recordLength, lineBytes, inlinedCalls } = this;
    this.start = new Float64Array(length);
    this.start.set(start);
    this.end = new Float64Array(length);
    this.end.set(end);
    this.name = new Int32Array(length);
    this.name.set(name);
    this.recordAt = new Uint32Array(length);
    this.recordAt.set(recordAt);
    this.recordLength = new Uint16Array(length);
    this.recordLength.set(recordLength);
    this.lineBytes = new Float64Array(length);
    this.lineBytes.set(lineBytes);
    this.inlinedCalls = new Uint16Array(length);
    this.inlinedCalls.set(inlinedCalls);
  }
}

/** Parts of ranges, sorted and disjoint. */
export interface RangeParts {
  count: number;
  /** Row of the ranges. */
  range: Int32Array;
  start: Float64Array;
  end: Float64Array;
  /** Ranges that lost code to another one. */
  overlapped: number;
}

/**
 * Where ranges overlap, one with a name holds over one without, as a damaged line program may claim
 * other units' code; else the one that was added first. The others keep what it leaves. One sweep
 * in order of start: O(n log n), at most two parts per range.
 */
export function disjointParts(ranges: CodeRanges): RangeParts {
  const { start, end, name, count } = ranges;
  const order = startOrder(ranges);
  const parts = newParts(count * 2);
  const open = new LowestFirst(count);
  let next = 0;
  let at = 0;
  while (next < count || open.size > 0) {
    if (open.size === 0) at = start[order[next] as number] as number;
    while (next < count && (start[order[next] as number] as number) <= at) {
      const row = order[next++] as number;
      open.push(name[row] === NO_TEXT ? count + row : row);
    }
    while (open.size > 0 && (end[open.lowest % count] as number) <= at) open.pop();
    if (open.size === 0) continue;
    const range = open.lowest % count;
    const limit = next < count ? (start[order[next] as number] as number) : Infinity;
    const until = Math.min(end[range] as number, limit);
    addPart(parts, range, at, until);
    at = until;
  }
  parts.overlapped = countOverlapped(ranges, parts);
  return parts;
}

function countOverlapped({ start, end, count }: CodeRanges, parts: RangeParts): number {
  const left = new Float64Array(count);
  for (let range = 0; range < count; range++) {
    left[range] = (end[range] as number) - (start[range] as number);
  }
  for (let part = 0; part < parts.count; part++) {
    const range = parts.range[part] as number;
    const kept = (parts.end[part] as number) - (parts.start[part] as number);
    left[range] = (left[range] as number) - kept;
  }
  let overlapped = 0;
  for (let range = 0; range < count; range++) if ((left[range] as number) > 0) overlapped++;
  return overlapped;
}

/** Rows by start, then in the order in which they were added. */
function startOrder({ start, count }: CodeRanges): Uint32Array {
  const order = new Uint32Array(count);
  let sorted = true;
  for (let row = 0; row < count; row++) {
    order[row] = row;
    if (row > 0 && (start[row] as number) < (start[row - 1] as number)) sorted = false;
  }
  if (sorted) return order;
  return order.sort((a, b) => (start[a] as number) - (start[b] as number) || a - b);
}

function newParts(room: number): RangeParts {
  return {
    count: 0,
    range: new Int32Array(room),
    start: new Float64Array(room),
    end: new Float64Array(room),
    overlapped: 0,
  };
}

function addPart(parts: RangeParts, range: number, start: number, end: number): void {
  const last = parts.count - 1;
  if (last >= 0 && parts.range[last] === range && parts.end[last] === start) {
    parts.end[last] = end;
    return;
  }
  const row = parts.count++;
  parts.range[row] = range;
  parts.start[row] = start;
  parts.end[row] = end;
}

/** A binary heap of ranks, the lowest on top. */
class LowestFirst {
  size = 0;
  readonly #rows: Uint32Array;

  constructor(room: number) {
    this.#rows = new Uint32Array(room);
  }

  get lowest(): number {
    return this.#rows[0] as number;
  }

  push(row: number): void {
    const rows = this.#rows;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((rows[parent] as number) <= row) break;
      rows[at] = rows[parent] as number;
      at = parent;
    }
    rows[at] = row;
  }

  pop(): void {
    const rows = this.#rows;
    const row = rows[--this.size] as number;
    let at = 0;
    for (let child = 1; child < this.size; child = 2 * at + 1) {
      if (child + 1 < this.size && (rows[child + 1] as number) < (rows[child] as number)) child++;
      if ((rows[child] as number) >= row) break;
      rows[at] = rows[child] as number;
      at = child;
    }
    rows[at] = row;
  }
}
