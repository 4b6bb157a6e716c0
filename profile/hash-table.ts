/**
 * 64-bit id -> dense u32 by open addressing in shared memory. One thread inserts; others may look
 * up at any time and see either the entry whole or not at all.
 */
import { assert } from './errors.ts';

/** Words per slot: id low half, id high half, value + 1 (0 marks an empty slot). */
const SLOT = 3;
const FIRST_SLOTS = 1024;
/** A larger table is given back when it is emptied. */
const KEPT_SLOTS = 2 ** 16;
/** Over so many, ids are sorted before they are inserted, into so many parts. */
const SORTED_IDS = 2 ** 16;
const PART_BITS = 8;
const STEP_WORDS = 4_096 * SLOT;

export class SharedHashTable {
  /** Shared with other threads by passing it in a message and `new SharedHashTable(words, n)`. */
  words: Int32Array;
  size: number;
  #mask: number;

  constructor(words?: Int32Array, size = 0) {
    this.words = words ?? allocate(FIRST_SLOTS);
    this.size = size;
    this.#mask = this.words.length / SLOT - 1;
    assert((this.#mask & (this.#mask + 1)) === 0, 'hash table slots are a power of two');
  }

  /** The value stored under the id, or -1. */
  get(low: number, high: number): number {
    const words = this.words;
    const mask = this.#mask;
    const wantedLow = low | 0;
    const wantedHigh = high | 0;
    // Every word is written once, so one that is not zero is final. Atomic reads cost several times
    // as much and are only needed where zero, what an unwritten word holds too, is what is sought.
    if (wantedLow === 0 || wantedHigh === 0) return this.#getAtomic(wantedLow, wantedHigh);
    for (let slot = slotOf(low, high, mask); ; slot = (slot + 1) & mask) {
      const base = slot * SLOT;
      const value = words[base + 2] as number;
      if (value === 0) return -1;
      if (words[base] === wantedLow && words[base + 1] === wantedHigh) return value - 1;
    }
  }

  #getAtomic(low: number, high: number): number {
    const words = this.words;
    const mask = this.#mask;
    for (let slot = slotOf(low, high, mask); ; slot = (slot + 1) & mask) {
      const base = slot * SLOT;
      const value = Atomics.load(words, base + 2);
      if (value === 0) return -1;
      if (words[base] === low && words[base + 1] === high) return value - 1;
    }
  }

  /** Adds an id that is not in the table yet. Readers of the old `words` keep a valid older view. */
  insert(low: number, high: number, value: number): void {
    this.reserve(1);
    place(this.words, this.#mask, low | 0, high | 0, value + 1);
    this.size++;
  }

  /**
   * Adds ids (interleaved) with the values `first`, `first` + 1, ..., or those that are told, to
   * a table that no other thread has yet. An atomic write waits for the memory that a plain one
   * leaves to the processor, which is most of the time in a large table.
   */
  insertAll(ids: Int32Array, first: number, values?: Uint32Array): void {
    const count = ids.length / 2;
    this.reserve(count);
    const { words } = this;
    const mask = this.#mask;
    const triples = count < SORTED_IDS ? null : sortBySlot(ids, first, mask, values);
    if (triples === null) {
      for (let row = 0; row < count; row++) {
        const mark = (values === undefined ? first + row : (values[row] as number)) + 1;
        placeUnseen(words, mask, ids[2 * row] as number, ids[2 * row + 1] as number, mark);
      }
    } else {
      for (let at = 0; at < triples.length; at += SLOT) {
        const low = triples[at] as number;
        placeUnseen(words, mask, low, triples[at + 1] as number, triples[at + 2] as number);
      }
    }
    this.size += count;
  }

  get slots(): number {
    return this.#mask + 1;
  }

  /** Visits what the slots `from` to `end` hold. */
  visit(from: number, end: number, see: (low: number, high: number, value: number) => void): void {
    const stop = Math.min(end, this.slots) * SLOT;
    for (let base = from * SLOT; base < stop; base += SLOT) {
      const mark = this.words[base + 2] as number;
      if (mark === 0) continue;
      see(this.words[base] as number, this.words[base + 1] as number, mark - 1);
    }
  }

  /** Makes room for so many more, so that inserting them moves nothing. Two of three slots fill. */
  reserve(more: number): void {
    const slots = this.#slotsFor(more);
    if (slots === this.#mask + 1) return;
    const words = allocate(slots);
    move(this.words, 0, this.words.length, words);
    this.words = words;
    this.#mask = slots - 1;
  }

  /** Empties a table that no other thread has. */
  clear(): void {
    if (this.#mask >= KEPT_SLOTS) {
      this.words = allocate(FIRST_SLOTS);
      this.#mask = FIRST_SLOTS - 1;
    } else if (this.size > 0) {
      this.words.fill(0);
    }
    this.size = 0;
  }

  /** As `reserve`, in steps of less than a millisecond, between which nothing may be added. */
  *reserveInSteps(more: number): Generator<void> {
    const slots = this.#slotsFor(more);
    if (slots === this.#mask + 1) return;
    const words = allocate(slots);
    for (let from = 0; from < this.words.length; from += STEP_WORDS) {
      move(this.words, from, from + STEP_WORDS, words);
      yield;
    }
    this.words = words;
    this.#mask = slots - 1;
  }

  #slotsFor(more: number): number {
    const needed = (this.size + more) * 1.5;
    let slots = this.#mask + 1;
    while (slots < needed) slots *= 2;
    return slots;
  }
}

function allocate(slots: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(slots * SLOT * Int32Array.BYTES_PER_ELEMENT));
}

/** Ids are uniformly distributed hashes under a secret key, so their own bits are the slot. */
function slotOf(low: number, high: number, mask: number): number {
  return (low ^ (high >>> 7)) & mask;
}

/**
 * Ids and their marks, those of one part of the table after those of another, so that what is
 * written lies in the processor's cache.
 */
function sortBySlot(
  ids: Int32Array,
  first: number,
  mask: number,
  values: Uint32Array | undefined,
): Int32Array {
  const shift = Math.max(0, 32 - Math.clz32(mask) - PART_BITS);
  const ends = new Uint32Array(2 ** PART_BITS + 1);
  for (let at = 0; at < ids.length; at += 2) {
    const part = slotOf(ids[at] as number, ids[at + 1] as number, mask) >>> shift;
    ends[part + 1] = (ends[part + 1] as number) + 1;
  }
  for (let part = 1; part < ends.length; part++) {
    ends[part] = (ends[part] as number) + (ends[part - 1] as number);
  }
  const triples = new Int32Array((ids.length / 2) * SLOT);
  for (let at = 0; at < ids.length; at += 2) {
    const low = ids[at] as number;
    const high = ids[at + 1] as number;
    const part = slotOf(low, high, mask) >>> shift;
    const to = ends[part] as number;
    ends[part] = to + 1;
    triples[to * SLOT] = low;
    triples[to * SLOT + 1] = high;
    const value = values === undefined ? first + at / 2 : (values[at / 2] as number);
    triples[to * SLOT + 2] = value + 1;
  }
  return triples;
}

/** Places what the words `from` to `end` of a table hold in one that no other thread has yet. */
function move(old: Int32Array, from: number, end: number, words: Int32Array): void {
  const mask = words.length / SLOT - 1;
  const stop = Math.min(end, old.length);
  for (let base = from; base < stop; base += SLOT) {
    const mark = old[base + 2] as number;
    if (mark === 0) continue;
    placeUnseen(words, mask, old[base] as number, old[base + 1] as number, mark);
  }
}

/** In a table that no other thread has yet. */
function placeUnseen(
  words: Int32Array,
  mask: number,
  low: number,
  high: number,
  mark: number,
): void {
  let slot = slotOf(low, high, mask);
  while (words[slot * SLOT + 2] !== 0) slot = (slot + 1) & mask;
  words[slot * SLOT] = low;
  words[slot * SLOT + 1] = high;
  words[slot * SLOT + 2] = mark;
}

function place(words: Int32Array, mask: number, low: number, high: number, mark: number): void {
  let slot = slotOf(low, high, mask);
  while (words[slot * SLOT + 2] !== 0) slot = (slot + 1) & mask;
  words[slot * SLOT] = low;
  words[slot * SLOT + 1] = high;
  Atomics.store(words, slot * SLOT + 2, mark);
}
