/**
 * Memory of one batch's columns in one piece: it moves to another thread at once, where some
 * twenty buffers would each cost a microsecond on either side and an object to collect.
 */
import { assert } from '../../profile/errors.ts';

/** Columns begin at multiples of this. */
const ALIGNMENT = 8;

export class ColumnBlock {
  readonly #buffer: ArrayBuffer;
  #used = 0;

  /** Room for `columns` columns that have `bytes` bytes together. */
  constructor(bytes: number, columns: number) {
    this.#buffer = new ArrayBuffer(bytes + columns * ALIGNMENT);
  }

  uint8(count: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer, this.#take(count), count);
  }

  uint16(count: number): Uint16Array<ArrayBuffer> {
    return new Uint16Array(this.#buffer, this.#take(count * 2), count);
  }

  int32(count: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.#buffer, this.#take(count * 4), count);
  }

  uint32(count: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.#buffer, this.#take(count * 4), count);
  }

  float64(count: number): Float64Array<ArrayBuffer> {
    return new Float64Array(this.#buffer, this.#take(count * 8), count);
  }

  #take(bytes: number): number {
    const at = this.#used;
    this.#used = Math.ceil((at + bytes) / ALIGNMENT) * ALIGNMENT;
    assert(this.#used <= this.#buffer.byteLength, 'a block has room for its columns');
    return at;
  }
}
