/** Append-only columns in shared memory: the main thread appends, snapshots cover what is final. */
import { EverflameError } from '../../../profile/errors.ts';

type Words = Uint8Array | Uint32Array;

/** Rows, bytes and refs of dictionaries are u32, so no column may have more elements. */
const MAX_COLUMN_LENGTH = 2 ** 32 - 1;

export class SharedColumn<T extends Words> {
  /** Whole capacity; rows from `length` on are not valid. */
  data: T;
  length = 0;
  readonly #make: (buffer: SharedArrayBuffer) => T;

  constructor(make: (buffer: SharedArrayBuffer) => T) {
    this.#make = make;
    this.data = make(new SharedArrayBuffer(4_096));
  }

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  append(values: ArrayLike<number>): void {
    this.reserve(values.length);
    this.data.set(values, this.length);
    this.length += values.length;
  }

  /** Appends rows of `width` elements at the places `refs`, which ascend; what they skip is 0. */
  place(refs: Uint32Array, values: ArrayLike<number>, width = 1): void {
    const last = refs.at(-1);
    if (last === undefined) return;
    if (last + 1 - this.length / width === refs.length) {
      this.append(values);
      return;
    }
    this.extend((last + 1) * width - this.length);
    for (let at = 0; at < values.length; at++) {
      const ref = refs[Math.floor(at / width)] as number;
      this.data[ref * width + (at % width)] = values[at] as number;
    }
  }

  /** Makes it longer; the new elements are 0 until they are written. */
  extend(more: number): void {
    this.reserve(more);
    this.length += more;
  }

  /** Makes room for `more` elements. Snapshots keep the buffer they were made of. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.data.length) return;
    if (needed > MAX_COLUMN_LENGTH) {
      throw new EverflameError('storage-full', 'a dictionary column is full', {
        limit: `MAX_COLUMN_LENGTH = ${MAX_COLUMN_LENGTH}`,
        remedy: 'Shorten the retention, or send fewer distinct stacks and names.',
      });
    }
    // Twice as much for what comes bit by bit; no more than is asked for by who knows the end.
    const capacity = Math.max(needed, Math.min(this.data.length * 2, MAX_COLUMN_LENGTH));
    const grown = this.#make(
      new SharedArrayBuffer(capacity * this.data.BYTES_PER_ELEMENT) as SharedArrayBuffer,
    );
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  /** The first `count` elements, without a copy. */
  first(count: number): T {
    return this.data.subarray(0, count) as T;
  }

  get byteLength(): number {
    return this.data.byteLength;
  }
}

export function sharedWords(): SharedColumn<Uint32Array> {
  return new SharedColumn((buffer) => new Uint32Array(buffer));
}

export function sharedBytes(): SharedColumn<Uint8Array> {
  return new SharedColumn((buffer) => new Uint8Array(buffer));
}
