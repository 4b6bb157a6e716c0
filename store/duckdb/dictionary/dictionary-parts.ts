/** Where the rows of a dictionary are, and how their ids come back into memory. */
import { randomBytes } from 'node:crypto';
import { assert } from '../../../profile/errors.ts';
import type { IdChunk, IdSorter } from '../../../profile/hash-table.ts';
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

/** The ids of rows that are read chunk by chunk, on their way into an index. */
export class IdRows {
  /** The least ref that the next row can have. */
  next: number;
  count = 0;
  readonly #index: IdIndex;
  readonly #first: number;
  readonly #found: boolean;
  readonly #sorter: IdSorter | null;
  readonly #chunks: IdChunk[] = [];
  readonly #gaps: number[] = [];

  /**
   * `found`: whether the rows are found by their ids. Where about `expected` rows are to come, they
   * are sorted as they come.
   */
  constructor(index: IdIndex, { found = true, expected = 0 } = {}) {
    this.#index = index;
    this.#first = index.count;
    this.next = index.count;
    this.#found = found;
    this.#sorter = expected === 0 ? null : index.committed.sorter(expected);
  }

  /** Takes the next rows, whose columns begin with `id, hash`; returns their refs, which ascend. */
  take(rows: ResultColumns): Uint32Array {
    const refs = rows.u32(0);
    let { next } = this;
    for (let row = 0; row < refs.length; row++) {
      const ref = refs[row] as number;
      if (ref < next) assert(false, `row ${row} of a dictionary has the id ${ref}`);
      if (ref > next) this.#gaps.push(next, ref);
      next = ref + 1;
    }
    const first = refs[0] ?? 0;
    const values = next - first === refs.length ? first : refs;
    const ids = this.#found ? rows.words(1) : randomIds(refs.length);
    if (this.#sorter === null) this.#chunks.push({ ids, values });
    else this.#sorter.add({ ids, values });
    this.count += rows.rows;
    this.next = next;
    return refs;
  }

  /** Whether numbers between the rows are of none. */
  get hasGaps(): boolean {
    return this.#gaps.length > 0;
  }

  load(): void {
    const { committed, count } = this.#index;
    assert(count === this.#first, 'rows follow those that are there');
    if (this.#sorter === null) committed.insertAll(this.#chunks);
    else committed.insertSorted(this.#sorter);
    this.#index.loaded(this.next, this.#gaps);
  }
}

/** Whether all rows of a file were read: those between its ids that it lacks are not used. */
export function isWholePart(
  { ids, file }: Part,
  { next, count }: { next: number; count: number },
): boolean {
  return next === ids[1] && count === file.rows;
}

/** Rows that are not there, until the next is the row `ref`: nothing lies between their offsets. */
export function skipTo(ref: number, offsets: SharedColumn<Uint32Array>, end: number): void {
  while (offsets.length <= ref) offsets.push(end);
}

function randomIds(rows: number): Int32Array {
  return new Int32Array(Uint8Array.from(randomBytes(8 * rows)).buffer);
}
