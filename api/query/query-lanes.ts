/**
 * Who runs next: light and heavy queries have seats of their own, so that a heavy one holds up
 * other heavy ones only, and clients that wait in a lane take turns, so that one with many queries
 * holds up mostly itself.
 */
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_HEAVY_QUERIES,
  MAX_LIGHT_QUERIES,
  MAX_QUERIES_PER_CLIENT,
  MAX_QUERY_MS,
  MAX_QUERY_ROWS,
  MAX_WAITING_QUERIES,
  MIN_HEAVY_ROWS,
} from '../../profile/limits.ts';
import type { Caller } from './params.ts';

export type LaneName = 'light' | 'heavy';

/** What a query is expected to take. */
export interface QueryCost {
  lane: LaneName;
  /** Distinct stacks that it meets, their frames, and distinct ones of those; all from above. */
  stacks: number;
  frames: number;
  locations: number;
}

/** Takes memory for a query, waiting for it where it must; throws where there is none. */
export type ReserveMemory = (cost: () => QueryCost, signal: AbortSignal) => Promise<() => void>;

/** Figures of a lane, for the metrics. */
export interface LaneStats {
  running: number;
  waiting: number;
}

/** The lane for a query that reads so many rows. Throws where no query may read as many. */
export function laneOf(rows: number): LaneName {
  if (rows > MAX_QUERY_ROWS) {
    throw new EverflameError('too-large', `the query would read about ${rows} rows`, {
      limit: `MAX_QUERY_ROWS = ${MAX_QUERY_ROWS}`,
      remedy: 'Ask for a shorter range, or match fewer series.',
    });
  }
  return rows >= MIN_HEAVY_ROWS ? 'heavy' : 'light';
}

export class QueryLanes {
  readonly seats: Record<LaneName, number>;
  readonly #lanes: Record<LaneName, Lane>;
  readonly #reserve: ReserveMemory;
  /** Queries of each client that wait or run. */
  readonly #clients = new Map<string, number>();

  constructor(
    seats: Record<LaneName, number>,
    reserve: ReserveMemory = async () => () => undefined,
  ) {
    this.seats = seats;
    this.#reserve = reserve;
    this.#lanes = { light: new Lane(seats.light), heavy: new Lane(seats.heavy) };
  }

  stats(): Record<LaneName, LaneStats> {
    return { light: this.#lanes.light.stats(), heavy: this.#lanes.heavy.stats() };
  }

  /**
   * Runs the work once a seat is free. Its signal fires when the caller or the time is gone, or the
   * work is over. `cost`: as of now, while it waits.
   */
  async run<T>(
    cost: () => QueryCost,
    caller: Caller,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const lane = this.#lanes[cost().lane];
    this.#countIn(caller.client);
    const stop = new AbortController();
    const give = () => stop.abort();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      stop.abort();
    }, MAX_QUERY_MS);
    if (caller.signal.aborted) stop.abort();
    caller.signal.addEventListener('abort', give, { once: true });
    try {
      await lane.enter(caller.client, stop.signal);
      try {
        return await this.#workWithin(cost, stop.signal, work);
      } finally {
        // Where one of several reads failed, the others stop too.
        give();
        lane.leave();
      }
    } catch (error) {
      throw isLate ? tooSlow(error) : error;
    } finally {
      clearTimeout(timer);
      caller.signal.removeEventListener('abort', give);
      this.#countOut(caller.client);
    }
  }

  async #workWithin<T>(
    cost: () => QueryCost,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const release = await this.#reserve(cost, signal);
    try {
      return await work(signal);
    } finally {
      release();
    }
  }

  #countIn(client: string): void {
    const count = this.#clients.get(client) ?? 0;
    if (count >= MAX_QUERIES_PER_CLIENT) {
      throw new EverflameError('overloaded', 'this client has too many queries under way', {
        limit: `MAX_QUERIES_PER_CLIENT = ${MAX_QUERIES_PER_CLIENT}`,
        remedy: 'Wait for answers before asking more.',
      });
    }
    this.#clients.set(client, count + 1);
  }

  #countOut(client: string): void {
    const rest = (this.#clients.get(client) ?? 0) - 1;
    if (rest > 0) this.#clients.set(client, rest);
    else this.#clients.delete(client);
  }
}

/** Seats for a machine with so many CPUs: one heavy query uses several of them already. */
export function seatsFor(cpus: number): Record<LaneName, number> {
  const heavy = Math.min(MAX_HEAVY_QUERIES, Math.max(1, Math.floor(cpus / 4)));
  return { light: MAX_LIGHT_QUERIES, heavy };
}

class Lane {
  readonly #seats: number;
  #running = 0;
  #waiting = 0;
  /** By client, in the order of their turns. */
  readonly #lines = new Map<string, (() => void)[]>();

  constructor(seats: number) {
    this.#seats = seats;
  }

  stats(): LaneStats {
    return { running: this.#running, waiting: this.#waiting };
  }

  /** Resolves with a seat taken; rejects where the signal fires first, or too many wait. */
  enter(client: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(givenUp());
    if (this.#running < this.#seats) {
      this.#running++;
      return Promise.resolve();
    }
    if (this.#waiting >= MAX_WAITING_QUERIES) {
      const limit = `MAX_WAITING_QUERIES = ${MAX_WAITING_QUERIES}`;
      const error = new EverflameError('unavailable', 'too many queries are waiting', { limit });
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal.removeEventListener('abort', onAbort);
        this.#waiting--;
        resolve();
      };
      const onAbort = (): void => {
        this.#remove(client, start);
        this.#waiting--;
        reject(givenUp());
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const line = this.#lines.get(client);
      if (line === undefined) this.#lines.set(client, [start]);
      else line.push(start);
      this.#waiting++;
    });
  }

  /** Gives the seat to the next: the client whose turn it is goes behind the others. */
  leave(): void {
    const [next] = this.#lines;
    if (next === undefined) {
      this.#running--;
      return;
    }
    const [client, line] = next;
    const start = line.shift();
    this.#lines.delete(client);
    if (line.length > 0) this.#lines.set(client, line);
    start?.();
  }

  #remove(client: string, start: () => void): void {
    const line = this.#lines.get(client) ?? [];
    const rest = line.filter((other) => other !== start);
    if (rest.length > 0) this.#lines.set(client, rest);
    else this.#lines.delete(client);
  }
}

function givenUp(): EverflameError {
  return new EverflameError('cancelled', 'the query was given up');
}

function tooSlow(cause: unknown): EverflameError {
  return new EverflameError('unavailable', 'the query took too long and was stopped', {
    limit: `MAX_QUERY_MS = ${MAX_QUERY_MS}`,
    remedy: 'Ask for a shorter range, or match fewer series.',
    cause,
  });
}
