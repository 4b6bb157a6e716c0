/** The samples of one series in one window, summed by stack, and written as a pprof. */
import { PprofWriter } from '../profile/pprof/encode.ts';
import type { Frame, FrameMapping } from './frames.ts';

export interface ProfileTimes {
  startMs: number;
  lengthMs: number;
  /** ns of CPU time that a sample stands for. */
  periodNs: number;
}

const FIRST_WORDS = 256;
const FIRST_SLOTS = 16;
/** Every profile is written by the same writer, which keeps its buffers. */
const writer = new PprofWriter();

export class SeriesProfile {
  /** Sampled events in all stacks. */
  samples = 0;
  readonly #frames = new Map<Frame, number>();
  /** Stacks one after the other, as rows of `#frames`, leaf first; stack i ends at `#ends[i]`. */
  #words = new Uint32Array(FIRST_WORDS);
  readonly #ends: number[] = [];
  readonly #hashes: number[] = [];
  readonly #counts: number[] = [];
  /** Stack + 1 by its hash; 0 is a free slot. At most half are used. */
  #slots = new Uint32Array(FIRST_SLOTS);

  /** Adds samples of one stack, given in two parts, leaf first. */
  add(leafward: readonly Frame[], rootward: readonly Frame[], count: number): void {
    this.samples += count;
    const start = this.#ends.at(-1) ?? 0;
    const end = start + leafward.length + rootward.length;
    this.#reserve(end);
    const hash = this.#write(rootward, start + leafward.length, this.#write(leafward, start, 0));
    const known = this.#find(hash, start, end);
    if (known >= 0) {
      this.#counts[known] = (this.#counts[known] as number) + count;
      return;
    }
    this.#ends.push(end);
    this.#hashes.push(hash);
    this.#counts.push(count);
    if (2 * this.#counts.length > this.#slots.length) this.#rehash();
    else this.#place(this.#counts.length - 1);
  }

  encode({ startMs, lengthMs, periodNs }: ProfileTimes): Uint8Array {
    writer.sampleType({ type: 'samples', unit: 'count' });
    writer.sampleType({ type: 'cpu', unit: 'nanoseconds' });
    this.#writeLocations();
    const values = new Float64Array(2);
    let start = 0;
    for (let stack = 0; stack < this.#ends.length; stack++) {
      const end = this.#ends[stack] as number;
      const sample = writer.beginSample(this.#words, start, end);
      const count = this.#counts[stack] as number;
      values[0] = count;
      values[1] = count * periodNs;
      writer.values(values, 0);
      writer.endSample(sample);
      start = end;
    }
    writer.times(BigInt(startMs) * 1_000_000n, BigInt(lengthMs) * 1_000_000n);
    writer.period({ type: 'cpu', unit: 'nanoseconds' }, periodNs);
    return writer.finish();
  }

  #writeLocations(): void {
    const mappings = new Map<FrameMapping, number>();
    for (const { mapping, name, address } of this.#frames.keys()) {
      let row = mappings.get(mapping);
      if (row === undefined) {
        row = writer.mapping(mapping);
        mappings.set(mapping, row);
      }
      if (name === '') writer.nativeLocation(row, address);
      else writer.namedLocation(row, writer.function(name, name, '', 0));
    }
  }

  /** Writes rows behind the last stack; returns the hash continued. */
  #write(frames: readonly Frame[], at: number, hash: number): number {
    let mixed = hash;
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i] as Frame;
      let row = this.#frames.get(frame);
      if (row === undefined) {
        row = this.#frames.size;
        this.#frames.set(frame, row);
      }
      this.#words[at + i] = row;
      mixed = Math.imul(mixed ^ row, 0x9e37_79b1);
      mixed ^= mixed >>> 15;
    }
    return mixed;
  }

  /** The stack that equals the words from `start` to `end`, or -1. */
  #find(hash: number, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const stack = (this.#slots[slot] as number) - 1;
      if (stack < 0) return -1;
      if (this.#hashes[stack] === hash && this.#equals(stack, start, end)) return stack;
    }
  }

  #equals(stack: number, start: number, end: number): boolean {
    const known = stack === 0 ? 0 : (this.#ends[stack - 1] as number);
    if ((this.#ends[stack] as number) - known !== end - start) return false;
    for (let i = 0; i < end - start; i++) {
      if (this.#words[known + i] !== this.#words[start + i]) return false;
    }
    return true;
  }

  #place(stack: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#hashes[stack] as number) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = stack + 1;
  }

  #rehash(): void {
    this.#slots = new Uint32Array(2 * this.#slots.length);
    for (let stack = 0; stack < this.#counts.length; stack++) this.#place(stack);
  }

  #reserve(words: number): void {
    if (words <= this.#words.length) return;
    const larger = new Uint32Array(Math.max(words, 2 * this.#words.length));
    larger.set(this.#words);
    this.#words = larger;
  }
}
