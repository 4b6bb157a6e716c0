/**
 * Files that users' SQL may read: those of the blocks, and copies of the rows that are in none, all
 * as of one transaction. A statement runs in another process, which cannot open the database.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EpochMs } from '../../../profile/units.ts';
import type { DamagedBlocks, SqlFiles, SqlSnapshot } from '../../store.ts';
import { DICTIONARY_TABLES, fileOf, ROW_TABLES } from '../blocks/block.ts';
import type { BlockList, BlockLists } from '../blocks/block-lists.ts';
import { sqlText } from '../schema.ts';
import type { ReaderPool } from '../sql/reader-pool.ts';
import { SNAPSHOT_TABLES } from './views.ts';

const FOLDER = 'sql';
/** Copying a million rows takes a tenth of a second, which statements in a row share. */
const SHARED_MS = 5_000;

interface Taken {
  takenMs: EpochMs;
  files: SqlFiles;
  damaged: DamagedBlocks | null;
  folder: string;
  version: number;
  holds: number;
  /** Whether the next statement may still share it. */
  shared: boolean;
}

export class SqlSnapshots {
  readonly #dataDir: string;
  readonly #lists: BlockLists;
  readonly #readers: ReaderPool;
  #next = 0;
  #latest: Promise<Taken> | null = null;

  constructor(dataDir: string, lists: BlockLists, readers: ReaderPool) {
    this.#dataDir = dataDir;
    this.#lists = lists;
    this.#readers = readers;
  }

  async take(): Promise<SqlSnapshot> {
    this.#latest ??= this.#make();
    const taken = await this.#latest;
    taken.holds++;
    let held = true;
    return {
      files: taken.files,
      takenMs: taken.takenMs,
      damaged: taken.damaged,
      release: () => {
        if (!held) return;
        held = false;
        taken.holds--;
        this.#dropUnused(taken);
      },
    };
  }

  /** Whoever reads a snapshot has ended before. */
  close(): Promise<void> {
    return removeOldSnapshots(this.#dataDir);
  }

  #make(): Promise<Taken> {
    const folder = join(this.#dataDir, FOLDER, String(this.#next++));
    const taking = this.#copy(folder);
    taking.then(
      (taken) => {
        setTimeout(() => {
          this.#latest = null;
          taken.shared = false;
          this.#dropUnused(taken);
        }, SHARED_MS).unref();
      },
      () => {
        this.#latest = null;
        this.#remove(folder);
      },
    );
    return taking;
  }

  async #copy(folder: string): Promise<Taken> {
    await mkdir(folder, { recursive: true });
    const takenMs = Date.now() as EpochMs;
    return this.#readers.read(undefined, async (session) => {
      const { list } = session.sources;
      const files: Record<string, string[]> = {};
      for (const table of SNAPSHOT_TABLES) {
        const path = join(folder, `${table}.parquet`);
        await session.query(`COPY (FROM ${table}) TO ${sqlText(path)} (FORMAT parquet)`);
        // DuckDB guesses the rows of all files from the first; the copies are small.
        files[table] = [...blockPaths(list, table, this.#dataDir), path];
      }
      this.#lists.hold(list.version);
      const damaged = damagedIn(list);
      return { takenMs, files, damaged, folder, version: list.version, holds: 0, shared: true };
    });
  }

  #dropUnused({ shared, holds, version, folder }: Taken): void {
    if (shared || holds > 0) return;
    this.#lists.release(version);
    this.#remove(folder);
  }

  /** What cannot be removed now is removed at the end, or at the next start. */
  #remove(folder: string): void {
    void Promise.allSettled([rm(folder, { recursive: true, force: true })]);
  }
}

/** Copies that this server does not need any more, or that another left when it was killed. */
export async function removeOldSnapshots(dataDir: string): Promise<void> {
  await rm(join(dataDir, FOLDER), { recursive: true, force: true });
}

function blockPaths({ blocks }: BlockList, table: string, dataDir: string): string[] {
  const sealed = [...ROW_TABLES, ...DICTIONARY_TABLES].find((name) => name === table);
  if (sealed === undefined) return [];
  return blocks.flatMap((block) => {
    const isLeftOut = block.kind === 'rows' && block.damaged !== '';
    const file = isLeftOut ? undefined : fileOf(block, sealed);
    return file === undefined || file.lost === true ? [] : [join(dataDir, file.name)];
  });
}

function damagedIn({ blocks }: BlockList): DamagedBlocks | null {
  const damaged = blocks.filter((block) => block.damaged !== '');
  const samples = damaged.reduce((sum, block) => sum + block.samples, 0);
  return damaged.length === 0 ? null : { blocks: damaged.length, samples };
}
