/**
 * Typed arrays that live as long as one job. A tree of half a million nodes takes 40 MB of columns;
 * fresh ones for each query cost more in page faults and collections than the sums themselves.
 */

/** Where columns come from. What is in them is arbitrary: who needs zeros clears them. */
export interface ColumnSource {
  uint8(count: number): Uint8Array;
  uint16(count: number): Uint16Array;
  int32(count: number): Int32Array;
  uint32(count: number): Uint32Array;
  float64(count: number): Float64Array;
}

/** Columns of their own, for callers that keep what they get. */
export const FRESH_COLUMNS: ColumnSource = {
  uint8: (count) => new Uint8Array(count),
  uint16: (count) => new Uint16Array(count),
  int32: (count) => new Int32Array(count),
  uint32: (count) => new Uint32Array(count),
  float64: (count) => new Float64Array(count),
};

const CHUNK_BYTES = 8 * 2 ** 20;
/** Memory that stays between jobs: an answer of a million nodes. */
const KEPT_BYTES = 96 * 2 ** 20;

/** Columns out of chunks that are used again, as they are. After `reset`, all that were given out are invalid. */
export class Arena implements ColumnSource {
  #chunks: ArrayBuffer[] = [];
  /** The chunk in use and the bytes of it that are given out. */
  #current = 0;
  #used = 0;

  reset(): void {
    let kept = 0;
    this.#chunks = this.#chunks.filter((chunk) => {
      kept += chunk.byteLength;
      return kept <= KEPT_BYTES;
    });
    this.#current = 0;
    this.#used = 0;
  }

  uint8(count: number): Uint8Array {
    return this.#take(count, (buffer, offset) => new Uint8Array(buffer, offset, count));
  }

  uint16(count: number): Uint16Array {
    return this.#take(count * 2, (buffer, offset) => new Uint16Array(buffer, offset, count));
  }

  int32(count: number): Int32Array {
    return this.#take(count * 4, (buffer, offset) => new Int32Array(buffer, offset, count));
  }

  uint32(count: number): Uint32Array {
    return this.#take(count * 4, (buffer, offset) => new Uint32Array(buffer, offset, count));
  }

  float64(count: number): Float64Array {
    return this.#take(count * 8, (buffer, offset) => new Float64Array(buffer, offset, count));
  }

  #take<T>(bytes: number, make: (buffer: ArrayBuffer, offset: number) => T): T {
    let chunk = this.#chunks[this.#current];
    while (chunk !== undefined && this.#used + bytes > chunk.byteLength) {
      chunk = this.#chunks[++this.#current];
      this.#used = 0;
    }
    if (chunk === undefined) {
      chunk = new ArrayBuffer(Math.max(CHUNK_BYTES, bytes));
      this.#chunks.push(chunk);
    }
    const offset = this.#used;
    this.#used = (offset + bytes + 7) & ~7;
    return make(chunk, offset);
  }
}
