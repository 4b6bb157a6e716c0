/** Rows of samples, profiles and windows that wait for the next transaction, as columns. */
import { SAMPLED } from '../../../profile/window-counters.ts';
import type { WindowRow } from '../../store.ts';

const FIRST_CAPACITY = 4_096;

export class SampleBuffer {
  count = 0;
  type = new Uint16Array(FIRST_CAPACITY);
  service = new Uint32Array(FIRST_CAPACITY);
  series = new Uint32Array(FIRST_CAPACITY);
  /** 64-bit columns as low and high halves. */
  tsMs = new Int32Array(2 * FIRST_CAPACITY);
  stack = new Uint32Array(FIRST_CAPACITY);
  labelset = new Uint32Array(FIRST_CAPACITY);
  value = new Int32Array(2 * FIRST_CAPACITY);

  reserve(more: number): void {
    const needed = this.count + more;
    let capacity = this.type.length;
    if (needed <= capacity) return;
    while (capacity < needed) capacity *= 2;
    const type = new Uint16Array(capacity);
    type.set(this.type);
    this.type = type;
    this.service = grownWords(this.service, capacity);
    this.series = grownWords(this.series, capacity);
    this.stack = grownWords(this.stack, capacity);
    this.labelset = grownWords(this.labelset, capacity);
    this.tsMs = grownHalves(this.tsMs, capacity);
    this.value = grownHalves(this.value, capacity);
  }
}

export class ProfileBuffer {
  count = 0;
  series = new Uint32Array(FIRST_CAPACITY);
  tsMs = new Int32Array(2 * FIRST_CAPACITY);
  durationMs = new Float64Array(FIRST_CAPACITY);
  spanMs = new Float64Array(FIRST_CAPACITY);
  typeset = new Uint16Array(FIRST_CAPACITY);
  agent = new Uint32Array(FIRST_CAPACITY);
  seq = new Int32Array(2 * FIRST_CAPACITY);
  readonly comments: string[] = [];

  reserve(more: number): void {
    const needed = this.count + more;
    let capacity = this.series.length;
    if (needed <= capacity) return;
    while (capacity < needed) capacity *= 2;
    const durationMs = new Float64Array(capacity);
    durationMs.set(this.durationMs);
    this.durationMs = durationMs;
    const spanMs = new Float64Array(capacity);
    spanMs.set(this.spanMs);
    this.spanMs = spanMs;
    const typeset = new Uint16Array(capacity);
    typeset.set(this.typeset);
    this.typeset = typeset;
    this.series = grownWords(this.series, capacity);
    this.agent = grownWords(this.agent, capacity);
    this.tsMs = grownHalves(this.tsMs, capacity);
    this.seq = grownHalves(this.seq, capacity);
  }
}

export interface CounterRow {
  agent: number;
  host: string;
  report: number;
  window: WindowRow;
  counter: string;
  value: number;
}

/** A window always has the row `sampled`, so that every window has exactly one row of that name. */
export function counterRows(
  agent: number,
  host: string,
  report: number,
  window: WindowRow,
): CounterRow[] {
  const counters = { [SAMPLED]: 0, ...window.counters };
  return Object.entries(counters).map(([counter, value]) => ({
    agent,
    host,
    report,
    window,
    counter,
    value,
  }));
}

/** Writes a non-negative integer below 2^53, or -1, as row `row` of a 64-bit column. */
export function setHalves(column: Int32Array, row: number, value: number): void {
  const high = Math.floor(value / 4_294_967_296);
  column[2 * row] = value - high * 4_294_967_296;
  column[2 * row + 1] = high;
}

function grownWords(column: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(capacity);
  grown.set(column);
  return grown;
}

function grownHalves(column: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(2 * capacity);
  grown.set(column);
  return grown;
}
