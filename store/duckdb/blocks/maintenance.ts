/** Work on blocks: one job at a time, in the order of asking; closing aborts the one that runs. */
import { EverflameError } from '../../../profile/errors.ts';

export class Maintenance {
  readonly #abort = new AbortController();
  readonly #settled: () => Promise<void>;
  #last: Promise<unknown> = Promise.resolve();

  /** `settled`: comes after each job, before the next. */
  constructor(settled: () => Promise<void>) {
    this.#settled = settled;
  }

  /** Resolves or fails as the job does; a job must end soon once its signal is aborted. */
  run<T>(job: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#abort;
    const turn = this.#last.then(() => {
      if (signal.aborted) throw new EverflameError('unavailable', 'the store is closed');
      return job(signal);
    });
    this.#last = Promise.allSettled([turn]).then(() => Promise.allSettled([this.#settled()]));
    return turn;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#last;
  }
}
