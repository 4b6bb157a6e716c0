/** Opens the database file: settings, exclusivity, schema version, and the store's id key. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import type { IdKey } from '../../../profile/siphash.ts';
import { createTableSql, SCHEMA_VERSION, sqlText, TABLE_NAMES } from '../schema.ts';
import { volumeOf } from './disk-space.ts';
import { ResultColumns } from './result-columns.ts';
import { removeLeftovers, shrinkFile } from './shrink-file.ts';
import { isFatal, toStoreError } from './store-error.ts';
import { NEW_BLOCK_META, upgradeFrom1 } from './upgrade.ts';

export interface DuckStoreOptions {
  dataDir: string;
  /** DuckDB's own; the dictionaries in memory come on top. */
  memoryLimitBytes?: number;
  /** Threads of queries. */
  threads?: number;
  /** Over so many rows of samples the oldest are sealed before their hour is over. */
  maxHotSamples?: number;
  /** How long profiles are kept, and how many bytes of them; without limits if not given. */
  retentionAgeMs?: number;
  retentionBytes?: number;
  nowMs?: () => number;
  log?: (line: string) => void;
}

const DEFAULT_MEMORY_LIMIT_BYTES = 2 ** 30;
/**
 * The write-ahead log is at most about this long. A start replays it at 10 to 20 ms of CPU per MiB,
 * and checkpoints this often cost a writer in full flow a tenth more of the store's time.
 */
const CHECKPOINT_BYTES = 16 * 2 ** 20;
const FLUSH_SETTING = 'allocator_bulk_deallocation_flush_threshold';
const FILE_NAME = 'everflame.duckdb';

/**
 * Files open in this process. DuckDB's file lock keeps other processes out and dies with its
 * process, but a second instance in one process would pass it and lose rows.
 */
const openFiles = new Set<string>();

export class Database {
  /** The data directory, absolute and without links. */
  readonly dataDir: string;
  /** The database file in it. */
  readonly path: string;
  readonly idKey: IdKey;
  /** Resolves with the reason when DuckDB answers nothing any more until it is opened again. */
  readonly ended: Promise<EverflameError>;
  #end: (reason: EverflameError) => void = () => undefined;
  readonly #database: duckdb.Database;

  constructor(path: string, database: duckdb.Database, idKey: IdKey) {
    this.dataDir = dirname(path);
    this.path = path;
    this.#database = database;
    this.idKey = idKey;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** To be told what statements failed with. */
  noteFailure(error: unknown): void {
    if (isFatal(error)) this.#end(toStoreError(error));
  }

  connect(): Promise<duckdb.Connection> {
    return duckdb.connect(this.#database);
  }

  /** See `giveBackFreed`. */
  async giveBackFreed(): Promise<void> {
    const connection = await this.connect();
    try {
      await giveBackFreed(connection);
    } finally {
      duckdb.disconnect_sync(connection);
    }
  }

  /**
   * Writes the log's rows into the file, if there is room and nobody writes at this moment; else
   * DuckDB does it when the log is long. Until then, what was deleted takes memory too.
   */
  async tryCheckpoint(): Promise<void> {
    if (volumeOf(this.dataDir).fault() !== null) return;
    const connection = await this.connect();
    const [written] = await Promise.allSettled([duckdb.query(connection, 'CHECKPOINT')]);
    duckdb.disconnect_sync(connection);
    if (written.status === 'rejected') this.noteFailure(written.reason);
  }

  /** Writes a checkpoint. Every connection must have been disconnected. */
  close(): void {
    duckdb.close_sync(this.#database);
    openFiles.delete(this.path);
  }
}

/** Opens the store's file or makes it; one that is much larger than what it holds is made small. */
export async function openDatabase(options: DuckStoreOptions): Promise<Database> {
  mkdirSync(options.dataDir, { recursive: true });
  const file = join(realpathSync(options.dataDir), FILE_NAME);
  const open = () =>
    openFile(file, settingsOf(options), (opened, path) => {
      // What queries of a killed process had spilled; the lock on the file is ours by now.
      rmSync(`${path}.tmp`, { recursive: true, force: true });
      removeLeftovers(path);
      return prepareSchema(opened, path);
    });
  const database = await open();
  if (!(await shrinkFile(database))) return database;
  database.close();
  return open();
}

/** Opens what is there and writes nothing, not even a checkpoint. */
export async function openForReading(dataDir: string): Promise<Database> {
  const path = join(dataDir, FILE_NAME);
  if (!existsSync(path)) {
    throw new EverflameError('not-found', `${path} is not there`, { field: '--data-dir' });
  }
  const settings = { ...settingsOf({ dataDir }), access_mode: 'READ_ONLY' };
  return openFile(path, settings, async (opened) => {
    const { idKey, version } = await readSchema(opened, path);
    if (version !== String(SCHEMA_VERSION)) throw otherVersion(path, version);
    return idKey;
  });
}

async function openFile(
  path: string,
  settings: Record<string, string>,
  prepare: (connection: duckdb.Connection, path: string) => Promise<IdKey>,
): Promise<Database> {
  if (openFiles.has(path)) throw inUse(path, 'this process');
  openFiles.add(path);
  let database: duckdb.Database | null = null;
  try {
    database = await openLocked(path, settings);
    const connection = await duckdb.connect(database);
    const idKey = await prepare(connection, path);
    duckdb.disconnect_sync(connection);
    return new Database(path, database, idKey);
  } catch (cause) {
    if (database !== null) duckdb.close_sync(database);
    openFiles.delete(path);
    throw toOpenError(path, cause);
  }
}

/** The file of that name, locked. */
async function openLocked(
  path: string,
  settings: Record<string, string>,
): Promise<duckdb.Database> {
  const before = inodeOf(path);
  const database = await duckdb.open(path, configOf(settings));
  if (before === null || before === inodeOf(path)) return database;
  // Who had the lock until then has put a smaller file in its place (shrink-file.ts).
  duckdb.close_sync(database);
  return duckdb.open(path, configOf(settings));
}

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}

function toOpenError(path: string, cause: unknown): EverflameError {
  const holder = /Conflicting lock is held in (.*?)\.? See also/s.exec(String(cause));
  if (holder !== null) return inUse(path, holder[1] ?? 'another process');
  const error = toStoreError(cause);
  if (!error.message.includes('.wal')) return error;
  return new EverflameError('unavailable', error.message, {
    field: '--data-dir',
    remedy: `Start on a backup. To go on without what was written last, move ${path}.wal away.`,
    cause,
  });
}

/**
 * Memory that DuckDB's allocator keeps, that of other databases of this process included, goes back
 * to the system. It does that by itself only in passing, when it is asked for more: after a large
 * write some 130 MB of nothing stayed resident.
 */
export async function giveBackFreed(connection: duckdb.Connection): Promise<void> {
  // Any allocation over this makes all arenas give back; a statement makes some.
  await duckdb.query(connection, `SET ${FLUSH_SETTING} = '1KB'`);
  await duckdb.query(connection, `RESET ${FLUSH_SETTING}`);
}

/** A durable write and a read, on a connection of their own. Throws where either fails. */
export async function probeDatabase(database: Database, nowMs: number): Promise<void> {
  const connection = await database.connect();
  try {
    await duckdb.query(connection, `UPDATE meta SET value = '${nowMs}' WHERE name = 'probed_ms'`);
    await duckdb.query(connection, 'SELECT count(*) FROM meta');
  } finally {
    duckdb.disconnect_sync(connection);
  }
}

function inUse(path: string, holder: string): EverflameError {
  return new EverflameError('conflict', `${path} is in use by ${holder}`, {
    field: '--data-dir',
    remedy: 'Stop that server, or give this one a data directory of its own.',
  });
}

/** A database in memory, apart from the store's, in which users' statements run. */
export function openMemoryDatabase(settings: Record<string, string>): Promise<duckdb.Database> {
  return duckdb.open(':memory:', configOf({ ...settings, ...NO_EXTENSIONS }));
}

function settingsOf(options: DuckStoreOptions): Record<string, string> {
  const memory = options.memoryLimitBytes ?? DEFAULT_MEMORY_LIMIT_BYTES;
  return {
    threads: String(options.threads ?? availableParallelism()),
    memory_limit: `${memory}B`,
    checkpoint_threshold: `${CHECKPOINT_BYTES}B`,
    // Of new files. Most tables are small, and each takes some blocks of its own: of 256 KiB, which
    // is DuckDB's own choice, three times as much in all. Smaller ones make hot rows take more.
    default_block_size: '65536',
    // Sums by dense stack ref index an array instead of hashing: 2^20 groups of 24 bytes at most.
    perfect_ht_threshold: '20',
    ...NO_EXTENSIONS,
  };
}

const NO_EXTENSIONS = {
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
};

function configOf(settings: Record<string, string>): duckdb.Config {
  const config = duckdb.create_config();
  for (const [name, value] of Object.entries(settings)) duckdb.set_config(config, name, value);
  return config;
}

/** Makes the tables of a new file, or checks the version of an old one. Returns the id key. */
async function prepareSchema(connection: duckdb.Connection, path: string): Promise<IdKey> {
  if ((await tableNames(connection)).length === 0) return createSchema(connection);
  const { idKey, version } = await readSchema(connection, path);
  if (version === '1') await upgradeFrom1(connection);
  else if (version !== String(SCHEMA_VERSION)) throw otherVersion(path, version);
  return idKey;
}

async function tableNames(connection: duckdb.Connection): Promise<string[]> {
  const sql = 'SELECT table_name FROM duckdb_tables() WHERE NOT temporary';
  return new ResultColumns(await duckdb.query(connection, sql)).texts(0);
}

async function readSchema(
  connection: duckdb.Connection,
  path: string,
): Promise<{ idKey: IdKey; version: string }> {
  if (!(await tableNames(connection)).includes('meta')) throw otherFile(path);
  const rows = new ResultColumns(await duckdb.query(connection, 'SELECT name, value FROM meta'));
  const values = rows.texts(1);
  const meta = new Map(rows.texts(0).map((name, row) => [name, values[row] ?? '']));
  const idKey = { k0: Number(meta.get('id_key_0')), k1: Number(meta.get('id_key_1')) };
  return { idKey, version: meta.get('schema_version') ?? 'none' };
}

function otherVersion(path: string, version: string): EverflameError {
  return new EverflameError(
    'unsupported',
    `${path} has schema version ${version}, this program reads version ${SCHEMA_VERSION}`,
    {
      field: '--data-dir',
      remedy: 'Start the version of everflame that wrote it, or name an empty directory.',
    },
  );
}

function otherFile(path: string): EverflameError {
  return new EverflameError('unsupported', `${path} is not a store of everflame`, {
    field: '--data-dir',
    remedy: 'Name an empty directory.',
  });
}

async function createSchema(connection: duckdb.Connection): Promise<IdKey> {
  const random = randomBytes(8);
  const idKey = { k0: random.readUInt32LE(0), k1: random.readUInt32LE(4) };
  const meta = {
    schema_version: String(SCHEMA_VERSION),
    probed_ms: '0',
    id_key_0: String(idKey.k0),
    id_key_1: String(idKey.k1),
    ...NEW_BLOCK_META,
  };
  const rows = Object.entries(meta).map(([name, value]) => `(${sqlText(name)}, ${sqlText(value)})`);
  const statements = [
    'BEGIN',
    'CREATE TABLE meta (name VARCHAR NOT NULL, value VARCHAR NOT NULL)',
    ...TABLE_NAMES.map(createTableSql),
    `INSERT INTO meta VALUES ${rows.join(', ')}`,
    'COMMIT',
  ];
  for (const statement of statements) await duckdb.query(connection, statement);
  return idKey;
}

/** The database file and its log. */
export function fileBytes({ path }: Database): number {
  return sizeOf(path) + sizeOf(`${path}.wal`);
}

/** The log is not there after a checkpoint. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
