/** How the main thread stops a job of a tree worker: a shared word that the job's loops look at. */
import { EverflameError } from '../../profile/errors.ts';

export class StopFlag {
  readonly #word: Int32Array;

  /** `word`: of shared memory, so that one side sees what the other writes. */
  constructor(word: Int32Array = new Int32Array(new SharedArrayBuffer(4))) {
    this.#word = word;
  }

  /** What the other side makes its flag of. */
  get word(): Int32Array {
    return this.#word;
  }

  set(isStopped: boolean): void {
    Atomics.store(this.#word, 0, isStopped ? 1 : 0);
  }

  /** Throws `cancelled` once the flag is set; some nanoseconds else. */
  check(): void {
    if (Atomics.load(this.#word, 0) !== 0) {
      throw new EverflameError('cancelled', 'the query was given up');
    }
  }
}
