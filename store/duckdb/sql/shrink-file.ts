/**
 * Makes the database file small again. Sealing leaves most of its blocks free, and DuckDB cuts free
 * blocks off only at the end of a file, where some that are in use usually lie. So the tables are
 * copied into a new file, which takes the old one's name. Whatever step a crash comes after, there
 * is one file of that name with all rows in it; what is left of the other is removed at start.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { syncFolder } from '../blocks/block-files.ts';
import { sqlText } from '../schema.ts';
import type { Database } from './database.ts';
import { volumeOf } from './disk-space.ts';
import { ResultColumns } from './result-columns.ts';

/** A file up to this size stays as it is. */
const MIN_FILE_BYTES = 2 ** 20;
/** Copying so much takes some 200 ms of CPU. */
const MAX_COPY_BYTES = 16 * 2 ** 20;
/** A longer log makes a start long enough, and writing it into the old file would come on top. */
const MAX_LOG_BYTES = 2 * 2 ** 20;

interface FileSize {
  bytes: number;
  usedBytes: number;
  logBytes: number;
}

/** Where free blocks are most of the file, and the rest is soon copied. */
export function isWorthShrinking({ bytes, usedBytes, logBytes }: FileSize): boolean {
  if (bytes <= MIN_FILE_BYTES || usedBytes * 2 >= bytes) return false;
  return usedBytes <= MAX_COPY_BYTES && logBytes <= MAX_LOG_BYTES;
}

/**
 * Swaps the file for a small one where that is worth it. Nothing else may use the database. True
 * where it was tried: the database must be closed now, since the file that it has open may not be
 * the one of that name any more, and an error may have ended it. On errors the old file stays.
 */
export async function shrinkFile(database: Database): Promise<boolean> {
  const connection = await database.connect();
  try {
    const size = await readSize(connection, database.path);
    if (!isWorthShrinking(size)) return false;
    const roomBytes = volumeOf(database.dataDir).roomBytes();
    if (roomBytes < size.usedBytes + size.logBytes) return false;
    const [shrunk] = await Promise.allSettled([runSteps(connection, database)]);
    // What cannot be removed now is removed by the next start.
    if (shrunk.status === 'rejected') removeLeftovers(database.path);
    return true;
  } finally {
    duckdb.disconnect_sync(connection);
  }
}

/** The same before the database is closed, which writes the log's rows into the file anyway. */
export async function shrinkBeforeClose(database: Database): Promise<void> {
  const [written] = await Promise.allSettled([database.checkpoint()]);
  // A database that finds no room or is broken is closed as it is: its log has what it lacks.
  if (written.status === 'fulfilled') await shrinkFile(database);
}

/** In order. A crash may come after any of them. */
export const SHRINK_STEPS: readonly ((
  connection: duckdb.Connection,
  database: Database,
) => Promise<void>)[] = [copyTables, checkpointCopy, checkpointOld, syncNames, swap, syncNames];

async function runSteps(connection: duckdb.Connection, database: Database): Promise<void> {
  removeLeftovers(database.path);
  for (const step of SHRINK_STEPS) await step(connection, database);
}

/** What was copied by a process that was killed. The lock on the database file must be ours. */
export function removeLeftovers(path: string): void {
  const name = basename(copyOf(path));
  for (const entry of readdirSync(dirname(path))) {
    if (entry.startsWith(name)) rmSync(join(dirname(path), entry));
  }
}

function copyOf(path: string): string {
  return `${path}.new`;
}

export function logOf(path: string): string {
  return `${path}.wal`;
}

/** The copy stays attached, and thereby locked, until the database is closed. */
async function copyTables(connection: duckdb.Connection, { path }: Database): Promise<void> {
  await duckdb.query(connection, `ATTACH ${sqlText(copyOf(path))} AS smaller`);
  await duckdb.query(connection, 'COPY FROM DATABASE everflame TO smaller');
}

/**
 * DuckDB syncs the file with that. It must not be opened here for that purpose: closing any handle
 * of a file gives up all locks that the process has on it.
 */
async function checkpointCopy(connection: duckdb.Connection, { path }: Database): Promise<void> {
  await duckdb.query(connection, 'CHECKPOINT smaller');
  checkLogIsGone(copyOf(path));
}

/** The new file would be opened with what the old one's log says. */
async function checkpointOld(_: duckdb.Connection, database: Database): Promise<void> {
  await database.checkpoint();
  checkLogIsGone(database.path);
}

async function syncNames(_: duckdb.Connection, { path }: Database): Promise<void> {
  await syncFolder(dirname(path));
}

async function swap(_: duckdb.Connection, { path }: Database): Promise<void> {
  renameSync(copyOf(path), path);
}

function checkLogIsGone(path: string): void {
  if (existsSync(logOf(path))) throw new Error(`${logOf(path)} is there after a checkpoint`);
}

async function readSize(connection: duckdb.Connection, path: string): Promise<FileSize> {
  const sql = `SELECT (used_blocks * block_size)::DOUBLE FROM pragma_database_size()
    WHERE database_name = current_database()`;
  const size = new ResultColumns(await duckdb.query(connection, sql));
  const log = statSync(logOf(path), { throwIfNoEntry: false });
  return {
    bytes: statSync(path).size,
    usedBytes: size.f64(0)[0] ?? 0,
    logBytes: log?.size ?? 0,
  };
}
