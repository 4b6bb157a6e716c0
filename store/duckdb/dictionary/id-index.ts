/**
 * 64-bit ids of one table to its dense refs. Refs are given when a batch is prepared and become
 * final when its transaction is committed; until then they live in tables of their own, one for the
 * transaction that runs and one for what comes meanwhile, so that a failed transaction leaves no
 * trace and one that succeeds can be published bit by bit.
 */
import { assert } from '../../../profile/errors.ts';
import { SharedHashTable } from '../../../profile/hash-table.ts';
import { HiddenIds } from './hidden-ids.ts';
import type { RefSet } from './ref-set.ts';

/** Slots of a step: some tenths of a millisecond. */
const STEP_SLOTS = 2_048;

export class IdIndex {
  /** Only what is durable; shared with decoders. */
  committed = new SharedHashTable();
  /** Of the transaction that runs. */
  #frozen = new SharedHashTable();
  #frozenEnd = 0;
  #pending = new SharedHashTable();
  /** Ids of the refs from `committedCount` on, interleaved. */
  #pendingIds = new Int32Array(1_024);
  committedCount = 0;
  /** Refs below it are in `committed`. */
  #published = 0;
  /** Refs given so far, final or not. */
  count = 0;
  #hidden: HiddenIds | null = null;
  /** Begin and end of stretches of refs, ascending, that no row has any more. */
  readonly #gaps: number[] = [];

  /** The ref of an id, or -1. */
  find(low: number, high: number): number {
    let ref = this.committed.get(low, high);
    if (ref < 0 && this.#frozen.size > 0) ref = this.#frozen.get(low, high);
    if (ref < 0 && this.#pending.size > 0) ref = this.#pending.get(low, high);
    if (ref < 0 && this.#hidden !== null) ref = this.#hidden.find(low, high);
    return ref;
  }

  /** Gives the next ref to an id that has none. */
  assign(low: number, high: number): number {
    const at = 2 * (this.count - this.committedCount);
    if (at === this.#pendingIds.length) {
      const grown = new Int32Array(at * 2);
      grown.set(this.#pendingIds);
      this.#pendingIds = grown;
    }
    this.#pendingIds[at] = low;
    this.#pendingIds[at + 1] = high;
    this.#pending.insert(low, high, this.count);
    return this.count++;
  }

  /** Forgets everything; no other thread may have seen any of it. */
  clear(): void {
    this.committed.clear();
    this.#frozen.clear();
    this.#pending.clear();
    this.count = 0;
    this.committedCount = 0;
    this.#published = 0;
    this.#gaps.length = 0;
  }

  /** Whether a loaded ref has no row because nothing used it. */
  isGap(ref: number): boolean {
    let [low, high] = [0, this.#gaps.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#gaps[middle] as number) <= ref) low = middle + 1;
      else high = middle;
    }
    return low % 2 === 1;
  }

  /**
   * The refs up to `end` are those of rows that are durable already, and whose ids are in
   * `committed` by now; `gaps`: begins and ends of stretches of refs, ascending, that no row has.
   */
  loaded(end: number, gaps: readonly number[] = []): void {
    assert(this.count === this.committedCount, 'nothing is pending while rows are loaded');
    for (const edge of gaps) this.#gaps.push(edge);
    this.count = end;
    this.committedCount = end;
    this.#published = end;
  }

  /** Ids of the refs `from` to `to`, none of them final yet, interleaved. */
  pendingIds(from: number, to: number): Int32Array {
    assert(from >= this.committedCount && to <= this.count, 'ids of refs that are not pending');
    const base = this.committedCount;
    return this.#pendingIds.subarray(2 * (from - base), 2 * (to - base));
  }

  /** What was given so far is of the transaction that begins; returns the end of it. */
  freeze(): number {
    assert(this.#frozen.size === 0, 'one transaction at a time');
    [this.#frozen, this.#pending] = [this.#pending, this.#frozen];
    this.#frozenEnd = this.count;
    return this.count;
  }

  /** Shows up to `rows` more frozen refs, which must be durable, to other threads. */
  publish(rows: number): 'done' | 'more' {
    const base = this.committedCount;
    const ids = this.#pendingIds;
    const stop = Math.min(this.#frozenEnd, this.#published + rows);
    for (let ref = this.#published; ref < stop; ref++) {
      const at = 2 * (ref - base);
      this.committed.insert(ids[at] as number, ids[at + 1] as number, ref);
    }
    this.#published = Math.max(stop, this.#published);
    return this.#published >= this.#frozenEnd ? 'done' : 'more';
  }

  /** Makes what is frozen final. */
  commit(): void {
    const base = this.committedCount;
    const end = this.#frozenEnd;
    if (end <= base) return;
    this.publish(end - base);
    this.#pendingIds.copyWithin(0, 2 * (end - base), 2 * (this.count - base));
    this.committedCount = end;
    this.#frozen.clear();
  }

  /**
   * Hides ids of the refs that are not among those `used`, some `hidden`, from other threads, in
   * steps between which nothing may be published.
   */
  *hide(used: RefSet, hidden: number): Generator<void> {
    assert(this.#hidden === null, 'ids are hidden once');
    const { committed } = this;
    const shown = new SharedHashTable();
    shown.reserve(committed.size - hidden);
    const ids = new HiddenIds(used.end);
    ids.table.reserve(hidden);
    const move = (low: number, high: number, ref: number): void => {
      (used.has(ref) ? shown : ids.table).insert(low, high, ref);
    };
    for (let from = 0; from < committed.slots; from += STEP_SLOTS) {
      committed.visit(from, from + STEP_SLOTS, move);
      yield;
    }
    this.committed = shown;
    this.#hidden = ids;
  }

  /**
   * Shows hidden ids again that are `used` or were found meanwhile, and forgets the others, in
   * steps between which nothing may be published.
   */
  *settleHidden(used: RefSet): Generator<void> {
    const hidden = this.#hidden;
    if (hidden === null) return;
    const settle = (low: number, high: number, ref: number): void => {
      if (used.has(ref) || hidden.isTouched(ref)) this.committed.insert(low, high, ref);
      else hidden.drop(ref);
    };
    for (let from = 0; from < hidden.table.slots; from += STEP_SLOTS) {
      hidden.table.visit(from, from + STEP_SLOTS, settle);
      yield;
    }
    this.#hidden = null;
  }

  /** Rows that are found by their ids, final ones only. */
  get rows(): number {
    return this.committed.size + (this.#hidden?.table.size ?? 0);
  }

  /** Forgets every ref that is not final. */
  rollback(): void {
    if (this.count === this.committedCount) return;
    assert(this.#published === this.committedCount, 'what is durable stays');
    this.count = this.committedCount;
    this.#frozenEnd = this.count;
    this.#frozen.clear();
    this.#pending.clear();
  }

  get byteLength(): number {
    const { committed } = this;
    const tentative = this.#frozen.words.byteLength + this.#pending.words.byteLength;
    const hidden = this.#hidden?.table.words.byteLength ?? 0;
    return committed.words.byteLength + tentative + hidden;
  }
}
