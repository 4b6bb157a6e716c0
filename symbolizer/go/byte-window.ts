/** Integers of a long stretch of bytes of which only a small part is in memory. */
import type { ByteSource } from '../elf/byte-reader.ts';

const WINDOW_BYTES = 2 ** 16;
/** Whole passes over the stretch that its reads may add up to; those of real files need two. */
const MAX_PASSES = 4;
/** Of a short stretch that is read here and there. */
const MIN_LOADS = 256;

/**
 * Little-endian. Outside of the stretch everything is -1, and so is what lies outside of the window
 * after forged offsets have moved it to and fro too often.
 */
export class ByteWindow {
  readonly length: number;
  readonly #source: ByteSource;
  readonly #offset: number;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #start = 0;
  #budgetBytes: number;

  /** `offset` and `length` must be within `source`. */
  constructor(source: ByteSource, offset: number, length: number) {
    this.#source = source;
    this.#offset = offset;
    this.length = length;
    this.#budgetBytes = MAX_PASSES * length + MIN_LOADS * WINDOW_BYTES;
  }

  u8(at: number): number {
    return this.#load(at, 1) ? this.#view.getUint8(at - this.#start) : -1;
  }

  u32(at: number): number {
    return this.#load(at, 4) ? this.#view.getUint32(at - this.#start, true) : -1;
  }

  /** Of a pointer's size; -1 above 2^53. */
  word(at: number, size: 4 | 8): number {
    const low = this.u32(at);
    if (size === 4 || low < 0) return low;
    const high = this.u32(at + 4);
    return high >= 0 && high < 2 ** 21 ? high * 2 ** 32 + low : -1;
  }

  /** Whether `length` bytes from `at` on are within; then they are in memory. */
  #load(at: number, length: number): boolean {
    const within = at - this.#start;
    if (within >= 0 && within + length <= this.#view.byteLength) return true;
    if (!(at >= 0 && at + length <= this.length)) return false;
    const loaded = Math.min(WINDOW_BYTES, this.length - at);
    if (loaded > this.#budgetBytes) return false;
    this.#budgetBytes -= loaded;
    const bytes = this.#source.read(this.#offset + at, loaded);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = at;
    return true;
  }
}
