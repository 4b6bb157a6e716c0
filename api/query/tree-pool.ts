/**
 * The tree workers: one job at a time each, the longest idle last, so that few queries meet one
 * warm tree. A worker that dies fails its job and is replaced.
 */
import type { Worker } from 'node:worker_threads';
import type { DictionaryColumns, DictionarySnapshot } from '../../profile/dictionary.ts';
import { EverflameError, fromErrorRecord } from '../../profile/errors.ts';
import { MAX_WAITING_QUERIES } from '../../profile/limits.ts';
import type { Answer } from './params.ts';
import { StopFlag } from './stop-flag.ts';
import type { SymbolRow } from './symbol-names.ts';
import type { StackWeights, TreeJob, TreeReply, TreeRequest } from './tree-messages.ts';

export interface TreePoolOptions {
  /** Starts a thread that answers `TreeRequest` with `TreeReply` (cli/tree-worker.ts). */
  createWorker: () => Worker;
  workers: number;
  snapshot: () => DictionarySnapshot;
  symbolFiles: () => readonly SymbolRow[];
}

interface Waiting {
  job: TreeJob;
  stacks: number;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

interface Seat {
  /** Null until it is needed, and again after the thread died. */
  worker: Worker | null;
  busy: Waiting | null;
  readonly stop: StopFlag;
  /** Most stacks that one of its jobs had: their names and tree are in its caches. */
  metStacks: number;
  /** What the worker was sent last, by identity. */
  snapshot: DictionarySnapshot | null;
  symbolFiles: readonly SymbolRow[] | null;
}

export class TreePool {
  readonly #options: TreePoolOptions;
  readonly #seats: Seat[] = [];
  readonly #queue: Waiting[] = [];
  #nextId = 0;
  #closed = false;

  constructor(options: TreePoolOptions) {
    this.#options = options;
    for (let seat = 0; seat < Math.max(1, options.workers); seat++) {
      const stop = new StopFlag();
      const empty = { worker: null, busy: null, metStacks: 0, snapshot: null, symbolFiles: null };
      this.#seats.push({ ...empty, stop });
    }
  }

  /** The job's buffers move to the worker. Once `signal` fires it waits no longer, and stops. */
  run(job: TreeJob, signal: AbortSignal): Promise<Answer> {
    if (signal.aborted) return Promise.reject(cancelled());
    if (this.#closed) return Promise.reject(stopped());
    if (this.#queue.length >= MAX_WAITING_QUERIES) {
      const limit = `MAX_WAITING_QUERIES = ${MAX_WAITING_QUERIES}`;
      const error = new EverflameError('overloaded', 'too many queries are waiting', { limit });
      return Promise.reject(error);
    }
    return new Promise<Answer>((resolve, reject) => {
      const onAbort = (): void => {
        const place = this.#queue.indexOf(waiting);
        if (place >= 0) this.#queue.splice(place, 1);
        this.#seats.find(({ busy }) => busy === waiting)?.stop.set(true);
        reject(cancelled());
      };
      const waiting: Waiting = {
        job,
        stacks: job.weights.stack.length,
        resolve: (answer) => {
          signal.removeEventListener('abort', onAbort);
          resolve(answer);
        },
        reject: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(waiting);
      this.#dispatch();
    });
  }

  /**
   * How many stacks the worker knows that the next query will have, when so many went `before` it;
   * null where that worker does not run yet.
   */
  metStacks(before: number): number | null {
    return this.#idle()[before]?.metStacks ?? null;
  }

  get busy(): number {
    return this.#seats.filter(({ busy }) => busy !== null).length;
  }

  /**
   * Ends the workers that have nothing to do, but for `kept` of them, which will soon have: the
   * next query starts them with cold caches.
   */
  trim(kept: number): void {
    for (const seat of this.#idle().slice(kept)) {
      void seat.worker?.terminate();
      seat.worker = null;
      // An older state of the dictionaries, which nothing else may hold any more.
      seat.snapshot = null;
    }
  }

  /** Seats whose workers have nothing to do, those that know most first. */
  #idle(): Seat[] {
    return this.#seats
      .filter(({ worker, busy }) => worker !== null && busy === null)
      .sort((a, b) => b.metStacks - a.metStacks);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#queue.splice(0)) waiting.reject(stopped());
    await Promise.all(this.#seats.map(({ worker }) => worker?.terminate()));
  }

  #start(seat: Seat): Worker {
    const worker = this.#options.createWorker();
    seat.metStacks = 0;
    seat.snapshot = null;
    seat.symbolFiles = null;
    // A thread that waits for work must not keep the process alive.
    worker.unref();
    worker.on('message', (reply: TreeReply) => this.#settle(seat, reply));
    worker.on('error', (cause: unknown) => {
      const error = isOutOfMemory(cause)
        ? new EverflameError('overloaded', 'the answer needs more memory than a query may take', {
            limit: '--memory-limit',
            remedy: 'Ask for a shorter range, match fewer series, or raise --memory-limit.',
            cause,
          })
        : new EverflameError('unavailable', 'a tree worker failed', { cause });
      this.#release(seat)?.reject(error);
    });
    worker.on('exit', () => {
      if (seat.worker !== worker) return; // It was trimmed, and another one may sit there now.
      seat.worker = null;
      this.#release(seat)?.reject(stopped());
      if (!this.#closed) this.#dispatch();
    });
    return worker;
  }

  #release(seat: Seat): Waiting | null {
    const waiting = seat.busy;
    seat.busy = null;
    return waiting;
  }

  #settle(seat: Seat, reply: TreeReply): void {
    const waiting = this.#release(seat);
    if ('error' in reply) waiting?.reject(fromErrorRecord(reply.error));
    else if (waiting !== null) {
      seat.metStacks = Math.max(seat.metStacks, waiting.stacks);
      waiting.resolve(reply.answer);
    }
    this.#dispatch();
  }

  #dispatch(): void {
    const empty = this.#seats.filter(({ worker, busy }) => worker === null && busy === null);
    for (const seat of [...this.#idle(), ...empty]) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      seat.busy = next;
      this.#send(seat, next.job);
    }
  }

  #send(seat: Seat, job: TreeJob): void {
    const request: TreeRequest = { id: this.#nextId++, job };
    if (seat.worker === null) {
      seat.worker = this.#start(seat);
      request.stop = seat.stop.word;
    }
    seat.stop.set(false);
    // Taken now, not when the job was made: a job's stacks are in every later snapshot too.
    const snapshot = this.#options.snapshot();
    if (snapshot !== seat.snapshot) {
      request.dictionary = columnsOf(snapshot);
      seat.snapshot = snapshot;
    }
    const symbolFiles = this.#options.symbolFiles();
    if (symbolFiles !== seat.symbolFiles) {
      request.symbolFiles = symbolFiles;
      seat.symbolFiles = symbolFiles;
    }
    seat.worker.postMessage(request, buffersOf(job));
  }
}

function isOutOfMemory(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function columnsOf({ strings, functions, locations, stacks }: DictionarySnapshot) {
  const columns: DictionaryColumns = { strings, functions, locations, stacks };
  return columns;
}

function buffersOf(job: TreeJob): ArrayBuffer[] {
  const sides: StackWeights[] = [job.weights];
  if (job.kind === 'graph' && job.base !== null) sides.push(job.base);
  const buffers = new Set<ArrayBuffer>();
  for (const { group, stack, value } of sides) {
    for (const { buffer } of [group, stack, value]) {
      if (buffer instanceof ArrayBuffer) buffers.add(buffer);
    }
  }
  return [...buffers];
}

function cancelled(): EverflameError {
  return new EverflameError('cancelled', 'the query was given up');
}

function stopped(): EverflameError {
  return new EverflameError('unavailable', 'the server stopped before the query was answered');
}
