import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RingBuffer } from './ring-buffer.ts';

const PAGE = 4_096;
const SIZE = 4_096;

/** The producer's side as the kernel does it, with the data area mapped twice. */
class Producer {
  readonly consumer = new ArrayBuffer(PAGE);
  readonly producer = new ArrayBuffer(PAGE + 2 * SIZE);
  readonly ring: RingBuffer;
  position = 0;

  constructor() {
    const { consumer, producer } = this;
    this.ring = new RingBuffer({ consumer, producer, pageBytes: PAGE, sizeBytes: SIZE });
  }

  get consumed(): number {
    return Number(new BigUint64Array(this.consumer)[0]);
  }

  /** A record whose payload is `length` bytes of `fill`; false if there is no room. */
  write(length: number, fill: number, flags = 0): boolean {
    const total = (length + 8 + 7) & ~7;
    if (this.position + total - this.consumed > SIZE) return false;
    this.#poke(this.position, Uint32Array.of((length | flags) >>> 0, 0));
    this.#poke(this.position + 8, new Uint8Array(length).fill(fill));
    this.position += total;
    new BigUint64Array(this.producer, 0, 1)[0] = BigInt(this.position);
    return true;
  }

  commit(position: number, length: number): void {
    this.#poke(position, Uint32Array.of(length));
  }

  #poke(position: number, bytes: Uint32Array | Uint8Array): void {
    const data = new Uint8Array(this.producer, PAGE);
    new Uint8Array(bytes.buffer).forEach((byte, i) => {
      const at = (position + i) % SIZE;
      data[at] = byte;
      data[at + SIZE] = byte;
    });
  }

  /** Each record as `length:fill`, with a `!` where its bytes differ. */
  drain(): string[] {
    const seen: string[] = [];
    this.ring.drain((words, offset, length) => {
      const bytes = new Uint8Array(words.buffer, words.byteOffset + offset * 4, length);
      const same = bytes.every((byte) => byte === bytes[0]);
      seen.push(`${length}:${bytes[0] ?? '-'}${same ? '' : '!'}`);
    });
    return seen;
  }
}

const BUSY = 0x8000_0000;
const DISCARD = 0x4000_0000;

describe('drain', () => {
  test('records come in order, once, and their room is given back', () => {
    const p = new Producer();
    p.write(64, 1);
    p.write(56, 2);
    expect(p.drain()).toEqual(['64:1', '56:2']);
    expect(p.consumed).toBe(72 + 64);
    expect(p.drain()).toEqual([]);
  });

  test('a busy record holds back those after it', () => {
    const p = new Producer();
    p.write(8, 1);
    p.write(16, 2, BUSY);
    p.write(24, 3);
    expect(p.drain()).toEqual(['8:1']);
    p.commit(16, 16);
    expect(p.drain()).toEqual(['16:2', '24:3']);
  });

  test('a discarded record is stepped over', () => {
    const p = new Producer();
    p.write(8, 1, DISCARD);
    p.write(8, 2);
    expect(p.drain()).toEqual(['8:2']);
    expect(p.consumed).toBe(32);
  });

  test('a reader that throws does not see its record again', () => {
    const p = new Producer();
    p.write(8, 1);
    p.write(8, 2);
    const fail = () => {
      throw new Error('no');
    };
    expect(() => p.ring.drain(fail)).toThrow('no');
    expect(p.drain()).toEqual(['8:2']);
  });

  test('any sequence of writes and drains loses and invents nothing', () => {
    const step = fc.oneof(
      fc.record({ length: fc.integer({ min: 1, max: 1_500 }), fill: fc.nat(255) }),
      fc.constant(null),
    );
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const p = new Producer();
      const wrote: string[] = [];
      const read: string[] = [];
      for (const write of steps) {
        if (write === null) read.push(...p.drain());
        else if (p.write(write.length, write.fill)) wrote.push(`${write.length}:${write.fill}`);
      }
      read.push(...p.drain());
      expect(read).toEqual(wrote);
    });
    fc.assert(property, { seed: 11, numRuns: 300 });
  });
});
