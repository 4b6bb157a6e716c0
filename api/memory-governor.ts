/**
 * Keeps the process below its memory limit. Budgets bound what each part may take; the governor
 * bounds their sum: it looks at the resident memory and, over a mark below the limit, gives caches
 * back and refuses work that would need more. What was guessed wrong has the rest up to the limit.
 */
import { EverflameError } from '../profile/errors.ts';
import type { Gauge } from './metrics.ts';

/** Reading the figure costs some 10 us. Between two looks, reservations bound the growth. */
const SAMPLE_MS = 50;
/** Of the limit: what is used and reserved stays below; the rest is for what was guessed wrong. */
const MARK_SHARE = 0.68;
/** Giving back caches costs their warmth, and a collection stops the thread for some 50 ms. */
const RELIEF_MS = 1_000;

const MB = 2 ** 20;
/** What one query needs beside the store's own memory: its tree, names and answer. */
export const QUERY_BYTES = { light: 32 * MB, heavy: 96 * MB };
/**
 * What a push needs: its body comes to some dozen times its bytes while it is decoded. Few are at a
 * time, the others wait as they came, so that senders by the hundred fit.
 */
export function pushBytes(bodyBytes: number): number {
  return MB + 24 * bodyBytes;
}

export interface MemoryGovernorOptions {
  limitBytes: number;
  /** Resident memory of the process, all threads counted. */
  readBytes: () => number;
  /** Gives back what is only kept to be faster. */
  relieve: () => void;
}

export class MemoryGovernor {
  readonly limitBytes: number;
  readonly #options: MemoryGovernorOptions;
  readonly #refused = { push: 0, query: 0 };
  readonly #markBytes: number;
  #usedBytes = 0;
  #reservedBytes = 0;
  #reliefs = 0;
  #lastReliefMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: MemoryGovernorOptions) {
    this.limitBytes = options.limitBytes;
    this.#options = options;
    this.#markBytes = MARK_SHARE * options.limitBytes;
    this.#usedBytes = options.readBytes();
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), SAMPLE_MS);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Reads the figure and acts on it. */
  look(): void {
    this.#usedBytes = this.#options.readBytes();
    if (this.#usedBytes + this.#reservedBytes < this.#markBytes) return;
    const nowMs = performance.now();
    if (nowMs - this.#lastReliefMs < RELIEF_MS) return;
    this.#lastReliefMs = nowMs;
    this.#reliefs++;
    this.#options.relieve();
    this.#usedBytes = this.#options.readBytes();
  }

  /** Reserves memory for a piece of work until it is released. Throws `overloaded` without. */
  reserve(work: 'push' | 'query', bytes: number): () => void {
    // A machine at rest takes one piece of work whatever it may need: its own limits bound it.
    const isAlone = this.#reservedBytes === 0 && this.#usedBytes < this.#markBytes;
    if (!isAlone && this.#usedBytes + this.#reservedBytes + bytes > this.#markBytes) {
      this.#refused[work]++;
      throw new EverflameError('overloaded', `there is no memory left for a ${work}`, {
        limit: `--memory-limit = ${this.limitBytes}`,
        remedy: 'Send the same request again later; raise --memory-limit if that does not help.',
      });
    }
    this.#reservedBytes += bytes;
    return () => {
      this.#reservedBytes -= bytes;
    };
  }

  gauges(): Gauge[] {
    return [
      {
        name: 'everflame_memory_limit_bytes',
        description: 'Ceiling of the resident memory.',
        read: () => this.limitBytes,
      },
      {
        name: 'everflame_memory_reserved_bytes',
        description: 'Memory that pushes and queries under way may come to need.',
        read: () => this.#reservedBytes,
      },
      {
        name: 'everflame_memory_refused',
        description: 'Requests refused for want of memory, by kind of work.',
        monotonic: true,
        read: () => Object.entries(this.#refused).map(([work, count]) => [count, { work }]),
      },
      {
        name: 'everflame_memory_reliefs',
        description: 'Times that caches were given back for want of memory.',
        monotonic: true,
        read: () => this.#reliefs,
      },
    ];
  }
}
