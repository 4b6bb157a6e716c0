/** Decode workers behind a bounded queue. A worker that dies fails its jobs and is replaced. */
import type { Worker } from 'node:worker_threads';
import { EverflameError, fromErrorRecord } from '../../profile/errors.ts';
import { MAX_QUEUED_INGESTS } from '../../profile/limits.ts';
import type { IdKey } from '../../profile/siphash.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { DecodeJob, DecodeResult, ToDecodeWorker } from './decode-messages.ts';
import type { IngestRequest } from './ingest-request.ts';
import type { DecodedRequest } from './request-decoder.ts';

/** Jobs of one message. Each message costs some 20 us, a job of a usual push ten times that. */
const JOBS_PER_MESSAGE = 8;
/** Messages that a worker has at a time: one to work on and one to go on with. */
const MESSAGES_PER_WORKER = 2;

export interface DecodePoolOptions {
  createWorker: () => Worker;
  workers: number;
  key: IdKey;
  /** The words of the table of stacks that the store has now. */
  knownWords: () => Int32Array;
}

interface PendingJob extends DecodeJob {
  bytes: number;
  resolve: (decoded: DecodedRequest) => void;
  reject: (error: unknown) => void;
}

/** A place for a worker; empty until there is work, and again after the worker died. */
interface Slot {
  worker: Worker | null;
  knownWords: Int32Array | null;
  messages: number;
  jobs: Map<number, PendingJob>;
}

export class DecodePool {
  readonly #options: DecodePoolOptions;
  readonly #slots: Slot[];
  #queue: PendingJob[] = [];
  #nextId = 0;
  #running = 0;
  queuedBytes = 0;
  restarts = 0;

  constructor(options: DecodePoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.workers }, emptySlot);
  }

  /** Jobs that wait or are worked on. */
  get queuedRequests(): number {
    return this.#queue.length + this.#running;
  }

  /** Takes the request's body. Throws `overloaded` where the queue is full. */
  decode(request: IngestRequest, nowMs: EpochMs): Promise<DecodedRequest> {
    if (this.queuedRequests >= MAX_QUEUED_INGESTS) throw overloaded();
    return new Promise((resolve, reject) => {
      const bytes = request.body.length;
      const owned = { ...request, body: ownBuffer(request.body) };
      this.queuedBytes += bytes;
      this.#queue.push({ id: this.#nextId++, request: owned, nowMs, bytes, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends the workers that have nothing to do, with the memory that they keep for the next job. */
  trim(): void {
    for (const slot of this.#slots) {
      if (slot.messages > 0 || slot.worker === null) continue;
      void slot.worker.terminate();
      Object.assign(slot, emptySlot());
    }
  }

  /** Ends the workers; jobs that are not done fail. */
  async close(): Promise<void> {
    const workers = this.#slots.map((slot) => slot.worker);
    const left = [...this.#queue, ...this.#slots.flatMap((slot) => [...slot.jobs.values()])];
    this.#queue = [];
    for (const slot of this.#slots) Object.assign(slot, emptySlot());
    for (const job of left) this.#fail(job, 'the server is shutting down');
    await Promise.all(workers.map((worker) => worker?.terminate()));
  }

  #dispatch(): void {
    for (let depth = 0; depth < MESSAGES_PER_WORKER; depth++) {
      for (const slot of this.#slots) {
        if (this.#queue.length === 0) return;
        if (slot.messages <= depth) this.#send(slot, this.#queue.splice(0, JOBS_PER_MESSAGE));
      }
    }
  }

  #send(slot: Slot, jobs: PendingJob[]): void {
    const worker = slot.worker ?? this.#startWorker(slot);
    const words = this.#options.knownWords();
    if (slot.knownWords !== words) post(worker, { kind: 'known', words });
    slot.knownWords = words;
    slot.messages++;
    this.#running += jobs.length;
    for (const job of jobs) slot.jobs.set(job.id, job);
    const messages = jobs.map(({ id, request, nowMs }) => ({ id, request, nowMs }));
    const buffers = jobs.map((job) => job.request.body.buffer as ArrayBuffer);
    post(worker, { kind: 'decode', jobs: messages }, buffers);
  }

  #startWorker(slot: Slot): Worker {
    const worker = this.#options.createWorker();
    slot.worker = worker;
    worker.on('message', (results: DecodeResult[]) => this.#receive(slot, results));
    worker.on('error', (error) => this.#replace(slot, worker, error.message));
    worker.on('exit', (code) => this.#replace(slot, worker, `exit code ${code}`));
    post(worker, { kind: 'start', key: this.#options.key });
    return worker;
  }

  #receive(slot: Slot, results: readonly DecodeResult[]): void {
    slot.messages--;
    for (const result of results) {
      const job = slot.jobs.get(result.id);
      if (job === undefined) continue; // The pool was closed meanwhile, and the job failed.
      slot.jobs.delete(result.id);
      this.#running--;
      this.queuedBytes -= job.bytes;
      if ('error' in result) job.reject(fromErrorRecord(result.error));
      else job.resolve(result.decoded);
    }
    this.#dispatch();
  }

  /** After `error` comes `exit`; the second of them finds the slot emptied already. */
  #replace(slot: Slot, worker: Worker, reason: string): void {
    if (slot.worker !== worker) return;
    const jobs = [...slot.jobs.values()];
    Object.assign(slot, emptySlot());
    this.restarts++;
    this.#running -= jobs.length;
    for (const job of jobs) this.#fail(job, `a decode worker ended: ${reason}`);
    this.#dispatch();
  }

  #fail(job: PendingJob, message: string): void {
    this.queuedBytes -= job.bytes;
    job.reject(
      new EverflameError('unavailable', message, { remedy: 'Send the same request again.' }),
    );
  }
}

function emptySlot(): Slot {
  return { worker: null, knownWords: null, messages: 0, jobs: new Map() };
}

function post(worker: Worker, message: ToDecodeWorker, transfer: ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer);
}

/** The bytes in a buffer that may be moved: their own, or a copy of a part of a larger one. */
function ownBuffer(bytes: Uint8Array): Uint8Array {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength;
  // A Buffer arrives as a plain Uint8Array, so it is one before it is sent, too.
  return isWhole && bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer)
    : Uint8Array.from(bytes);
}

function overloaded(): EverflameError {
  return new EverflameError('overloaded', 'too many requests wait to be decoded', {
    limit: `MAX_QUEUED_INGESTS = ${MAX_QUEUED_INGESTS}`,
    remedy: 'Send the same request again later.',
  });
}
