/**
 * Who waits for memory: a line for each kind of work, so that what needs much does not hold up what
 * needs little. Within a line the first goes first. Time is told from outside.
 */
import { MAX_WAITING_FOR_MEMORY } from '../profile/limits.ts';

/**
 * Small pieces that come all the time could keep a large one waiting for ever. From this age on
 * nobody goes before it but who does not wait for as long.
 */
export const PATIENCE_MS = 5_000;

export interface MemoryWaiter<W extends string> {
  work: W;
  /** Bytes, told anew: what a query meets, and what its worker knows, change while it waits. */
  need(): number;
  sinceMs: number;
  /** Then it is refused. */
  maxMs: number;
  /** Its turn has come. */
  start(): void;
  /** It has waited for too long. */
  refuse(): void;
}

export class MemoryLine<W extends string> {
  /** In the order in which they came. */
  #waiters: MemoryWaiter<W>[] = [];

  get isFull(): boolean {
    return this.#waiters.length >= MAX_WAITING_FOR_MEMORY;
  }

  countOf(work: W): number {
    return this.#waiters.filter((waiter) => waiter.work === work).length;
  }

  /** The age of the one that came first; 0 where nobody waits. */
  ageMs(nowMs: number): number {
    const [first] = this.#waiters;
    return first === undefined ? 0 : nowMs - first.sinceMs;
  }

  /** Whether work of this kind must let somebody go before it. */
  mustWait(work: W, maxMs: number, nowMs: number): boolean {
    const isHeld = this.ageMs(nowMs) >= PATIENCE_MS && maxMs > PATIENCE_MS;
    return isHeld || this.countOf(work) > 0;
  }

  add(waiter: MemoryWaiter<W>): void {
    this.#waiters.push(waiter);
  }

  remove(waiter: MemoryWaiter<W>): void {
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
  }

  /** Starts whoever `take` finds memory for, and refuses who has waited for too long. */
  serve(nowMs: number, take: (waiter: MemoryWaiter<W>) => boolean): void {
    const blocked = new Set<W>();
    let isHeld = false;
    this.#waiters = this.#waiters.filter((waiter) => {
      const ageMs = nowMs - waiter.sinceMs;
      const mayGo = !blocked.has(waiter.work) && !(isHeld && waiter.maxMs > PATIENCE_MS);
      if (mayGo && take(waiter)) {
        waiter.start();
        return false;
      }
      if (ageMs >= waiter.maxMs) {
        waiter.refuse();
        return false;
      }
      blocked.add(waiter.work);
      isHeld ||= ageMs >= PATIENCE_MS;
      return true;
    });
  }

  /** Takes all of them out. */
  clear(): readonly MemoryWaiter<W>[] {
    return this.#waiters.splice(0);
  }
}
