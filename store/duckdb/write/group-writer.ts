/**
 * Group commit. A batch is turned into rows when it arrives; a transaction takes all rows that wait
 * and its writers are answered after COMMIT. While it runs, the next group gathers. Idle, a batch
 * starts its own transaction at once; under load groups start GROUP_INTERVAL_MS apart, or further
 * where transactions take long: each costs some milliseconds however few rows it has.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';
import type { WriteBatch } from '../../store.ts';
import { type BatchHash, BatchIds, hashBatchId, oldestKeptMs } from '../catalogue/batch-ids.ts';
import { Catalogue } from '../catalogue/catalogue.ts';
import { Dictionaries } from '../dictionary/dictionaries.ts';
import { loadActivity } from '../load.ts';
import type { Database } from '../sql/database.ts';
import { PatientStatement } from '../sql/patient-statement.ts';
import { toStoreError } from '../sql/store-error.ts';
import {
  Appenders,
  flushBatchIds,
  flushCatalogue,
  flushDictionaries,
  flushReplacedWindows,
  flushRows,
} from './flush.ts';
import { WriteBuffer } from './write-buffer.ts';

const GROUP_INTERVAL_MS = 20;
const MAX_GROUP_INTERVAL_MS = 100;
/** Under load a transaction takes at most this part of the time from one to the next. */
const TRANSACTION_SHARE = 0.25;
/** Sample rows that may wait for their transaction, about 30 bytes each. */
const MAX_WAITING_SAMPLES = 4_000_000;

interface Entry {
  batch: WriteBatch;
  hash: BatchHash;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class GroupWriter {
  readonly dictionaries = new Dictionaries();
  readonly catalogue = new Catalogue();
  readonly batchIds = new BatchIds();
  readonly buffer = new WriteBuffer(this.dictionaries, this.catalogue);
  readonly counts = { samples: 0, profiles: 0, hotSamples: 0, commits: 0, duplicateBatches: 0 };
  /** Called after each transaction. */
  committed: () => void = () => undefined;
  readonly #connection: duckdb.Connection;
  readonly #database: Database;
  #appenders: Appenders;
  readonly #commitStatement: PatientStatement;
  #waiting: Entry[] = [];
  /** Batches that are not answered yet, by id. */
  readonly #unanswered = new Map<string, Promise<void>>();
  #running: Promise<void> | null = null;
  #committing: Promise<void> | null = null;
  /** Of transactions and what must not run beside one. */
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** While a failed group is taken back, batches wait without being turned into rows. */
  #recovering = false;
  #closed = false;
  #lastGroupSize = 0;
  #lastStartMs = 0;
  #lastEndMs = 0;

  constructor(connection: duckdb.Connection, database: Database) {
    this.#connection = connection;
    this.#database = database;
    this.#appenders = new Appenders(connection);
    this.#commitStatement = new PatientStatement(connection, 'COMMIT');
  }

  get pendingBatches(): number {
    return this.#unanswered.size;
  }

  /** Resolves when every batch that waits or is being written now is durable or refused. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#unanswered.values());
  }

  /** Resolves when the transaction that runs now, if any, is over and its rows are published. */
  async settled(): Promise<void> {
    const commit = this.#committing;
    if (commit !== null) await Promise.allSettled([commit]);
  }

  /** Runs a job between two transactions; batches go on gathering. */
  alone<T>(job: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(job);
    this.#lastTurn = Promise.allSettled([turn]);
    return turn;
  }

  async write(batch: WriteBatch): Promise<void> {
    const hash = hashBatchId(this.#database.idKey, batch.batchId);
    for (;;) {
      if (this.#closed) throw new EverflameError('unavailable', 'the store is closed');
      if (this.batchIds.has(hash)) {
        this.counts.duplicateBatches++;
        return;
      }
      const first = this.#unanswered.get(batch.batchId);
      if (first === undefined) break;
      // If the first fails, its own sender hears why, and this one is written in its place.
      await Promise.allSettled([first]);
    }
    const done = this.#take(batch, hash);
    this.#unanswered.set(batch.batchId, done);
    try {
      await done;
    } finally {
      this.#unanswered.delete(batch.batchId);
    }
  }

  /** Finishes what was accepted; later writes are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.drained();
    await this.#running;
    this.#commitStatement.close();
  }

  async #take(batch: WriteBatch, hash: BatchHash): Promise<void> {
    this.#checkRoom(batch);
    const prepared = await this.buffer.prepare(batch);
    this.#checkRoom(batch);
    await new Promise<void>((resolve, reject) => {
      if (!this.#recovering) this.buffer.add(batch, prepared);
      this.#waiting.push({ batch, hash, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  #checkRoom({ samples }: WriteBatch): void {
    if (this.buffer.rows.samples.count + samples.count > MAX_WAITING_SAMPLES) {
      throw new EverflameError('overloaded', 'too many samples wait to be stored', {
        limit: `MAX_WAITING_SAMPLES = ${MAX_WAITING_SAMPLES}`,
        remedy: 'Send the request again later.',
      });
    }
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather();
      await this.alone(() => this.#transact());
    }
    this.#running = null;
  }

  async #transact(): Promise<void> {
    this.#lastStartMs = performance.now();
    if (!(await this.#begin())) return;
    // Nothing is awaited until the rows that wait are taken, so that they are the group's.
    const group = this.#waiting;
    this.#waiting = [];
    this.#lastGroupSize = group.length;
    await this.#commitOrRetry(group);
    await this.#database.shortenLog();
    this.#lastEndMs = performance.now();
  }

  async #gather(): Promise<void> {
    const busy = this.#lastGroupSize > 1 && !this.#closed;
    const wantedMs = (this.#lastEndMs - this.#lastStartMs) / TRANSACTION_SHARE;
    const intervalMs = Math.min(MAX_GROUP_INTERVAL_MS, Math.max(GROUP_INTERVAL_MS, wantedMs));
    const pauseMs = busy ? this.#lastStartMs + intervalMs - performance.now() : 0;
    // A turn of the event loop lets requests join that arrived together with the first.
    await (pauseMs > 0 ? sleep(Math.ceil(pauseMs)) : nextTurn());
  }

  /** Opens a transaction; if there is none to be had, whoever waits is told. */
  async #begin(): Promise<boolean> {
    try {
      await duckdb.query(this.#connection, 'BEGIN');
      return true;
    } catch (cause) {
      const error = toStoreError(cause);
      for (const entry of this.#waiting.splice(0)) entry.reject(error);
      this.#takeBack();
      return false;
    }
  }

  async #commitOrRetry(group: Entry[]): Promise<void> {
    const failure = await this.#tryCommit(group);
    if (failure === null) {
      for (const entry of group) entry.resolve();
      return;
    }
    this.#recovering = true;
    await this.#recover();
    if (group.length === 1) group[0]?.reject(failure);
    else for (const entry of group) await this.#commitAlone(entry);
    this.#recovering = false;
    this.#waiting = this.#waiting.filter((entry) => this.#addAgain(entry));
  }

  /** So that one batch that cannot be stored does not take its neighbours with it. */
  async #commitAlone(entry: Entry): Promise<void> {
    if (!this.#addAgain(entry)) return;
    try {
      await duckdb.query(this.#connection, 'BEGIN');
    } catch (cause) {
      this.#takeBack();
      entry.reject(toStoreError(cause));
      return;
    }
    const failure = await this.#tryCommit([entry]);
    if (failure === null) {
      entry.resolve();
      return;
    }
    await this.#recover();
    entry.reject(failure);
  }

  #addAgain(entry: Entry): boolean {
    try {
      this.buffer.add(entry.batch, null);
      return true;
    } catch (error) {
      entry.reject(error);
      return false;
    }
  }

  /** The error, or null when the group is durable and published. */
  async #tryCommit(group: Entry[]): Promise<EverflameError | null> {
    const commit = this.#commit(group);
    this.#committing = commit;
    try {
      await commit;
      return null;
    } catch (cause) {
      return toStoreError(cause);
    } finally {
      this.#committing = null;
    }
  }

  async #commit(group: Entry[]): Promise<void> {
    const { dictionaries, catalogue, buffer, counts } = this;
    const nowMs = Date.now();
    const marks = { dictionaries: dictionaries.freeze(), catalogue: catalogue.freeze() };
    const rows = buffer.take();
    const samples = rows.samples.count;
    const profiles = rows.profiles.count;
    const appenders = this.#appenders;
    appenders.beginTurn();
    await flushDictionaries(appenders, dictionaries, marks.dictionaries);
    await flushCatalogue(appenders, catalogue, marks.catalogue);
    await flushRows(appenders, rows);
    const hashes = group.map(({ hash }) => hash);
    await flushBatchIds(appenders, hashes, nowMs);
    await flushReplacedWindows(appenders, rows.lateReports);
    buffer.reuse(rows);
    await dictionaries.makeRoom(marks.dictionaries);
    if (this.batchIds.expire(nowMs)) {
      const oldest = oldestKeptMs(nowMs);
      await duckdb.query(this.#connection, `DELETE FROM batches WHERE ts_ms < ${oldest}`);
    }
    await this.#commitStatement.run();
    await dictionaries.commit(marks.dictionaries);
    catalogue.commit(marks.catalogue);
    for (const hash of hashes) this.batchIds.add(hash, nowMs);
    counts.samples += samples;
    counts.hotSamples += samples;
    counts.profiles += profiles;
    counts.commits++;
    this.committed();
  }

  #takeBack(): void {
    this.buffer.rows.clear();
    this.dictionaries.rollback();
    this.catalogue.rollback();
  }

  /** Takes back everything in memory that is not durable, and starts with fresh appenders. */
  async #recover(): Promise<void> {
    this.#takeBack();
    this.#appenders.discard();
    this.#appenders = new Appenders(this.#connection);
    this.#commitStatement.close();
    // COMMIT that failed has ended its transaction, so that ROLLBACK may find none: both are fine.
    await Promise.allSettled([duckdb.query(this.#connection, 'ROLLBACK')]);
    const loading = loadActivity(this.#connection, this.catalogue);
    // A database that cannot be read any more fails the next write too, which then reports it.
    await Promise.allSettled([loading]);
  }
}
