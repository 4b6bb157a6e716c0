/**
 * Where rows are: the database's own tables and the blocks that a range meets, as one SQL source.
 * Every read of samples, profiles and windows goes through here.
 */
import { join } from 'node:path';
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import type { DamagedBlocks } from '../../store.ts';
import {
  type Block,
  type BlockFile,
  type DerivedTable,
  derivedOf,
  fileOf,
  meets,
  type RowTable,
} from '../blocks/block.ts';
import type { BlockList } from '../blocks/block-lists.ts';
import { columnNames } from '../schema.ts';
import { parquetRows } from '../sql/parquet-source.ts';

export class Sources {
  readonly list: BlockList;
  readonly #dataDir: string;
  readonly #used: Set<Block>;

  /** `used` gets the blocks whose files a query names. */
  constructor(list: BlockList, dataDir: string, used: Set<Block>) {
    this.list = list;
    this.#dataDir = dataDir;
    this.#used = used;
  }

  samples(range: TimeRange): string {
    return this.#rows('samples', this.blocksIn(range));
  }

  profiles(range: TimeRange): string {
    return this.#rows('profiles', this.blocksIn(range));
  }

  /** Rows of some blocks, with the hot rows where they are wanted; null where there are none. */
  rowsOf(table: RowTable, blocks: readonly Block[], hot: boolean): string | null {
    if (hot) return this.#rows(table, blocks);
    const paths = this.#paths(table, blocks);
    return paths.length === 0 ? null : parquetRows(paths);
  }

  /** Those that were reported again have more than one report here (replaced_windows). */
  windows(range: TimeRange): string {
    return this.#rows('windows', this.blocksIn(range));
  }

  /** Blocks with rows in a range; their rows need not all lie in it. */
  blocksIn(range: TimeRange): Block[] {
    return this.list.blocks.filter(
      (block) => block.kind === 'rows' && block.damaged === '' && meets(block, range),
    );
  }

  /** What an answer about a range lacks; null where that is nothing. */
  damagedIn(range: TimeRange): DamagedBlocks | null {
    const damaged = this.list.blocks.filter(
      (block) => block.kind === 'rows' && block.damaged !== '' && meets(block, range),
    );
    if (damaged.length === 0) return null;
    return {
      blocks: damaged.length,
      samples: damaged.reduce((sum, { samples }) => sum + samples, 0),
    };
  }

  /** Rows of a derived table of blocks that have one; null where there are none. */
  derivedFrom(table: DerivedTable, blocks: readonly Block[]): string | null {
    const paths = this.#pathsOf(blocks, (block) => derivedOf(block, table));
    return paths.length === 0 ? null : parquetRows(paths);
  }

  /**
   * Blocks by what of a range a derived table answers for, whose rows are of whole units of time
   * (an hour, a minute).
   */
  partsBy(
    table: DerivedTable,
    unitMs: number,
    blocks: readonly Block[],
    range: TimeRange,
  ): DerivedParts {
    const parts: DerivedParts = {
      ...{ whole: [], inner: [], head: [], tail: [], others: [] },
      fromMs: Math.ceil(range.from / unitMs) * unitMs,
      toMs: Math.floor(range.to / unitMs) * unitMs,
    };
    const { fromMs, toMs } = parts;
    for (const block of blocks) {
      if (derivedOf(block, table) === undefined) parts.others.push(block);
      else if (block.fromMs >= range.from && block.toMs <= range.to) parts.whole.push(block);
      else if (fromMs >= toMs || block.fromMs >= toMs || block.toMs <= fromMs) {
        parts.others.push(block);
      } else {
        parts.inner.push(block);
        if (block.fromMs < fromMs && range.from < fromMs) parts.head.push(block);
        if (block.toMs > toMs && range.to > toMs) parts.tail.push(block);
      }
    }
    return parts;
  }

  /**
   * The range's blocks by how their rows can be counted. `hot`: where hot rows of the
   * range lie.
   */
  partsOf(range: TimeRange, hot: readonly TimeRange[]): Parts {
    const blocks = this.blocksIn(range);
    const parts: Parts = { whole: [], edges: [], shared: [] };
    for (const block of blocks) {
      const isShared =
        blocks.some((other) => other !== block && meets(other, rangeOf(block))) ||
        hot.some((time) => meets(block, time));
      const isWhole = block.fromMs >= range.from && block.toMs <= range.to;
      if (isShared) parts.shared.push(block);
      else if (isWhole) parts.whole.push(block);
      else parts.edges.push(block);
    }
    return parts;
  }

  #rows(table: RowTable, blocks: readonly Block[]): string {
    const paths = this.#paths(table, blocks);
    if (paths.length === 0) return table;
    const columns = columnNames(table).join(', ');
    return `(SELECT ${columns} FROM ${table}
      UNION ALL SELECT ${columns} FROM ${parquetRows(paths)})`;
  }

  #paths(table: RowTable, blocks: readonly Block[]): string[] {
    return this.#pathsOf(blocks, (block) => fileOf(block, table));
  }

  #pathsOf(blocks: readonly Block[], fileIn: (block: Block) => BlockFile | undefined): string[] {
    const paths: string[] = [];
    for (const block of blocks) {
      const file = fileIn(block);
      if (file === undefined) continue;
      this.#used.add(block);
      paths.push(join(this.#dataDir, file.name));
    }
    return paths;
  }
}

export interface DerivedParts {
  /** The whole units of the range, in ms; `toMs` is exclusive. */
  fromMs: number;
  toMs: number;
  /** All of the block lies in the range. */
  whole: Block[];
  /** Its whole units in the range are read from the derived table. */
  inner: Block[];
  /** Of `inner`, those with rows before the whole units, and after them. */
  head: Block[];
  tail: Block[];
  /** No whole unit, or no such table. */
  others: Block[];
}

export interface Parts {
  /** Wholly in the range, and nothing else lies in their time: the catalogue counts them. */
  whole: Block[];
  /** Partly in the range, and nothing else lies in their time. */
  edges: Block[];
  /** Others, or hot rows, lie in their time too. */
  shared: Block[];
}

function rangeOf({ fromMs, toMs }: Block): TimeRange {
  return { from: fromMs as EpochMs, to: toMs as EpochMs };
}
