/**
 * Where rows are: the database's own tables and the blocks that a range meets, as one SQL source.
 * Every read of samples, profiles and windows goes through here.
 */
import { join } from 'node:path';
import type { TimeRange } from '../../../profile/units.ts';
import { type Block, fileOf, meets, type RowTable } from '../blocks/block.ts';
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

  /** Hot profiles and those of some blocks. */
  profilesOf(blocks: readonly Block[]): string {
    return this.#rows('profiles', blocks);
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

  #rows(table: RowTable, blocks: readonly Block[]): string {
    const paths: string[] = [];
    for (const block of blocks) {
      const file = fileOf(block, table);
      if (file === undefined) continue;
      this.#used.add(block);
      paths.push(join(this.#dataDir, file.name));
    }
    if (paths.length === 0) return table;
    const columns = columnNames(table).join(', ');
    return `(SELECT ${columns} FROM ${table}
      UNION ALL SELECT ${columns} FROM ${parquetRows(paths)})`;
  }
}
