/** Work that reads blocks and is done again without those that turn out to be damaged. */
import { EverflameError } from '../../../profile/errors.ts';
import type { Block } from './block.ts';

/** Looks at blocks after a failure: whether what used them may go well now. */
export type Repair = (used: ReadonlySet<Block>) => Promise<boolean>;

/** `run` notes in `used` the blocks whose files it names. */
export async function withoutDamaged<T>(
  repair: Repair,
  run: (used: Set<Block>) => Promise<T>,
): Promise<T> {
  for (;;) {
    const used = new Set<Block>();
    try {
      return await run(used);
    } catch (error) {
      const failed = error instanceof EverflameError && error.kind === 'unavailable';
      if (!failed || used.size === 0 || !(await repair(used))) throw error;
    }
  }
}
