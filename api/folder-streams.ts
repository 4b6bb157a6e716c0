/** Folders on their way: a backup (the store's copy and its debug information) and exports. */
import { link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { create } from 'tar';
import type { Selection, StoreCopy, StoreUpkeep } from '../store/store.ts';

export interface BackupSource {
  upkeep: Pick<StoreUpkeep, 'copy'>;
  /** In the data directory, so that its files can be linked. */
  debuginfoDir: string;
}

/**
 * The bytes of a tar whose root is a data directory. What was made for it is removed when the
 * stream ends, also early.
 */
export async function streamBackup(
  { upkeep, debuginfoDir }: BackupSource,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const { dir, release } = await upkeep.copy(signal);
  try {
    await linkFolder(debuginfoDir, join(dir, 'debuginfo'), signal);
  } catch (error) {
    await release();
    throw error;
  }
  return streamFolder({ dir, release });
}

/** A selection's Parquet files in a tar. */
export async function streamExport(
  upkeep: Pick<StoreUpkeep, 'export'>,
  selection: Selection,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  return streamFolder(await upkeep.export(selection, signal));
}

function streamFolder({ dir, release }: StoreCopy): ReadableStream<Uint8Array> {
  const tar = Readable.from(create({ cwd: dir, portable: true }, ['.']));
  tar.once('close', () => {
    // What stays is removed at the next start.
    void Promise.allSettled([release()]);
  });
  return Readable.toWeb(tar) as ReadableStream<Uint8Array>;
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
