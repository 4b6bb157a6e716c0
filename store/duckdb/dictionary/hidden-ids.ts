/**
 * Ids of rows that seem to be unused. Other threads do not find them any more; a batch that names
 * one still does, which keeps it.
 */
import { SharedHashTable } from '../../../profile/hash-table.ts';
import { RefSet } from './ref-set.ts';

export class HiddenIds {
  readonly table = new SharedHashTable();
  readonly #touched: RefSet;
  readonly #dropped: RefSet;

  /** All refs are below `end`. */
  constructor(end: number) {
    this.#touched = new RefSet(end);
    this.#dropped = new RefSet(end);
  }

  /** The ref of an id that is hidden, which then stays; or -1. */
  find(low: number, high: number): number {
    const ref = this.table.get(low, high);
    if (ref < 0 || this.#dropped.has(ref)) return -1;
    this.#touched.add(ref);
    return ref;
  }

  isTouched(ref: number): boolean {
    return this.#touched.has(ref);
  }

  drop(ref: number): void {
    this.#dropped.add(ref);
  }
}
