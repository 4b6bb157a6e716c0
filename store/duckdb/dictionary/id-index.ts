/**
 * 64-bit ids of one table to its dense refs. Refs are given when a batch is prepared and become
 * final when its transaction is committed; until then they live in a table of their own, so that
 * a failed transaction leaves no trace.
 */
import { assert } from '../../../profile/errors.ts';
import { SharedHashTable } from '../../../profile/hash-table.ts';

export class IdIndex {
  /** Only what is durable; shared with decoders. */
  readonly committed = new SharedHashTable();
  readonly #pending = new SharedHashTable();
  /** Ids of the refs from `committedCount` on, interleaved. */
  #pendingIds = new Int32Array(1_024);
  committedCount = 0;
  /** Refs given so far, final or not. */
  count = 0;

  /** The ref of an id, or -1. */
  find(low: number, high: number): number {
    const ref = this.committed.get(low, high);
    return ref >= 0 || this.#pending.size === 0 ? ref : this.#pending.get(low, high);
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
    this.#pending.clear();
    this.count = 0;
    this.committedCount = 0;
  }

  /** Gives the next refs to ids (interleaved) that are durable already and have none. */
  load(ids: Int32Array): void {
    assert(this.count === this.committedCount, 'nothing is pending while rows are loaded');
    this.committed.insertAll(ids, this.count);
    this.count += ids.length / 2;
    this.committedCount = this.count;
  }

  /** Ids of the refs `from` to `to`, none of them final yet, interleaved. */
  pendingIds(from: number, to: number): Int32Array {
    assert(from >= this.committedCount && to <= this.count, 'ids of refs that are not pending');
    const base = this.committedCount;
    return this.#pendingIds.subarray(2 * (from - base), 2 * (to - base));
  }

  /** Makes the refs below `end` final. */
  commit(end: number): void {
    const base = this.committedCount;
    if (end === base) return;
    const ids = this.#pendingIds;
    for (let ref = base; ref < end; ref++) {
      const at = 2 * (ref - base);
      this.committed.insert(ids[at] as number, ids[at + 1] as number, ref);
    }
    ids.copyWithin(0, 2 * (end - base), 2 * (this.count - base));
    this.committedCount = end;
    this.#pending.clear();
    for (let ref = end; ref < this.count; ref++) {
      const at = 2 * (ref - end);
      this.#pending.insert(ids[at] as number, ids[at + 1] as number, ref);
    }
  }

  /** Forgets every ref that is not final. */
  rollback(): void {
    if (this.count === this.committedCount) return;
    this.count = this.committedCount;
    this.#pending.clear();
  }

  get byteLength(): number {
    return this.committed.words.byteLength + this.#pending.words.byteLength;
  }
}
