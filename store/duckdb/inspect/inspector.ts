/** What looks at the whole store or copies of it: backups, exports, checks, snapshots for SQL. */
import { EverflameError } from '../../../profile/errors.ts';
import type { Selection, SqlSnapshot, SqlSource, StoreCheck, StoreCopy } from '../../store.ts';
import type { BlockKeeper } from '../blocks/block-keeper.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { removeOldSnapshots, SqlSnapshots } from '../sandbox/sql-snapshots.ts';
import type { ReaderPool } from '../sql/reader-pool.ts';
import { Backups, removeOldBackups } from './backup.ts';
import { checkStore } from './check.ts';
import { chooseRows, Exports, removeOldExports } from './export.ts';

export interface InspectorParts {
  dataDir: string;
  readers: ReaderPool;
  keeper: BlockKeeper;
  catalogue: Catalogue;
}

export class Inspector implements SqlSource {
  readonly #dataDir: string;
  readonly #readers: ReaderPool;
  readonly #keeper: BlockKeeper;
  readonly #catalogue: Catalogue;
  readonly #snapshots: SqlSnapshots;
  readonly #backups: Backups;
  readonly #exports: Exports;
  #isChecking = false;

  constructor({ dataDir, readers, keeper, catalogue }: InspectorParts) {
    this.#dataDir = dataDir;
    this.#readers = readers;
    this.#keeper = keeper;
    this.#catalogue = catalogue;
    this.#snapshots = new SqlSnapshots(dataDir, keeper.place.lists, readers);
    this.#backups = new Backups(dataDir, readers);
    this.#exports = new Exports(dataDir, this);
  }

  sqlSnapshot(): Promise<SqlSnapshot> {
    return this.#snapshots.take();
  }

  copy(signal: AbortSignal): Promise<StoreCopy> {
    return this.#backups.make(signal);
  }

  async export(selection: Selection, memoryBytes: number, signal: AbortSignal): Promise<StoreCopy> {
    const chosen = await this.#readers.read(signal, (session) =>
      chooseRows(session, this.#catalogue, selection),
    );
    return this.#exports.make({ selection, chosen, memoryBytes }, signal);
  }

  /** One at a time: each takes two readers, and several would wait for one another's second. */
  async check(signal: AbortSignal): Promise<StoreCheck> {
    if (this.#isChecking) {
      throw new EverflameError('conflict', 'the store is being checked', {
        remedy: 'Ask again when that is done.',
      });
    }
    this.#isChecking = true;
    try {
      return await this.#check(signal);
    } finally {
      this.#isChecking = false;
    }
  }

  async #check(signal: AbortSignal): Promise<StoreCheck> {
    const { result, damaged } = await this.#readers.read(signal, (session) =>
      checkStore({
        query: (sql) => session.query(sql),
        queryFile: (sql) => this.#readers.read(signal, (other) => other.query(sql)),
        dataDir: this.#dataDir,
        blocks: session.sources.list.blocks,
      }),
    );
    if (damaged.size > 0) await this.#keeper.repair(damaged);
    return result;
  }

  async close(): Promise<void> {
    await this.#snapshots.close();
  }
}

/** What a server that was killed has left of its copies. */
export async function removeOldCopies(dataDir: string): Promise<void> {
  await removeOldSnapshots(dataDir);
  await removeOldBackups(dataDir);
  await removeOldExports(dataDir);
}
