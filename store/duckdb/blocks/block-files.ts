/** Block files on disk: made durable, checked, set aside, removed. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  BLOCKS_FOLDER,
  type Block,
  type BlockFile,
  DICTIONARIES_FOLDER,
  SET_ASIDE_FOLDER,
} from './block.ts';

const PARQUET_MAGIC = 'PAR1';
const HASH_CHUNK_BYTES = 2 ** 20;

export async function makeFolders(dataDir: string): Promise<void> {
  for (const folder of [BLOCKS_FOLDER, DICTIONARIES_FOLDER]) {
    await mkdir(join(dataDir, folder), { recursive: true });
  }
  await syncFolder(dataDir);
}

/** Makes a written file durable. The folder needs `syncFolder` after its last file. */
export async function sealFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const file = await open(path, constants.O_RDWR);
  try {
    const { size, mode } = await file.stat();
    // It never changes again, whoever else runs as this user.
    await file.chmod(mode & 0o555);
    await file.sync();
    return { bytes: size, sha256: await hashOf(file) };
  } finally {
    await file.close();
  }
}

async function hashOf(file: Awaited<ReturnType<typeof open>>): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(HASH_CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, bytesRead));
  }
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Why a file cannot be what was written, at the cost of a page of it; empty where it may be. */
export async function faultOf(dataDir: string, { name, bytes }: BlockFile): Promise<string> {
  const [opened] = await Promise.allSettled([open(join(dataDir, name), constants.O_RDONLY)]);
  if (opened.status === 'rejected') {
    const missing = (opened.reason as NodeJS.ErrnoException).code === 'ENOENT';
    return missing ? `${name} is missing` : `${name} cannot be read: ${String(opened.reason)}`;
  }
  const file = opened.value;
  try {
    const { size } = await file.stat();
    if (size !== bytes) return `${name} has ${size} bytes, ${bytes} were written`;
    const magic = Buffer.alloc(2 * PARQUET_MAGIC.length);
    await file.read(magic, 0, 4, 0);
    await file.read(magic, 4, 4, Math.max(0, size - 4));
    return magic.toString('latin1') === PARQUET_MAGIC.repeat(2) ? '' : `${name} is torn`;
  } catch (error) {
    return `${name} cannot be read: ${String(error)}`;
  } finally {
    await file.close();
  }
}

/** The same by every byte. */
export async function contentFaultOf(dataDir: string, file: BlockFile): Promise<string> {
  const fault = await faultOf(dataDir, file);
  if (fault !== '') return fault;
  const handle = await open(join(dataDir, file.name), constants.O_RDONLY);
  try {
    const sha256 = await hashOf(handle);
    return sha256 === file.sha256 ? '' : `${file.name} is not what was written`;
  } catch (error) {
    return `${file.name} cannot be read: ${String(error)}`;
  } finally {
    await handle.close();
  }
}

/** Removes files that no block names: left by a transaction that was not committed. */
export async function removeOrphans(dataDir: string, blocks: readonly Block[]): Promise<number> {
  const named = new Set(blocks.flatMap(({ files }) => files.map(({ name }) => name)));
  let removed = 0;
  for (const folder of [BLOCKS_FOLDER, DICTIONARIES_FOLDER]) {
    for (const entry of await readdir(join(dataDir, folder), { withFileTypes: true })) {
      // The server makes no folders in there; a file system has its lost+found.
      if (named.has(`${folder}/${entry.name}`) || entry.isDirectory()) continue;
      await unlink(join(dataDir, folder, entry.name));
      removed++;
    }
  }
  return removed;
}

/** Removes files as far as they are there. */
export async function removeFiles(dataDir: string, names: readonly string[]): Promise<void> {
  const results = await Promise.allSettled(names.map((name) => unlink(join(dataDir, name))));
  for (const result of results) {
    if (result.status === 'rejected' && result.reason.code !== 'ENOENT') throw result.reason;
  }
}

/** Moves what is there of files to a folder that nothing reads. */
export async function setAside(dataDir: string, files: readonly BlockFile[]): Promise<void> {
  await mkdir(join(dataDir, SET_ASIDE_FOLDER), { recursive: true });
  for (const { name } of files) {
    const target = join(dataDir, SET_ASIDE_FOLDER, basename(name));
    const [there] = await Promise.allSettled([stat(join(dataDir, name))]);
    if (there.status === 'fulfilled') await rename(join(dataDir, name), target);
    await syncFolder(join(dataDir, dirname(name)));
  }
  await syncFolder(join(dataDir, SET_ASIDE_FOLDER));
}
