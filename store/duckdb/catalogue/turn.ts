/**
 * Long loops of the main thread give way to other work, and to each other: of all that wait, one
 * goes on in each turn of the event loop, so that many loops take no longer turns than one.
 */

const TURN_MS = 5;

const waiting: (() => void)[] = [];

function resumeOne(): void {
  const resume = waiting.shift();
  if (waiting.length > 0) setImmediate(resumeOne);
  resume?.();
}

export class Turn {
  #endMs = performance.now() + TURN_MS;

  isOver(): boolean {
    return performance.now() > this.#endMs;
  }

  /** Lets other work of the thread run, then begins anew. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) setImmediate(resumeOne);
    });
    this.#endMs = performance.now() + TURN_MS;
  }
}
