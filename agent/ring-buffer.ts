/**
 * The consumer's side of a BPF ring buffer (kernel/bpf/ringbuf.c), over its mapped pages and without
 * system calls. The data area is mapped twice in a row, so no record is ever split.
 */
import { assert } from '../profile/errors.ts';

/** Header of a record: length and these bits in the first word, unused in the second. */
const HEADER_BYTES = 8;
/** The producer has reserved the record and not committed it yet. */
const BUSY = 0x8000_0000;
/** The producer gave the record up; it is stepped over. */
const DISCARD = 0x4000_0000;
const LENGTH = 0x3fff_ffff;

export interface RingMemory {
  /** The consumer's page: its position, written by us. */
  consumer: ArrayBuffer;
  /** The producer's page, its position first, then `2 * sizeBytes` of data; all read only. */
  producer: ArrayBuffer;
  /** Length of the producer's page. */
  pageBytes: number;
  /** A power of two. */
  sizeBytes: number;
}

/** Called with a record's first word in `words` and its length in bytes. */
export type RecordReader = (words: Int32Array, offset: number, lengthBytes: number) => void;

export class RingBuffer {
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #words: Int32Array;
  readonly #mask: number;

  constructor(memory: RingMemory) {
    const size = memory.sizeBytes;
    assert(size > 0 && (size & (size - 1)) === 0, 'a ring buffer is a power of two long');
    const expected = memory.pageBytes + 2 * size;
    assert(memory.producer.byteLength === expected, 'the data area is mapped twice');
    this.#consumer = new BigUint64Array(memory.consumer, 0, 1);
    this.#producer = new BigUint64Array(memory.producer, 0, 1);
    this.#words = new Int32Array(memory.producer, memory.pageBytes);
    this.#mask = size - 1;
  }

  /**
   * Reads all committed records, at most those that were there when it began, so that a busy
   * producer cannot hold us; returns how many. Positions and headers are read and written with
   * Atomics: on plain buffers these are still ordered loads and stores, which the protocol needs
   * (acquire of the producer's position and of each header, release of the consumer's position).
   */
  drain(read: RecordReader): number {
    const words = this.#words;
    let position = Number(Atomics.load(this.#consumer, 0));
    const end = Number(Atomics.load(this.#producer, 0));
    let count = 0;
    try {
      while (position < end) {
        const start = position & this.#mask;
        const header = Atomics.load(words, start >>> 2) >>> 0;
        if ((header & BUSY) !== 0) break;
        const length = header & LENGTH;
        position += (length + HEADER_BYTES + 7) & ~7;
        if ((header & DISCARD) !== 0) continue;
        count++;
        read(words, (start + HEADER_BYTES) >>> 2, length);
      }
    } finally {
      Atomics.store(this.#consumer, 0, BigInt(position));
    }
    return count;
  }
}
