/**
 * What takes back a checkpoint that was cut off. A checkpoint writes into free blocks, and the
 * header last: until then the old state stands. Only blocks of DuckDB's own metadata are written
 * over: one that has room left is written whole, with one checksum of what it keeps and what it
 * gains. Of a process that is killed in that write, or a machine without power before it has
 * reached the disk, such a block fits neither checksum, and the database cannot be opened. So they
 * are copied first; where the header is still the one of then, a start puts them back.
 *
 * Layout: docs/formats.md, "everflame.duckdb.undo".
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  read,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import { syncFolder } from '../blocks/block-files.ts';
import { ResultColumns } from './result-columns.ts';

const MAGIC = 'EFUNDO1\n';
const PREFIX_BYTES = MAGIC.length + 8;
/** Of DuckDB's files: a main header and two database headers in turns. Blocks come after them. */
const HEADERS_BYTES = 3 * 4096;
const ID_BYTES = 8;

const readAt = promisify(read);

export function undoOf(path: string): string {
  return `${path}.undo`;
}

function partOf(path: string): string {
  return `${undoOf(path)}.new`;
}

/**
 * Makes the copy, durably. `fd` is of the database file and stays open: closing any handle of a
 * file gives up all locks that the process has on it, DuckDB's too.
 */
export async function keepUndo(
  connection: duckdb.Connection,
  path: string,
  fd: number,
): Promise<void> {
  const part = partOf(path);
  try {
    await writeCopy(connection, part, fd);
    await rename(part, undoOf(path));
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function writeCopy(connection: duckdb.Connection, target: string, fd: number): Promise<void> {
  const { ids, blockBytes } = await readWritable(connection);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.write(MAGIC, 'latin1');
  prefix.writeUInt32LE(blockBytes, MAGIC.length);
  prefix.writeUInt32LE(ids.length, MAGIC.length + 4);
  const file = await open(target, 'w', 0o600);
  try {
    await file.write(prefix);
    await file.write(await readExactly(fd, HEADERS_BYTES, 0));
    for (const id of ids) {
      const head = Buffer.alloc(ID_BYTES);
      head.writeBigUInt64LE(BigInt(id));
      await file.write(head);
      await file.write(await readExactly(fd, blockBytes, offsetOf(id, blockBytes)));
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Once the header is a new one. A copy that comes back after a crash is known by its old one. */
export async function dropUndo(path: string): Promise<void> {
  await rm(undoOf(path), { force: true });
}

/** Blocks of metadata that have room for more. */
async function readWritable(
  connection: duckdb.Connection,
): Promise<{ ids: number[]; blockBytes: number }> {
  const blocks = new ResultColumns(
    await duckdb.query(
      connection,
      'SELECT block_id::DOUBLE FROM pragma_metadata_info() WHERE free_blocks > 0 ORDER BY ALL',
    ),
  );
  const size = new ResultColumns(
    await duckdb.query(
      connection,
      `SELECT block_size::DOUBLE FROM pragma_database_size()
      WHERE database_name = current_database()`,
    ),
  );
  return { ids: [...blocks.f64(0)], blockBytes: size.f64(0)[0] ?? 0 };
}

function offsetOf(id: number, blockBytes: number): number {
  return HEADERS_BYTES + id * blockBytes;
}

async function readExactly(fd: number, length: number, position: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await readAt(fd, buffer, 0, length, position);
  if (bytesRead !== length) throw new Error(`${bytesRead} of ${length} bytes at ${position}`);
  return buffer;
}

/** What a process that was killed has left, when it is of no use any more. */
export function removeUndo(path: string): void {
  for (const file of [undoOf(path), partOf(path)]) rmSync(file, { force: true });
}

/** Whether it is there and too short to hold anything. */
export function isWithoutHeaders(path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false });
  return file !== undefined && file.size < HEADERS_BYTES;
}

/** Whether a checkpoint of the file was begun and not ended. Nobody may have the file open. */
export function isCutOff(path: string): boolean {
  if (!existsSync(undoOf(path)) || !existsSync(path)) return false;
  const undo = readUndo(path);
  const fd = openSync(path, 'r');
  try {
    const headers = Buffer.alloc(HEADERS_BYTES);
    readSync(fd, headers, 0, HEADERS_BYTES, 0);
    return headers.equals(undo.headers);
  } finally {
    closeSync(fd);
  }
}

/** Puts the blocks back, durably. Nobody may have the file open. */
export function takeBack(path: string): void {
  const { blockBytes, blocks } = readUndo(path);
  const fd = openSync(path, 'r+');
  try {
    for (const { id, bytes } of blocks) {
      const position = offsetOf(id, blockBytes);
      for (let done = 0; done < blockBytes; ) {
        done += writeSync(fd, bytes, done, blockBytes - done, position + done);
      }
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

interface Undo {
  headers: Buffer;
  blockBytes: number;
  blocks: { id: number; bytes: Buffer }[];
}

function readUndo(path: string): Undo {
  const file = undoOf(path);
  const data = readFileSync(file);
  const blockBytes = data.length < PREFIX_BYTES ? 0 : data.readUInt32LE(MAGIC.length);
  const count = data.length < PREFIX_BYTES ? 0 : data.readUInt32LE(MAGIC.length + 4);
  const start = PREFIX_BYTES + HEADERS_BYTES;
  const length = start + count * (ID_BYTES + blockBytes);
  if (data.toString('latin1', 0, MAGIC.length) !== MAGIC || data.length !== length) {
    throw new EverflameError('unavailable', `${file} is not what was written`, {
      field: '--data-dir',
      remedy: 'Start on a backup.',
    });
  }
  const blocks = Array.from({ length: count }, (_, index) => {
    const at = start + index * (ID_BYTES + blockBytes);
    const bytes = data.subarray(at + ID_BYTES, at + ID_BYTES + blockBytes);
    return { id: Number(data.readBigUInt64LE(at)), bytes };
  });
  return { headers: data.subarray(PREFIX_BYTES, start), blockBytes, blocks };
}
