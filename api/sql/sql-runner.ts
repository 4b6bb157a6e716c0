/**
 * Runs users' SQL, each statement in a process of its own that was started for it: it has limits, a
 * deadline and nothing that the statement may not see. What a process says is bounded, too.
 */
import type { ChildProcess } from 'node:child_process';
import { EverflameError, fromErrorRecord } from '../../profile/errors.ts';
import {
  MAX_SQL_ANSWER_BYTES,
  MAX_SQL_PROCESSES,
  MAX_WAITING_SQL,
  SQL_TIMEOUT_MS,
} from '../../profile/limits.ts';
import type {
  SqlFormat,
  SqlHeader,
  SqlJob,
  SqlTail,
} from '../../store/duckdb/sandbox/sandbox-job.ts';
import type { SqlSource } from '../../store/store.ts';

export interface SqlQuery {
  sql: string;
  format: SqlFormat;
  /** Rows. */
  limit: number;
}

export interface SqlAnswer extends SqlTail {
  body: Uint8Array;
}

export interface SqlRunner {
  /** Throws EverflameError; an abort kills the statement's process. */
  run(query: SqlQuery, signal: AbortSignal): Promise<SqlAnswer>;
  stats(): SqlStats;
  /** What the process that waits for a statement holds; 0 where none does. */
  spareBytes(): number;
  /** Ends that process. */
  trim(): void;
  /** Kills what runs. */
  close(): Promise<void>;
}

export interface SqlStats {
  running: number;
  waiting: number;
  /** Processes that ended without an answer: killed by a limit, or by a fault. */
  died: number;
}

export interface SqlRunnerOptions {
  source: SqlSource;
  /** Starts a process that reads one SqlJob and answers it (store/duckdb/sandbox/). */
  startProcess: () => Promise<ChildProcess>;
  clock: () => number;
  /** What DuckDB may take for a statement. */
  databaseBytes: number;
  /** Takes memory for a statement's process, waiting for it where it must. */
  reserve: (signal: AbortSignal) => Promise<() => void>;
  /** Whether a process may be started before its statement comes. */
  hasRoom: (bytes: number) => boolean;
  timeoutMs?: number;
}

/** A process that waits for a statement saves it the start, 0.1 s. */
const SPARE_KEPT_MS = 30_000;
const SPARE_BYTES = 62e6;
/** Threads of one statement. */
const THREADS = 2;
/** What stands around the rows: names of columns, the header, the end. */
const MAX_FRAME_BYTES = 4 * 2 ** 20;
const MAX_WORDS = 4_096;

export function createSqlRunner(options: SqlRunnerOptions): SqlRunner {
  return new Runner(options);
}

class Runner implements SqlRunner {
  readonly #options: SqlRunnerOptions;
  readonly #line: (() => void)[] = [];
  readonly #running = new Set<ChildProcess>();
  readonly #closing = new AbortController();
  #busy = 0;
  #died = 0;
  #spare: Promise<ChildProcess> | null = null;
  #spareTimer: NodeJS.Timeout | undefined;

  constructor(options: SqlRunnerOptions) {
    this.#options = options;
  }

  stats(): SqlStats {
    return { running: this.#busy, waiting: this.#line.length, died: this.#died };
  }

  async run(query: SqlQuery, signal: AbortSignal): Promise<SqlAnswer> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    await this.#enter(either);
    try {
      const release = await this.#options.reserve(either);
      try {
        return await this.#runOne(query, either);
      } finally {
        release();
        this.#prepareSpare();
      }
    } finally {
      this.#busy--;
      this.#line.shift()?.();
    }
  }

  spareBytes(): number {
    return this.#spare === null ? 0 : SPARE_BYTES;
  }

  trim(): void {
    void this.#dropSpare();
  }

  async #enter(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (this.#busy < MAX_SQL_PROCESSES) {
      this.#busy++;
      return;
    }
    if (this.#line.length >= MAX_WAITING_SQL) {
      throw new EverflameError('overloaded', 'too many SQL statements are waiting', {
        limit: `MAX_WAITING_SQL = ${MAX_WAITING_SQL}`,
      });
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        this.#busy++;
        resolve();
      };
      const leave = (): void => {
        this.#line.splice(this.#line.indexOf(enter), 1);
        reject(cancelled());
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#line.push(enter);
    });
  }

  async #runOne(query: SqlQuery, signal: AbortSignal): Promise<SqlAnswer> {
    const { source, clock, databaseBytes, timeoutMs = SQL_TIMEOUT_MS } = this.#options;
    const starting = this.#takeProcess();
    const [snapshot, started] = await Promise.allSettled([source.sqlSnapshot(), starting]);
    if (started.status === 'rejected' || snapshot.status === 'rejected') {
      if (started.status === 'fulfilled') started.value.kill('SIGKILL');
      if (snapshot.status === 'fulfilled') snapshot.value.release();
      throw started.status === 'rejected'
        ? started.reason
        : (snapshot as PromiseRejectedResult).reason;
    }
    const { files, takenMs, damaged, release } = snapshot.value;
    const child = started.value;
    this.#running.add(child);
    try {
      throwIfAborted(signal);
      const hotAgeMs = Math.max(0, clock() - takenMs);
      const limits = {
        rows: query.limit,
        answerBytes: MAX_SQL_ANSWER_BYTES,
        memoryBytes: databaseBytes,
        threads: THREADS,
        timeoutMs,
      };
      const { sql, format } = query;
      const job: SqlJob = { sql, format, files, hotAgeMs, damaged, limits };
      child.stdin?.end(JSON.stringify(job));
      const output = await collect(child, timeoutMs, signal);
      const { header, body } = this.#read(output, timeoutMs);
      if ('error' in header) throw fromErrorRecord(header.error);
      return { ...header, body, hotAgeMs, damaged };
    } finally {
      // Its files may go only after the process is gone.
      await ended(child);
      this.#running.delete(child);
      release();
    }
  }

  async #takeProcess(): Promise<ChildProcess> {
    const spare = this.#spare;
    this.#spare = null;
    clearTimeout(this.#spareTimer);
    if (spare !== null) {
      const child = await spare;
      if (child.exitCode === null && child.signalCode === null) return child;
    }
    return this.#options.startProcess();
  }

  /** For the statement after this one. A start that fails is reported to the one that needs it. */
  #prepareSpare(): void {
    if (this.#closing.signal.aborted || this.#spare !== null) return;
    if (!this.#options.hasRoom(SPARE_BYTES)) return;
    const spare = this.#options.startProcess();
    this.#spare = spare;
    spare.then(
      (child) => {
        child.unref();
        if (this.#closing.signal.aborted) child.kill('SIGKILL');
      },
      () => {
        if (this.#spare === spare) this.#spare = null;
      },
    );
    this.#spareTimer = setTimeout(() => void this.#dropSpare(), SPARE_KEPT_MS).unref();
  }

  async #dropSpare(): Promise<void> {
    clearTimeout(this.#spareTimer);
    const spare = this.#spare;
    this.#spare = null;
    const [started] = await Promise.allSettled([spare]);
    if (started.status !== 'fulfilled' || started.value === null) return;
    started.value.ref();
    await ended(started.value);
  }

  #read(output: ChildOutput, timeoutMs: number): { header: SqlHeader; body: Uint8Array } {
    const { stdout, code } = output;
    const end = stdout.indexOf('\n');
    if (code === 0 && end >= 0) {
      const header = JSON.parse(stdout.toString('utf8', 0, end)) as SqlHeader;
      return { header, body: stdout.subarray(end + 1) };
    }
    this.#died++;
    throw deathOf(output, timeoutMs, this.#options.databaseBytes);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const child of this.#running) child.kill('SIGKILL');
    await this.#dropSpare();
    while (this.#busy > 0) await new Promise<void>((resolve) => this.#line.push(resolve));
  }
}

interface ChildOutput {
  stdout: Buffer;
  words: string;
  code: number | null;
  exitSignal: string | null;
  /** Why it was killed from here. */
  killed: 'timeout' | 'output' | null;
}

/** What a process writes until it ends; it is killed at the deadline, on abort and at a flood. */
function collect(
  child: ChildProcess,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ChildOutput> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let words = '';
    let killed: ChildOutput['killed'] = null;
    const kill = (reason: ChildOutput['killed']): void => {
      killed ??= reason;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => kill('timeout'), timeoutMs);
    const onAbort = (): void => kill(null);
    signal.addEventListener('abort', onAbort, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_SQL_ANSWER_BYTES + MAX_FRAME_BYTES) kill('output');
      else chunks.push(chunk);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-MAX_WORDS);
    });
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    child.on('error', (cause) => {
      settle();
      reject(new EverflameError('unavailable', 'no process for SQL can be started', { cause }));
    });
    child.on('close', (code, exitSignal) => {
      settle();
      if (signal.aborted) reject(cancelled());
      else resolve({ stdout: Buffer.concat(chunks), words, code, exitSignal, killed });
    });
    if (signal.aborted) kill(null);
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  child.kill('SIGKILL');
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

function deathOf(output: ChildOutput, timeoutMs: number, databaseBytes: number): EverflameError {
  const { words, code, exitSignal, killed } = output;
  const remedy = 'Select fewer rows or a shorter time; filter by type and ts_ms first.';
  if (killed === 'timeout') {
    return new EverflameError('too-large', `the statement took over ${timeoutMs} ms`, {
      field: 'sql',
      limit: `SQL_TIMEOUT_MS = ${timeoutMs}`,
      remedy,
    });
  }
  const memory = /out of memory|bad_alloc|allocation fail|cannot allocate/i.test(words);
  if (memory || exitSignal === 'SIGABRT' || exitSignal === 'SIGSEGV' || exitSignal === 'SIGTRAP') {
    return new EverflameError('too-large', 'the statement needs more memory than it may have', {
      field: 'sql',
      limit: `a part of --memory-limit = ${databaseBytes}`,
      remedy,
    });
  }
  const how = exitSignal ?? (code === 0 ? 'an answer without a header' : `exit status ${code}`);
  // Its last words may say where the program's files are.
  return new EverflameError('unavailable', `the process of the statement died of ${how}`, {
    cause: new Error(words.trim()),
  });
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled();
}

function cancelled(): EverflameError {
  return new EverflameError('cancelled', 'the statement was cancelled');
}
