/** Long loops of the main thread give way to other work. */
import { setImmediate as nextTurn } from 'node:timers/promises';

const TURN_MS = 5;

export class Turn {
  #endMs = performance.now() + TURN_MS;

  isOver(): boolean {
    return performance.now() > this.#endMs;
  }

  /** Lets other work of the thread run, then begins anew. */
  async next(): Promise<void> {
    await nextTurn();
    this.#endMs = performance.now() + TURN_MS;
  }
}
