/** Distinct texts as one array of bytes, found again by content: names and paths of one program. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_STRING_BYTES, MAX_SYMBOL_NAMES_BYTES } from '../../profile/limits.ts';
import type { TextId, Texts } from '../code-piece.ts';

/**
 * Slots that one search looks at. Texts made to collide are kept more than once rather than cost
 * time that grows with their square.
 */
const MAX_PROBES = 512;

export class TextTable implements Texts {
  #bytes = new Uint8Array(2 ** 16);
  /** Text i is from `offsets[i]` to `offsets[i + 1]`. */
  #offsets = new Uint32Array(2 ** 10);
  #hashes = new Uint32Array(2 ** 10);
  /** Open addressing: 0 = free, else 1 + the text's number. */
  #slots = new Int32Array(2 ** 11);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** What is over MAX_STRING_BYTES is cut off. */
  intern(bytes: Uint8Array, start: number, end: number): TextId {
    if (this.#count + 1 === this.#hashes.length) this.#growRows();
    const last = Math.min(end, start + MAX_STRING_BYTES);
    let hash = 0x811c_9dc5;
    for (let at = start; at < last; at++) {
      hash = Math.imul(hash ^ (bytes[at] as number), 0x0100_0193);
    }
    hash = (hash ^ (hash >>> 15)) >>> 0;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const text = (this.#slots[slot] as number) - 1;
      if (text < 0) {
        this.#slots[slot] = this.#count + 1;
        break;
      }
      if (this.#hashes[text] === hash && this.#isEqual(text, bytes, start, last)) {
        return text as TextId;
      }
      slot = (slot + 1) & mask;
    }
    return this.#append(hash, bytes, start, last);
  }

  internText(text: string): TextId {
    const bytes = Buffer.from(text, 'utf8');
    return this.intern(bytes, 0, bytes.length);
  }

  lengthOf(text: number): number {
    return (this.#offsets[text + 1] as number) - (this.#offsets[text] as number);
  }

  /** A view that is valid until the next text is added. */
  bytesOf(text: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[text], this.#offsets[text + 1]);
  }

  #isEqual(text: number, bytes: Uint8Array, start: number, end: number): boolean {
    const known = this.#bytes;
    let at = this.#offsets[text] as number;
    if ((this.#offsets[text + 1] as number) - at !== end - start) return false;
    for (let from = start; from < end; from++) if (known[at++] !== bytes[from]) return false;
    return true;
  }

  #append(hash: number, bytes: Uint8Array, start: number, end: number): TextId {
    const text = this.#count++;
    const begin = this.#offsets[text] as number;
    const length = end - start;
    if (begin + length > this.#bytes.length) this.#growBytes(begin, begin + length);
    for (let i = 0; i < length; i++) this.#bytes[begin + i] = bytes[start + i] as number;
    this.#offsets[text + 1] = begin + length;
    this.#hashes[text] = hash;
    return text as TextId;
  }

  #growBytes(used: number, needed: number): void {
    if (needed > MAX_SYMBOL_NAMES_BYTES) {
      throw new EverflameError('too-large', `the file's names and paths have ${needed} bytes`, {
        field: 'file',
        limit: `MAX_SYMBOL_NAMES_BYTES = ${MAX_SYMBOL_NAMES_BYTES}`,
        remedy: 'Strip local symbols (strip -x).',
      });
    }
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, used));
    this.#bytes = bytes;
  }

  #growRows(): void {
    const length = this.#hashes.length * 2;
    const offsets = new Uint32Array(length);
    const hashes = new Uint32Array(length);
    offsets.set(this.#offsets);
    hashes.set(this.#hashes);
    this.#offsets = offsets;
    this.#hashes = hashes;
    const slots = new Int32Array(length * 2);
    const mask = slots.length - 1;
    for (let text = 0; text < this.#count; text++) {
      let slot = (hashes[text] as number) & mask;
      let probe = 0;
      while (slots[slot] !== 0 && probe++ < MAX_PROBES) slot = (slot + 1) & mask;
      if (slots[slot] === 0) slots[slot] = text + 1;
    }
    this.#slots = slots;
  }
}
