/** Where the rows of a dictionary are, and how their ids come back into memory. */
import { randomBytes } from 'node:crypto';
import { assert } from '../../../profile/errors.ts';
import { type Block, type BlockFile, type DictionaryTable, fileOf } from '../blocks/block.ts';
import type { BlockList } from '../blocks/block-lists.ts';
import type { ResultColumns } from '../sql/result-columns.ts';
import type { IdIndex } from './id-index.ts';

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
  readonly #first: number;
  readonly #chunks: Int32Array[] = [];
  count = 0;

  constructor(first: number) {
    this.#first = first;
  }

  /** Takes the next rows, whose columns begin with `id, hash`. */
  take(rows: ResultColumns): void {
    const ids = rows.u32(0);
    const first = this.#first + this.count;
    for (let row = 0; row < ids.length; row++) {
      if (ids[row] !== first + row) {
        assert(false, `row ${row} of a dictionary has the id ${ids[row]}`);
      }
    }
    this.#chunks.push(rows.words(1));
    this.count += rows.rows;
  }

  /** `found`: whether the rows are found by their ids. */
  loadInto(index: IdIndex, found: boolean): void {
    assert(index.count === this.#first, 'rows follow those that are there');
    const ids = found ? new Int32Array(2 * this.count) : randomIds(this.count);
    let at = 0;
    for (const chunk of found ? this.#chunks : []) {
      ids.set(chunk, at);
      at += chunk.length;
    }
    index.load(ids);
  }
}

function randomIds(rows: number): Int32Array {
  return new Int32Array(Uint8Array.from(randomBytes(8 * rows)).buffer);
}
