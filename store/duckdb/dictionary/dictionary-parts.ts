/** Where the rows of a dictionary are, and how their ids come back into memory. */
import { randomBytes } from 'node:crypto';
import { assert } from '../../../profile/errors.ts';
import { type Block, type BlockFile, type DictionaryTable, fileOf } from '../blocks/block.ts';
import type { BlockList } from '../blocks/block-lists.ts';
import type { ResultColumns } from '../sql/result-columns.ts';
import type { IdIndex } from './id-index.ts';
import type { SharedColumn } from './shared-column.ts';

export interface Sealed {
  dataDir: string;
  list: BlockList;
}

export interface Part {
  block: Block;
  file: BlockFile;
  ids: [first: number, end: number];
}

/** Files of a table in the order of their ids. */
export function partsOf(list: BlockList, table: DictionaryTable): Part[] {
  const parts: Part[] = [];
  for (const block of list.blocks) {
    const file = fileOf(block, table);
    if (file?.ids !== undefined) parts.push({ block, file, ids: file.ids });
  }
  return parts.sort((a, b) => a.ids[0] - b.ids[0]);
}

/** The ids of rows that are read chunk by chunk; all at once they are found sooner. */
export class IdRows {
  /** The least ref that the next row can have. */
  next: number;
  count = 0;
  readonly #first: number;
  readonly #hashes: Int32Array[] = [];
  /** Of each chunk; of one without a gap, its first. */
  readonly #refs: (Uint32Array | number)[] = [];

  constructor(first: number) {
    this.#first = first;
    this.next = first;
  }

  /** Takes the next rows, whose columns begin with `id, hash`; returns their refs, which ascend. */
  take(rows: ResultColumns): Uint32Array {
    const refs = rows.u32(0);
    let { next } = this;
    for (let row = 0; row < refs.length; row++) {
      const ref = refs[row] as number;
      if (ref < next) assert(false, `row ${row} of a dictionary has the id ${ref}`);
      next = ref + 1;
    }
    this.#hashes.push(rows.words(1));
    const first = refs[0] ?? 0;
    this.#refs.push(next - first === refs.length ? first : refs);
    this.count += rows.rows;
    this.next = next;
    return refs;
  }

  /** Whether numbers between the rows are of none. */
  get hasGaps(): boolean {
    return this.next - this.#first !== this.count;
  }

  /** `found`: whether the rows are found by their ids. */
  loadInto(index: IdIndex, found: boolean): void {
    assert(index.count === this.#first, 'rows follow those that are there');
    const ids = found ? new Int32Array(2 * this.count) : randomIds(this.count);
    let at = 0;
    for (const chunk of found ? this.#hashes : []) {
      ids.set(chunk, at);
      at += chunk.length;
    }
    if (this.hasGaps) index.load(ids, this.#allRefs());
    else index.load(ids);
  }

  #allRefs(): Uint32Array {
    const refs = new Uint32Array(this.count);
    let at = 0;
    for (const [chunk, taken] of this.#refs.entries()) {
      const end = at + (this.#hashes[chunk]?.length ?? 0) / 2;
      if (typeof taken !== 'number') refs.set(taken, at);
      else for (let row = at; row < end; row++) refs[row] = taken + row - at;
      at = end;
    }
    return refs;
  }
}

/** Whether all rows of a file were read: those between its ids that it lacks are not used. */
export function isWholePart({ ids, file }: Part, rows: IdRows): boolean {
  return rows.next === ids[1] && rows.count === file.rows;
}

/** Rows that are not there, until the next is the row `ref`: nothing lies between their offsets. */
export function skipTo(ref: number, offsets: SharedColumn<Uint32Array>, end: number): void {
  while (offsets.length <= ref) offsets.push(end);
}

function randomIds(rows: number): Int32Array {
  return new Int32Array(Uint8Array.from(randomBytes(8 * rows)).buffer);
}
