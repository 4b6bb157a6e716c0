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
/** A part gets room for so many standard deviations more than the mean. */
const SPARE_DEVIATIONS = 6;
const STEP_WORDS = 4_096 * SLOT;

/** Ids, interleaved: low half, high half. */
export interface IdChunk {
  ids: Int32Array;
  /** Of each id, or of the first where the others follow it one by one. */
  values: Uint32Array | number;
}

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
   * Adds ids to a table that no other thread has yet. An atomic write waits for the memory that a
   * plain one leaves to the processor, which is most of the time in a large table.
   */
  insertAll(chunks: readonly IdChunk[]): void {
    const count = chunks.reduce((sum, { ids }) => sum + ids.length / 2, 0);
    if (count >= SORTED_IDS) {
      const sorter = this.sorter(count);
      for (const chunk of chunks) sorter.add(chunk);
      this.insertSorted(sorter);
      return;
    }
    this.reserve(count);
    for (const { ids, values } of chunks) {
      for (let at = 0; at < ids.length; at += 2) {
        const mark = valueAt(values, at / 2) + 1;
        placeUnseen(this.words, this.#mask, ids[at] as number, ids[at + 1] as number, mark);
      }
    }
    this.size += count;
  }

  /** Sorts about `count` ids for this table, which gets room for them. */
  sorter(count: number): IdSorter {
    this.reserve(count);
    return new IdSorter(this.#mask, count);
  }

  /** As `insertAll`. */
  insertSorted(sorter: IdSorter): void {
    this.reserve(sorter.count);
    const { words } = this;
    const mask = this.#mask;
    for (const triples of sorter.parts()) {
      for (let at = 0; at < triples.length; at += SLOT) {
        const low = triples[at] as number;
        placeUnseen(words, mask, low, triples[at + 1] as number, triples[at + 2] as number);
      }
    }
    this.size += sorter.count;
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

function valueAt(values: Uint32Array | number, row: number): number {
  return typeof values === 'number' ? values + row : (values[row] as number);
}

/**
 * Ids and their marks by parts of a table, one after the other: what is written then lies in the
 * processor's cache. 12 bytes each.
 */
export class IdSorter {
  count = 0;
  readonly #mask: number;
  readonly #shift: number;
  /** Triples that each part has room for. */
  readonly #room: number;
  readonly #triples: Int32Array;
  readonly #counts = new Uint32Array(2 ** PART_BITS);
  /** What found no room in its part: next to nothing where ids are evenly distributed. */
  readonly #spare: number[] = [];

  constructor(mask: number, count: number) {
    this.#mask = mask;
    this.#shift = Math.max(0, 32 - Math.clz32(mask) - PART_BITS);
    const mean = count / 2 ** PART_BITS;
    this.#room = Math.ceil(mean + SPARE_DEVIATIONS * Math.sqrt(mean)) + 1;
    this.#triples = new Int32Array(2 ** PART_BITS * this.#room * SLOT);
  }

  add({ ids, values }: IdChunk): void {
    const triples = this.#triples;
    const counts = this.#counts;
    const room = this.#room;
    for (let at = 0; at < ids.length; at += 2) {
      const low = ids[at] as number;
      const high = ids[at + 1] as number;
      const part = slotOf(low, high, this.#mask) >>> this.#shift;
      const row = counts[part] as number;
      const mark = valueAt(values, at / 2) + 1;
      if (row === room) {
        this.#spare.push(low, high, mark);
        continue;
      }
      counts[part] = row + 1;
      const to = (part * room + row) * SLOT;
      triples[to] = low;
      triples[to + 1] = high;
      triples[to + 2] = mark;
    }
    this.count += ids.length / 2;
  }

  *parts(): Generator<ArrayLike<number>> {
    for (const [part, count] of this.#counts.entries()) {
      const from = part * this.#room * SLOT;
      yield this.#triples.subarray(from, from + count * SLOT);
    }
    yield this.#spare;
  }
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
