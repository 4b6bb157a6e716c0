/** A budget of bytes per window of time; whoever finds it spent waits for the next window. */
import { setTimeout as sleep } from 'node:timers/promises';

export class ByteBudget {
  readonly #bytes: number;
  readonly #windowMs: number;
  #left: number;
  #windowEnd = 0;

  constructor(bytes: number, windowMs: number) {
    this.#bytes = bytes;
    this.#windowMs = windowMs;
    this.#left = bytes;
  }

  /** Waits until `bytes` may be sent; they may be at most a whole window's. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = performance.now();
      if (now >= this.#windowEnd) {
        this.#windowEnd = now + this.#windowMs;
        this.#left = this.#bytes;
      }
      if (bytes <= this.#left) break;
      await sleep(this.#windowEnd - now, undefined, { signal, ref: false });
    }
    this.#left -= bytes;
  }
}
