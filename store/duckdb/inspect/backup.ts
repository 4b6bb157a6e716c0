/**
 * A copy of the store as of one moment, as a folder that a server can start on. Blocks never
 * change, so theirs are links; the database file is copied.
 */
import { link, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreCopy } from '../../store.ts';
import { BLOCKS_FOLDER, DICTIONARIES_FOLDER } from '../blocks/block.ts';
import { sqlText } from '../schema.ts';
import type { ReaderPool, ReadSession } from '../sql/reader-pool.ts';

const FOLDER = 'backup';
const FILE_NAME = 'everflame.duckdb';

export class Backups {
  readonly #dataDir: string;
  readonly #readers: ReaderPool;
  #next = 0;

  constructor(dataDir: string, readers: ReaderPool) {
    this.#dataDir = dataDir;
    this.#readers = readers;
  }

  async make(signal: AbortSignal): Promise<StoreCopy> {
    const number = this.#next++;
    const dir = join(this.#dataDir, FOLDER, String(number));
    const release = () => rm(dir, { recursive: true, force: true });
    try {
      for (const folder of [BLOCKS_FOLDER, DICTIONARIES_FOLDER]) {
        await mkdir(join(dir, folder), { recursive: true });
      }
      await this.#readers.read(signal, async (session) => {
        await this.#linkBlocks(session, dir, signal);
        await copyDatabase(session, join(dir, FILE_NAME), `backup_${number}`);
      });
      return { dir, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #linkBlocks(session: ReadSession, dir: string, signal: AbortSignal): Promise<void> {
    for (const { kind, damaged, files } of session.sources.list.blocks) {
      if (kind === 'rows' && damaged !== '') continue;
      for (const { name, lost } of files) {
        signal.throwIfAborted();
        if (lost !== true) await link(join(this.#dataDir, name), join(dir, name));
      }
    }
  }
}

/**
 * The tables as the session sees them, in a file without free pages. Ends the session's
 * transaction, which writes the copy; its connection is not used again.
 */
async function copyDatabase(session: ReadSession, path: string, name: string): Promise<void> {
  await session.query(`ATTACH ${sqlText(path)} AS ${name}`);
  await session.query(`COPY FROM DATABASE everflame TO ${name}`);
  await session.query('COMMIT');
  await session.query(`CHECKPOINT ${name}`);
  await session.query(`DETACH ${name}`);
}

/** What a server that was killed has left. */
export async function removeOldBackups(dataDir: string): Promise<void> {
  await rm(join(dataDir, FOLDER), { recursive: true, force: true });
}
