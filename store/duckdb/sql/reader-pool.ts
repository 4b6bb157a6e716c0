/** Connections for reading: a few, because each query occupies a thread; callers wait in line. */
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import type { Block } from '../blocks/block.ts';
import type { BlockLists } from '../blocks/block-lists.ts';
import { BLOCKS_VERSION } from '../blocks/block-table.ts';
import { type Repair, withoutDamaged } from '../blocks/without-damaged.ts';
import { Sources } from '../read/sources.ts';
import { sqlText } from '../schema.ts';
import type { Database } from './database.ts';
import { ResultColumns } from './result-columns.ts';
import { toStoreError } from './store-error.ts';
import { type ChunkWriter, type ColumnType, TableAppender } from './table-appender.ts';

/** A query has up to three reads at once, and each occupies a thread of libuv's pool. */
const MAX_READERS = 10;
/** The first read of a transaction fixes what it sees: this one also tells which blocks. */
const BEGIN = `BEGIN; SELECT value FROM meta WHERE name = ${sqlText(BLOCKS_VERSION)}`;

/** One read: all its queries see the store as of one moment. */
export class ReadSession {
  readonly sources: Sources;
  readonly #connection: duckdb.Connection;
  readonly #signal: AbortSignal | undefined;

  constructor(connection: duckdb.Connection, sources: Sources, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.sources = sources;
    this.#signal = signal;
  }

  async query(sql: string): Promise<ResultColumns> {
    this.#signal?.throwIfAborted();
    return new ResultColumns(await runQuery(this.#connection, sql));
  }

  /** Makes (or replaces) a temporary table of this session. `columns`: `name type, ...` in SQL. */
  async fill(
    table: string,
    columns: string,
    types: readonly ColumnType[],
    rows: number,
    write: (writer: ChunkWriter) => void,
  ): Promise<void> {
    await this.query(`CREATE OR REPLACE TEMP TABLE ${table} (${columns})`);
    const appender = new TableAppender(this.#connection, 'temp', table, types);
    appender.append(rows, write);
    appender.close();
  }
}

export class ReaderPool {
  readonly #database: Database;
  readonly #lists: BlockLists;
  readonly #repair: Repair;
  readonly #idle: duckdb.Connection[] = [];
  readonly #line: (() => void)[] = [];
  #busy = 0;
  #closed = false;

  constructor(database: Database, lists: BlockLists, repair: Repair) {
    this.#database = database;
    this.#lists = lists;
    this.#repair = repair;
  }

  /**
   * Runs a read in a transaction of its own; an abort interrupts the query that runs. The files of
   * the blocks that it sees stay where they are until it is over. If a block turns out to be
   * damaged, the read is run again without it.
   */
  async read<T>(
    signal: AbortSignal | undefined,
    run: (session: ReadSession) => Promise<T>,
  ): Promise<T> {
    return withoutDamaged(this.#repair, (used) => this.#readOnce(signal, run, used));
  }

  async #readOnce<T>(
    signal: AbortSignal | undefined,
    run: (session: ReadSession) => Promise<T>,
    used: Set<Block>,
  ): Promise<T> {
    await this.#enter();
    let connection: duckdb.Connection | null = null;
    let held = this.#lists.holdCurrent();
    const interrupt = (): void => {
      if (connection !== null) duckdb.interrupt(connection);
    };
    signal?.addEventListener('abort', interrupt);
    try {
      signal?.throwIfAborted();
      connection = this.#idle.pop() ?? (await this.#database.connect());
      const version = Number(new ResultColumns(await runQuery(connection, BEGIN)).texts(0)[0]);
      const list = this.#lists.hold(version);
      this.#lists.release(held);
      held = version;
      const sources = new Sources(list, this.#database.dataDir, used);
      return await run(new ReadSession(connection, sources, signal));
    } catch (cause) {
      this.#database.noteFailure(cause);
      if (signal?.aborted) {
        throw new EverflameError('cancelled', 'the query was cancelled', { cause });
      }
      throw cause;
    } finally {
      signal?.removeEventListener('abort', interrupt);
      // The answer does not wait for it; a read that comes meanwhile, and `close`, do.
      void this.#giveBack(connection, held);
    }
  }

  async #enter(): Promise<void> {
    if (this.#closed) throw new EverflameError('unavailable', 'the store is closed');
    this.#busy++;
    if (this.#busy > MAX_READERS) await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  #leave(): void {
    this.#busy--;
    this.#line.shift()?.();
  }

  /** Rolling back also drops the temporary tables that the read made. */
  async #giveBack(connection: duckdb.Connection | null, held: number): Promise<void> {
    if (connection !== null) {
      const [rolledBack] = await Promise.allSettled([duckdb.query(connection, 'ROLLBACK')]);
      if (rolledBack.status === 'fulfilled') this.#idle.push(connection);
      else duckdb.disconnect_sync(connection);
    }
    this.#lists.release(held);
    this.#leave();
  }

  /** Waits for the reads that run. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#busy > 0) await new Promise<void>((resolve) => this.#line.push(resolve));
    for (const connection of this.#idle.splice(0)) duckdb.disconnect_sync(connection);
  }
}

async function runQuery(connection: duckdb.Connection, sql: string): Promise<duckdb.Result> {
  try {
    return await duckdb.query(connection, sql);
  } catch (cause) {
    throw toStoreError(cause);
  }
}
