/**
 * Keeps the server below its memory limit, child processes included. Budgets bound what each part
 * may take; the governor bounds their sum: it looks at the resident memory and, over a mark below
 * the limit, gives caches back and lets work that would need more wait, or refuses it. What was
 * guessed wrong has the rest up to the limit.
 */
import { assert, EverflameError } from '../profile/errors.ts';
import { MAX_MEMORY_WAIT_MS, MAX_PUSH_WAIT_MS, MAX_WAITING_FOR_MEMORY } from '../profile/limits.ts';
import { MemoryLine, type MemoryWaiter } from './memory-line.ts';
import type { Gauge } from './metrics.ts';
import type { QueryCost } from './query/query-lanes.ts';
import { setSpanAttribute } from './telemetry/spans.ts';

/**
 * Reading the figure costs some 10 us: between two looks pushes go by what it was, and reservations
 * bound the growth. On a busy machine looks come late, so that larger work has it read anew.
 */
const SAMPLE_MS = 50;
/**
 * Marks, as shares of a limit of up to `MARGIN_LIMIT_BYTES`. What they leave free is for what was
 * guessed wrong; that grows more slowly than the limit, so that above they leave a smaller share.
 */
const MARK_SHARES = {
  /** What is used and reserved stays below. */
  work: 0.68,
  /**
   * What is used and reserved for pushes fills less, so that a few light queries get through beside
   * them. With what queries have reserved it may fill more: most of that they have taken already,
   * and a heavy one must not hold up ingest.
   */
  push: 0.63,
  pushAndQueries: 0.78,
  /** Where nothing else is under way, less is left for wrong guesses. */
  alone: 0.88,
  /** Caches go over this, or for who waits: what they make faster takes seconds without. */
  relief: 0.78,
};
type Marks = Readonly<Record<keyof typeof MARK_SHARES, number>>;
/** Giving back caches costs their warmth, and a collection stops the thread for some 50 ms. */
const RELIEF_MS = 1_000;
/** Between two times that freed memory is given back over the mark. */
const GIVE_BACK_MS = 500;
/** Caches go for somebody who waits only where others do not end soon. */
const RELIEF_AGE_MS = 1_500;
/**
 * A query that has waited so long for pushes only takes as much as these may beside one. Pushes may
 * never cease, and it would else get its memory from the caches that it needs itself.
 */
const QUERY_PATIENCE_MS = 300;
/** And for refused pushes only where giving back was not enough: their senders come again. */
const REFUSED_MS = 2_000;

const MB = 2 ** 20;
const MARGIN_LIMIT_BYTES = 512 * MB;
/** A query of few rows, or of names; and a tree worker that must be started first. */
const MIN_QUERY_BYTES = 8 * MB;
const WORKER_BYTES = 20 * MB;
/** For each frame of the stacks that it meets: its columns, its part of the tree, its answer. */
const FRAME_BYTES = 40;
/** For each distinct location that a worker meets for the first time: its names. */
const LOCATION_BYTES = 600;
/** Of the limit: rows say from above what a query meets, and its worker has limits, too. */
const QUERY_SHARE = 0.45;

/**
 * What a query needs beside the store's own memory. `metStacks`: what the worker knows that it will
 * have; null where none runs.
 */
export function queryBytes(cost: QueryCost, metStacks: number | null): number {
  const { stacks, frames, locations } = cost;
  if (stacks === 0) return MIN_QUERY_BYTES;
  const unmet = Math.max(0, 1 - (metStacks ?? 0) / stacks);
  const workerBytes = metStacks === null ? WORKER_BYTES : 0;
  const namesBytes = unmet * locations * LOCATION_BYTES;
  return MIN_QUERY_BYTES + workerBytes + frames * FRAME_BYTES + namesBytes;
}

/**
 * What a push needs: its body comes to some dozen times its bytes while it is decoded. Few are at a
 * time, the others wait as they came, so that senders by the hundred fit.
 */
export function pushBytes(bodyBytes: number): number {
  return MB + 24 * bodyBytes;
}

/** In bytes. */
function marksOf(limitBytes: number): Marks {
  const narrowing = Math.min(1, Math.sqrt(MARGIN_LIMIT_BYTES / limitBytes));
  const markOf = (share: number) => (1 - (1 - share) * narrowing) * limitBytes;
  return {
    work: markOf(MARK_SHARES.work),
    push: markOf(MARK_SHARES.push),
    pushAndQueries: markOf(MARK_SHARES.pushAndQueries),
    alone: markOf(MARK_SHARES.alone),
    relief: markOf(MARK_SHARES.relief),
  };
}

const WORK = ['push', 'light', 'heavy', 'sql', 'copy'] as const;
export type Work = (typeof WORK)[number];

export type Release = () => void;

/** A part of the server that keeps something only to be faster. */
export interface MemoryKeeper {
  /** Gives it back. */
  trim(): void;
  /** What it keeps outside of this process. */
  spareBytes?(): number;
}

export interface MemoryGovernorOptions {
  limitBytes: number;
  /** Resident memory of the process, all threads counted. */
  readBytes: () => number;
  collectGarbage: () => void;
  /** Makes allocators give back what was freed: some ms, and nothing is slower for it. */
  giveBackFreed: () => void;
  /** How long a piece of work waited, of those that had to. */
  waited: (work: Work, seconds: number) => void;
  /** Monotonic. */
  nowMs?: () => number;
}

/** What requests ask. */
export type MemoryDoor = Pick<MemoryGovernor, 'checkPush' | 'reserve'>;

export class MemoryGovernor {
  readonly limitBytes: number;
  readonly #options: MemoryGovernorOptions;
  readonly #marks: Marks;
  readonly #nowMs: () => number;
  readonly #refused: Record<Work, number> = { push: 0, light: 0, heavy: 0, sql: 0, copy: 0 };
  readonly #line = new MemoryLine<Work>();
  #keepers: readonly MemoryKeeper[] = [];
  #usedBytes = 0;
  #reservedBytes = 0;
  /** Of these, for pushes. */
  #pushBytes = 0;
  /** The first push refused at its door, which does not wait in line, since there was no room. */
  #refusedSinceMs: number | null = null;
  #reliefs = 0;
  #lastReliefMs = Number.NEGATIVE_INFINITY;
  #lastGivenMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: MemoryGovernorOptions) {
    this.limitBytes = options.limitBytes;
    this.#options = options;
    this.#marks = marksOf(options.limitBytes);
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#usedBytes = this.#readUsed();
  }

  /** The parts are made after the governor that they ask. */
  start(keepers: readonly MemoryKeeper[]): void {
    this.#keepers = keepers;
    this.#timer ??= setInterval(() => this.look(), SAMPLE_MS);
    this.#timer.unref();
  }

  /** Who still waits is refused. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const waiter of this.#line.clear()) waiter.refuse();
  }

  /** Reads the figure and acts on it. */
  look(): void {
    this.#usedBytes = this.#readUsed();
    const nowMs = this.#nowMs();
    const refusedMs = this.#refusedSinceMs === null ? null : nowMs - this.#refusedSinceMs;
    const ageMs = this.#line.ageMs(nowMs);
    const isWanted = refusedMs !== null || ageMs > 0 || this.#usedBytes >= this.#marks.work;
    if (isWanted) this.#giveBackFreed(nowMs);
    if (this.#usedBytes < this.#marks.push) this.#refusedSinceMs = null;
    // What is reserved is not there yet: caches that went for it would be missed at once by those
    // that reserved it.
    const isShort = this.#usedBytes >= this.#marks.relief;
    const isStuck = this.#refusedSinceMs !== null && (refusedMs ?? 0) >= REFUSED_MS;
    const isAwaited = ageMs >= RELIEF_AGE_MS;
    const isDue = nowMs - this.#lastReliefMs >= RELIEF_MS;
    if (isDue && (isShort || isStuck || isAwaited)) this.#relieve(nowMs);
    this.#serve();
  }

  #relieve(nowMs: number): void {
    this.#lastReliefMs = nowMs;
    this.#refusedSinceMs = null;
    this.#reliefs++;
    this.#giveBackFreed(nowMs);
    for (const keeper of this.#keepers) keeper.trim();
    this.#options.collectGarbage();
    this.#usedBytes = this.#readUsed();
  }

  #giveBackFreed(nowMs: number): void {
    if (nowMs - this.#lastGivenMs < GIVE_BACK_MS) return;
    this.#lastGivenMs = nowMs;
    this.#options.giveBackFreed();
    this.#usedBytes = this.#readUsed();
  }

  #readUsed(): number {
    let bytes = this.#options.readBytes();
    for (const keeper of this.#keepers) bytes += keeper.spareBytes?.() ?? 0;
    return bytes;
  }

  /** Throws `overloaded` where a push would be refused however long it waited. */
  checkPush(): void {
    const limit = `--memory-limit = ${this.limitBytes}`;
    if (this.#usedBytes < this.#marks.push) return;
    this.#refusedSinceMs ??= this.#nowMs();
    throw this.#refuse('push', limit);
  }

  /** Reserves memory until it is released, when it is this one's turn; `needBytes` as of then. */
  async reserve(work: Work, needBytes: () => number, signal: AbortSignal): Promise<Release> {
    if (signal.aborted) throw givenUp();
    const isQuery = work === 'light' || work === 'heavy';
    const mostBytes = isQuery ? QUERY_SHARE * this.limitBytes : Number.POSITIVE_INFINITY;
    const need = () => Math.min(needBytes(), mostBytes);
    const sinceMs = this.#nowMs();
    if (work !== 'push') this.#usedBytes = this.#readUsed();
    const maxMs = work === 'push' ? MAX_PUSH_WAIT_MS : MAX_MEMORY_WAIT_MS;
    const bytes = need();
    if (!this.#line.mustWait(work, maxMs, sinceMs) && this.#fits(work, bytes))
      return this.#take(work, bytes);
    if (this.#line.isFull)
      throw this.#refuse(work, `MAX_WAITING_FOR_MEMORY = ${MAX_WAITING_FOR_MEMORY}`);
    try {
      return await this.#wait({ work, need, sinceMs, maxMs }, signal);
    } finally {
      const seconds = (this.#nowMs() - sinceMs) / 1000;
      this.#options.waited(work, seconds);
      setSpanAttribute('everflame.memory.wait_seconds', seconds);
    }
  }

  /** Whether a part that makes something only faster may take that much. */
  hasRoom(bytes: number): boolean {
    return this.#usedBytes + bytes + this.#reservedBytes <= this.#marks.work;
  }

  #wait(wait: Omit<MemoryWaiter<Work>, 'start' | 'refuse'>, signal: AbortSignal): Promise<Release> {
    return new Promise((resolve, reject) => {
      const waiter: MemoryWaiter<Work> = {
        ...wait,
        start: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(this.#take(wait.work, wait.need()));
        },
        refuse: () => {
          signal.removeEventListener('abort', onAbort);
          const name = wait.work === 'push' ? 'MAX_PUSH_WAIT_MS' : 'MAX_MEMORY_WAIT_MS';
          reject(this.#refuse(wait.work, `${name} = ${wait.maxMs}`));
        },
      };
      const onAbort = (): void => {
        this.#line.remove(waiter);
        reject(givenUp());
        // It may have been the one that nobody was to pass.
        this.#serve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#line.add(waiter);
    });
  }

  #serve(): void {
    const nowMs = this.#nowMs();
    this.#line.serve(nowMs, ({ work, need, sinceMs }) => this.#fits(work, need(), nowMs - sinceMs));
  }

  #fits(work: Work, bytes: number, waitedMs = 0): boolean {
    const usedBytes = this.#usedBytes + bytes;
    if (work === 'push') {
      // A machine at rest takes one whatever it may need: its own limits bound it.
      if (this.#reservedBytes === 0) return this.#usedBytes < this.#marks.work;
      return (
        usedBytes + this.#pushBytes <= this.#marks.push &&
        usedBytes + this.#reservedBytes <= this.#marks.pushAndQueries
      );
    }
    if (this.hasRoom(bytes)) return true;
    if (this.#reservedBytes === 0) return usedBytes <= this.#marks.alone;
    const isQuery = work === 'light' || work === 'heavy';
    const isPatient = isQuery && waitedMs >= QUERY_PATIENCE_MS;
    const areAllPushes = this.#reservedBytes === this.#pushBytes;
    if (!isPatient || !areAllPushes) return false;
    return usedBytes + this.#reservedBytes <= this.#marks.pushAndQueries;
  }

  #take(work: Work, bytes: number): Release {
    const pushBytes = work === 'push' ? bytes : 0;
    this.#reservedBytes += bytes;
    this.#pushBytes += pushBytes;
    let isHeld = true;
    return () => {
      assert(isHeld, 'memory is released once');
      isHeld = false;
      this.#reservedBytes -= bytes;
      this.#pushBytes -= pushBytes;
      // What it has taken is not reserved any more, and may not be given back yet.
      if (work !== 'push') this.#usedBytes = this.#readUsed();
      this.#serve();
    };
  }

  #refuse(work: Work, limit: string): EverflameError {
    this.#refused[work]++;
    return new EverflameError('overloaded', `there is no memory left for ${NAMES[work]}`, {
      limit,
      remedy: 'Send the same request again later; raise --memory-limit if that does not help.',
    });
  }

  gauges(): Gauge[] {
    return [
      {
        name: 'everflame_memory_limit_bytes',
        description: 'Ceiling of the resident memory, child processes included.',
        read: () => this.limitBytes,
      },
      {
        name: 'everflame_memory_reserved_bytes',
        description: 'Memory that work under way and child processes may come to need.',
        read: () => this.#reservedBytes,
      },
      {
        name: 'everflame_memory_waiting',
        description: 'Requests that wait for memory, by kind of work.',
        read: () => WORK.map((work) => [this.#line.countOf(work), { work }]),
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

const NAMES: Record<Work, string> = {
  push: 'a push',
  light: 'a query',
  heavy: 'a heavy query',
  sql: 'a SQL statement',
  copy: 'an export or a backup',
};

function givenUp(): EverflameError {
  return new EverflameError('cancelled', 'the request was given up while it waited for memory');
}
