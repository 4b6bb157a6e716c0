/**
 * The one way in which blocks change: files are written and made durable first, then one
 * transaction inserts and deletes rows of the catalogue together with the rows that moved.
 */
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import { sqlText } from '../schema.ts';
import { type Database, giveBackFreed } from '../sql/database.ts';
import { eachChunk, ResultColumns } from '../sql/result-columns.ts';
import { toStoreError } from '../sql/store-error.ts';
import {
  BLOCKS_FOLDER,
  type Block,
  type BlockFile,
  blockFileName,
  DICTIONARIES_FOLDER,
  type FileTable,
} from './block.ts';
import { removeFiles, sealFile, syncFolder } from './block-files.ts';
import type { BlockLists } from './block-lists.ts';
import {
  BLOCKS_VERSION,
  insertBlockSql,
  NEXT_BLOCK,
  readMetaNumber,
  setMetaSql,
} from './block-table.ts';

/** Where blocks are, and what there is of them. */
export interface BlockPlace {
  database: Database;
  lists: BlockLists;
  /** Number of the next block; numbers of blocks that came to nothing are not given again. */
  nextBlock: number;
  /** Deletes files (names) that no block and no reader can name any more. */
  discard: (names: readonly string[]) => void;
}

/** Rows of one row group: also what DuckDB reads and leaves out as a whole. */
const ROW_GROUP_ROWS = 122_880;

/** Tables with rows of blocks. */
const BLOCK_DETAILS = ['activity', 'agent_activity', 'agent_counters'] as const;

/** A transaction that is changing blocks. */
export class BlockChange {
  readonly added: Block[] = [];
  readonly dropped: Block[] = [];
  readonly written: string[] = [];
  /** `unknown` where not even a later read could tell: the next start removes what is left. */
  outcome: 'failed' | 'unknown' | 'committed' = 'failed';
  /** Hot rows are deleted, whether or not blocks change with them. */
  changesRows = false;
  readonly #place: BlockPlace;
  readonly #connection: duckdb.Connection;

  constructor(place: BlockPlace, connection: duckdb.Connection) {
    this.#place = place;
    this.#connection = connection;
  }

  /** The blocks before the change. */
  get blocks(): readonly Block[] {
    return this.#place.lists.current.blocks;
  }

  get dataDir(): string {
    return this.#place.database.dataDir;
  }

  async query(sql: string): Promise<ResultColumns> {
    return new ResultColumns(await duckdb.query(this.#connection, sql));
  }

  eachChunk(sql: string, visit: (rows: ResultColumns) => void): Promise<void> {
    return eachChunk(this.#connection, sql, visit);
  }

  /** Rows that a statement which answers with their number has changed. */
  async count(sql: string): Promise<number> {
    const words = (await this.query(sql)).words(0);
    return ((words[0] ?? 0) >>> 0) + (words[1] ?? 0) * 2 ** 32;
  }

  newId(): number {
    return this.#place.nextBlock++;
  }

  /** Writes what a query yields as the block's file of a table; null where that is nothing. */
  async copy(id: number, table: FileTable, select: string): Promise<BlockFile | null> {
    const name = blockFileName(id, table);
    const path = join(this.#place.database.dataDir, name);
    this.written.push(name);
    const rows = await this.#write(path, select, 'zstd');
    if (rows === 0) {
      await removeFiles(this.#place.database.dataDir, [name]);
      return null;
    }
    return { name, rows, ...(await sealFile(path)) };
  }

  /** Writes a file that is read in this change, and is not there any more after it. Its rows. */
  async copyPart(name: string, select: string): Promise<number> {
    this.written.push(name);
    const rows = await this.#write(join(this.#place.database.dataDir, name), select, 'lz4');
    // Of a day of a fleet there are a hundred parts, which left 120 MB more resident.
    await giveBackFreed(this.#connection);
    return rows;
  }

  #write(path: string, select: string, compression: 'zstd' | 'lz4'): Promise<number> {
    return this.count(
      `COPY (${select}) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION ${compression},
         ROW_GROUP_SIZE ${ROW_GROUP_ROWS}, USE_TMP_FILE false)`,
    );
  }

  add(block: Block): void {
    this.added.push(block);
  }

  /** Its files are deleted after the commit, when nobody can name them any more. */
  drop(block: Block): void {
    this.dropped.push(block);
  }

  get isEmpty(): boolean {
    return !this.changesRows && this.added.length === 0 && this.dropped.length === 0;
  }

  nextBlocks(): Block[] {
    const gone = new Set(this.dropped.map(({ id }) => id));
    const kept = this.blocks.filter(({ id }) => !gone.has(id));
    return [...kept, ...this.added].sort((a, b) => a.fromMs - b.fromMs || a.id - b.id);
  }

  /** The catalogue's rows; those of `activity` of added blocks are the caller's. */
  async writeCatalogue(version: number): Promise<void> {
    const statements = [
      ...this.dropped.flatMap(({ id }) => [
        `DELETE FROM blocks WHERE id = ${id}`,
        ...(this.added.some((block) => block.id === id)
          ? []
          : BLOCK_DETAILS.map((table) => `DELETE FROM ${table} WHERE block = ${id}`)),
      ]),
      ...this.added.map(insertBlockSql),
      setMetaSql(NEXT_BLOCK, this.#place.nextBlock),
      setMetaSql(BLOCKS_VERSION, version),
    ];
    for (const statement of statements) await this.query(statement);
  }
}

/**
 * Runs a change in a transaction on a connection of its own. After an error nothing has changed
 * and what was written is gone. Changes must not run at the same time (maintenance.ts sees to it).
 */
export async function changeBlocks<T>(
  place: BlockPlace,
  signal: AbortSignal,
  run: (change: BlockChange) => Promise<T>,
): Promise<T> {
  const connection = await place.database.connect();
  const interrupt = (): void => duckdb.interrupt(connection);
  signal.addEventListener('abort', interrupt);
  const change = new BlockChange(place, connection);
  try {
    signal.throwIfAborted();
    await duckdb.query(connection, 'BEGIN');
    const result = await run(change);
    if (change.isEmpty) {
      await duckdb.query(connection, 'ROLLBACK');
      return result;
    }
    await prepare(place, change);
    signal.throwIfAborted();
    // An interrupted COMMIT could be either.
    signal.removeEventListener('abort', interrupt);
    await commit(place, connection, change);
    await place.database.shortenLog();
    return result;
  } catch (cause) {
    place.database.noteFailure(cause);
    await Promise.allSettled([duckdb.query(connection, 'ROLLBACK')]);
    if (change.outcome === 'failed') await removeFiles(place.database.dataDir, change.written);
    if (signal.aborted) throw new EverflameError('cancelled', 'the store is closing', { cause });
    throw toStoreError(cause);
  } finally {
    signal.removeEventListener('abort', interrupt);
    duckdb.disconnect_sync(connection);
  }
}

async function prepare({ database, lists }: BlockPlace, change: BlockChange): Promise<void> {
  for (const folder of [BLOCKS_FOLDER, DICTIONARIES_FOLDER]) {
    await syncFolder(join(database.dataDir, folder));
  }
  await change.writeCatalogue(lists.current.version + 1);
}

async function commit(
  { database, lists, discard }: BlockPlace,
  connection: duckdb.Connection,
  change: BlockChange,
): Promise<void> {
  const version = lists.current.version + 1;
  lists.publish({ version, blocks: change.nextBlocks() });
  change.outcome = 'unknown';
  const [committed] = await Promise.allSettled([duckdb.query(connection, 'COMMIT')]);
  if (committed.status === 'rejected' && !(await isCommitted(database, version))) {
    change.outcome = 'failed';
    lists.withdraw();
    throw committed.reason;
  }
  change.outcome = 'committed';
  const kept = new Set(change.added.flatMap(({ files }) => files.map(({ name }) => name)));
  const names = change.dropped.flatMap(({ files }) => files.map(({ name }) => name));
  const gone = names.filter((name) => !kept.has(name));
  lists.commit(gone.length === 0 ? null : () => discard(gone));
}

/** A COMMIT that reports an error may have gone through. */
async function isCommitted(database: Database, version: number): Promise<boolean> {
  const connection = await database.connect();
  try {
    return (await readMetaNumber(connection, BLOCKS_VERSION)) >= version;
  } finally {
    duckdb.disconnect_sync(connection);
  }
}
