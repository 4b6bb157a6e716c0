/** Opens the database file: settings, exclusivity, schema version, and the store's id key. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import type { IdKey } from '../../../profile/siphash.ts';
import { createTableSql, SCHEMA_VERSION, sqlText, TABLE_NAMES } from '../schema.ts';
import {
  dropUndo,
  isCutOff,
  isWithoutHeaders,
  keepUndo,
  removeUndo,
  takeBack,
  undoOf,
} from './checkpoint-undo.ts';
import { volumeOf } from './disk-space.ts';
import { ResultColumns } from './result-columns.ts';
import { logOf, removeLeftovers, shrinkFile } from './shrink-file.ts';
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
/** DuckDB makes none by itself, for which nothing would be kept (checkpoint-undo.ts). */
const OWN_CHECKPOINT_BYTES = 2 ** 50;
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
  /** Of the file, to read it: null where nothing is written. */
  readonly #fd: number | null;
  #lastCheckpoint: Promise<void> = Promise.resolve();
  /** After a checkpoint that failed, what was kept for it is what the next one needs. */
  #isUndoKept = false;

  constructor(path: string, { database, fd, idKey }: OpenFile) {
    this.dataDir = dirname(path);
    this.path = path;
    this.#database = database;
    this.#fd = fd;
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

  /** After a commit: a log that has become long is written into the file. */
  async shortenLog(): Promise<void> {
    if (sizeOf(logOf(this.path)) > CHECKPOINT_BYTES) await this.tryCheckpoint();
  }

  /**
   * Writes the log's rows into the file, if there is room and nobody writes at this moment; else
   * the next commit after which the log is long does it. Until then, what was deleted takes memory.
   */
  async tryCheckpoint(): Promise<void> {
    if (volumeOf(this.dataDir).fault() !== null) return;
    const [written] = await Promise.allSettled([this.checkpoint()]);
    if (written.status === 'rejected') this.noteFailure(written.reason);
  }

  /** Writes the log's rows into the file; throws where somebody writes or there is no room. */
  checkpoint(): Promise<void> {
    const turn = this.#lastCheckpoint.then(() => this.#checkpoint());
    this.#lastCheckpoint = turn.catch(() => undefined);
    return turn;
  }

  async #checkpoint(): Promise<void> {
    if (this.#fd === null || sizeOf(logOf(this.path)) === 0) return;
    const connection = await this.connect();
    try {
      if (!this.#isUndoKept) await keepUndo(connection, this.path, this.#fd);
      this.#isUndoKept = true;
      await duckdb.query(connection, 'CHECKPOINT');
      this.#isUndoKept = false;
      await dropUndo(this.path);
    } finally {
      duckdb.disconnect_sync(connection);
    }
  }

  /** Every connection must have been disconnected. What is in the log stays there. */
  close(): void {
    duckdb.close_sync(this.#database);
    if (this.#fd !== null) closeSync(this.#fd);
    openFiles.delete(this.path);
  }
}

interface OpenFile {
  database: duckdb.Database;
  fd: number | null;
  idKey: IdKey;
}

/** Opens the store's file or makes it; one that is much larger than what it holds is made small. */
export async function openDatabase(options: DuckStoreOptions): Promise<Database> {
  mkdirSync(options.dataDir, { recursive: true });
  const file = join(realpathSync(options.dataDir), FILE_NAME);
  const open = () =>
    openFile(file, { settings: settingsOf(options), log: options.log }, (opened, path) => {
      // What queries of a killed process had spilled; the lock on the file is ours by now.
      rmSync(`${path}.tmp`, { recursive: true, force: true });
      removeUndo(path);
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
  return openFile(path, { settings, isReadOnly: true }, async (opened) => {
    const { idKey, version } = await readSchema(opened, path);
    if (version !== String(SCHEMA_VERSION)) throw otherVersion(path, version);
    return idKey;
  });
}

interface OpenOptions {
  settings: Record<string, string>;
  isReadOnly?: boolean;
  log?: DuckStoreOptions['log'];
}

async function openFile(
  path: string,
  options: OpenOptions,
  prepare: (connection: duckdb.Connection, path: string) => Promise<IdKey>,
): Promise<Database> {
  if (openFiles.has(path)) throw inUse(path, 'this process');
  openFiles.add(path);
  let database: duckdb.Database | null = null;
  let fd: number | null = null;
  try {
    if (options.isReadOnly !== true) await mendFile(path, options);
    database = await openLocked(path, options.settings);
    if (options.isReadOnly !== true) fd = openSync(path, 'r');
    const connection = await duckdb.connect(database);
    const idKey = await prepare(connection, path);
    duckdb.disconnect_sync(connection);
    return new Database(path, { database, fd, idKey });
  } catch (cause) {
    if (database !== null) duckdb.close_sync(database);
    if (fd !== null) closeSync(fd);
    openFiles.delete(path);
    throw toOpenError(path, cause);
  }
}

/** A process was killed when it made the file, or a checkpoint: as if it had not begun. */
async function mendFile(path: string, { settings, log }: OpenOptions): Promise<void> {
  const isHalfMade = isWithoutHeaders(path) && sizeOf(logOf(path)) === 0;
  if (!isHalfMade && !isCutOff(path)) return;
  // Another server may be at that right now: then DuckDB cannot have the lock.
  const [opened] = await Promise.allSettled([openLocked(path, settings)]);
  if (opened.status === 'fulfilled') duckdb.close_sync(opened.value);
  else if (holderOf(opened.reason) !== null) throw opened.reason;
  if (isHalfMade) {
    rmSync(path);
    return;
  }
  takeBack(path);
  log?.('a checkpoint of the database was cut off, and is taken back');
}

/** The file of that name, locked. */
async function openLocked(
  path: string,
  settings: Record<string, string>,
): Promise<duckdb.Database> {
  const before = inodeOf(path);
  const database = await openQuiet(path, settings);
  if (before === null || before === inodeOf(path)) return database;
  // Who had the lock until then has put a smaller file in its place (shrink-file.ts).
  duckdb.close_sync(database);
  return openQuiet(path, settings);
}

/** Without a checkpoint at its end, for which nothing would be kept (checkpoint-undo.ts). */
async function openQuiet(path: string, settings: Record<string, string>): Promise<duckdb.Database> {
  const database = await duckdb.open(path, configOf(settings));
  const connection = await duckdb.connect(database);
  await duckdb.query(connection, 'PRAGMA disable_checkpoint_on_shutdown');
  duckdb.disconnect_sync(connection);
  return database;
}

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}

function toOpenError(path: string, cause: unknown): EverflameError {
  const holder = holderOf(cause);
  if (holder !== null) return inUse(path, holder);
  const error = toStoreError(cause);
  if (existsSync(undoOf(path))) {
    return new EverflameError('unavailable', error.message, {
      field: '--data-dir',
      remedy: 'Start the server on it: a checkpoint was cut off, which that takes back.',
      cause,
    });
  }
  if (!error.message.includes('.wal')) return error;
  return new EverflameError('unavailable', error.message, {
    field: '--data-dir',
    remedy: `Start on a backup. To go on without what was written last, move ${path}.wal away.`,
    cause,
  });
}

/** Who has the file open; null where opening it failed for another reason. */
function holderOf(cause: unknown): string | null {
  const holder = /Conflicting lock is held in (.*?)\.? See also/s.exec(String(cause));
  return holder === null ? null : (holder[1] ?? 'another process');
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
    checkpoint_threshold: `${OWN_CHECKPOINT_BYTES}B`,
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
  return sizeOf(path) + sizeOf(logOf(path));
}

/** The log is not there after a checkpoint. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
