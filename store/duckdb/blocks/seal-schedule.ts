/** When to seal: some minutes after each full hour, and when there are many hot rows. */
import { HOUR_MS } from './block.ts';
import type { SealRequest } from './seal.ts';

/** Late requests of the hour that is over get this long to be in its block. */
const GRACE_MS = 3 * 60_000;
const TICK_MS = 30_000;
/** After a failure, so that a full disk is not filled again and again. */
const RETRY_MS = 60_000;

export interface SealScheduleOptions {
  seal: (request: SealRequest) => Promise<void>;
  hotRows: () => number;
  maxHotRows: number;
  nowMs: () => number;
}

export class SealSchedule {
  readonly #options: SealScheduleOptions;
  readonly #timer: NodeJS.Timeout;
  /** Rows before this time were sealed. */
  #sealedToMs = 0;
  #running = false;
  #failedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SealScheduleOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#checkHour(), TICK_MS).unref();
  }

  /** Whether there are many hot rows; cheap enough to be asked after every commit. */
  checkSize(): void {
    if (this.#isBusy() || this.#options.hotRows() <= this.#options.maxHotRows) return;
    void this.#seal('oldest-half', this.#sealedToMs);
  }

  #checkHour(): void {
    if (this.#isBusy()) return;
    const hourMs = Math.floor((this.#options.nowMs() - GRACE_MS) / HOUR_MS) * HOUR_MS;
    // Not only later ones: a clock that was ahead and is set right must not end sealing for long.
    if (hourMs !== this.#sealedToMs) void this.#seal({ beforeMs: hourMs }, hourMs);
  }

  #isBusy(): boolean {
    return this.#running || performance.now() - this.#failedMs < RETRY_MS;
  }

  /** The next full hour tries again what failed; the caller of `seal` has reported it. */
  async #seal(request: SealRequest, toMs: number): Promise<void> {
    this.#running = true;
    const [sealed] = await Promise.allSettled([this.#options.seal(request)]);
    this.#running = false;
    if (sealed.status === 'fulfilled') this.#sealedToMs = toMs;
    else this.#failedMs = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
