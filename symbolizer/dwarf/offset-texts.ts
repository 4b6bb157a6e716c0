/** Texts by where in a section they are, for readers that meet the same offsets again and again. */
import type { TextId } from '../code-piece.ts';

/** What `get` returns for an offset that is not here. */
export const NOT_KNOWN = -2;

/** Texts that stay in memory, 16 MB; then it starts anew. */
const MAX_TEXTS = 1_000_000;
/** Slots that one search looks at. Offsets made to collide are not remembered. */
const MAX_PROBES = 32;
const FIRST_SLOTS = 2 ** 10;

/** Open addressing, at most half full: a Map of numbers takes three times as long. */
export class OffsetTexts {
  /** 1 + offset; 0 = free. */
  #keys = new Uint32Array(FIRST_SLOTS);
  #texts = new Int32Array(FIRST_SLOTS);
  #count = 0;

  /** A TextId, NO_TEXT or NOT_KNOWN. */
  get(offset: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let slot = slotOf(offset) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const key = keys[slot] as number;
      if (key === offset + 1) return this.#texts[slot] as number;
      if (key === 0) return NOT_KNOWN;
      slot = (slot + 1) & mask;
    }
    return NOT_KNOWN;
  }

  /** Of an offset that is not here. */
  set(offset: number, text: TextId): void {
    if (!(offset < 2 ** 32 - 1)) return;
    if ((this.#count + 1) * 2 > this.#keys.length) this.#grow();
    this.#put(offset + 1, text);
  }

  #put(key: number, text: number): void {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let slot = slotOf(key - 1) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      if (keys[slot] === 0) {
        keys[slot] = key;
        this.#texts[slot] = text;
        this.#count++;
        return;
      }
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const keys = this.#keys;
    const texts = this.#texts;
    const isFull = this.#count >= MAX_TEXTS;
    const length = isFull ? FIRST_SLOTS : keys.length * 2;
    this.#keys = new Uint32Array(length);
    this.#texts = new Int32Array(length);
    this.#count = 0;
    if (isFull) return;
    for (let slot = 0; slot < keys.length; slot++) {
      const key = keys[slot] as number;
      if (key !== 0) this.#put(key, texts[slot] as number);
    }
  }
}

function slotOf(offset: number): number {
  const mixed = Math.imul(offset, 0x9e37_79b1);
  return mixed ^ (mixed >>> 15);
}
