/** Folders on their way: a backup (the store's copy and its debug information) and exports. */
import { link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { create } from 'tar';
import { EverflameError } from '../profile/errors.ts';
import { MAX_FOLDER_STREAMS, MAX_STREAM_STALL_MS } from '../profile/limits.ts';
import type { StoreCopy, StoreUpkeep } from '../store/store.ts';

export interface BackupSource {
  upkeep: Pick<StoreUpkeep, 'copy'>;
  /** In the data directory, so that its files can be linked. */
  debuginfoDir: string;
}

/** Makes folders and sends them as tars. A folder is removed when its stream ends, also early. */
export class FolderStreams {
  readonly #stallMs: number;
  #open = 0;

  constructor(stallMs = MAX_STREAM_STALL_MS) {
    this.#stallMs = stallMs;
  }

  async send(make: () => Promise<StoreCopy>): Promise<ReadableStream<Uint8Array>> {
    if (this.#open >= MAX_FOLDER_STREAMS) {
      throw new EverflameError('overloaded', 'other backups or exports are on their way', {
        limit: `MAX_FOLDER_STREAMS = ${MAX_FOLDER_STREAMS}`,
        remedy: 'Ask again when they are done.',
      });
    }
    this.#open++;
    let copy: StoreCopy;
    try {
      copy = await make();
    } catch (error) {
      this.#open--;
      throw error;
    }
    const { dir, release } = copy;
    let isOver = false;
    const pack = create({ cwd: dir, portable: true, filter: () => !isOver }, ['.']);
    const giveUp = (): void => void tar.destroy(new Error('the client takes nothing'));
    const tar = Readable.from(whileTaken(pack, this.#stallMs, giveUp));
    pack.on('error', (cause) => {
      tar.destroy(new Error('the folder cannot be read', { cause }));
    });
    tar.once('close', () => {
      isOver = true;
      // Paused, it would keep its file open for ever, and with it the space on the disk.
      pack.resume();
      // What stays is removed at the next start.
      void Promise.allSettled([release()]).then(() => this.#open--);
    });
    return Readable.toWeb(tar) as ReadableStream<Uint8Array>;
  }
}

/** The chunks; `giveUp` is called once if nobody asks for the next one within `stallMs`. */
async function* whileTaken(chunks: AsyncIterable<Buffer>, stallMs: number, giveUp: () => void) {
  const timer = setTimeout(giveUp, stallMs).unref();
  try {
    for await (const chunk of chunks) {
      timer.refresh();
      yield chunk;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** All that is stored, as a data directory. */
export async function makeBackup(
  { upkeep, debuginfoDir }: BackupSource,
  signal: AbortSignal,
): Promise<StoreCopy> {
  const { dir, release } = await upkeep.copy(signal);
  try {
    await linkFolder(debuginfoDir, join(dir, 'debuginfo'), signal);
  } catch (error) {
    await release();
    throw error;
  }
  return { dir, release };
}

/** Files that went away meanwhile are not part of the copy: they had been replaced or evicted. */
async function linkFolder(from: string, to: string, signal: AbortSignal): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    signal.throwIfAborted();
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkFolder(source, target, signal);
    if (!entry.isFile()) continue;
    const [linked] = await Promise.allSettled([link(source, target)]);
    if (linked.status === 'rejected' && linked.reason.code !== 'ENOENT') throw linked.reason;
  }
}
