/** The embedded store beside the one in memory, through random worlds. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { EmbeddedStore } from '../../store/duckdb/duck-store.ts';
import { openDuckStore } from '../../store/duckdb/open-store.ts';
import { drawBatch } from '../conformance/drawn-batch.ts';
import type { ConformingStore } from '../conformance/store.ts';
import { openMemoryStore } from './memory-store.ts';
import { findDifference } from './same-answer.ts';
import { answerAll, type Question, question, questionText } from './store-questions.ts';
import { HOUR_MS, type Step, T0, world } from './worlds.ts';

/** Two stores of one content. */
export interface StorePair {
  found: EmbeddedStore;
  expected: ConformingStore;
}

export function openEmbedded(dataDir: string): Promise<EmbeddedStore> {
  return openDuckStore({
    dataDir,
    memoryLimitBytes: 256 * 2 ** 20,
    threads: 2,
    nowMs: () => T0 + 72 * HOUR_MS,
  });
}

/** Goes through the world on both stores; `use` gets the pair at its end, opened anew or not. */
export async function inWorld(
  steps: readonly Step[],
  use: (pair: StorePair) => Promise<void>,
): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-oracle-'));
  let found = await openEmbedded(dataDir);
  try {
    const expected = openMemoryStore({ idKey: found.idKey, changes: [] });
    for (const step of steps) {
      if (step.kind === 'reopen') {
        await found.close();
        found = await openEmbedded(dataDir);
      } else if (step.kind === 'write') {
        const batch = drawBatch(found.idKey, { ...step.batch, known: found.snapshot() });
        await Promise.all([found.write(batch), expected.write(batch)]);
      } else if (step.kind === 'maintain') {
        await found.maintain();
      } else if (step.kind === 'delete') {
        const [one, other] = [found, expected].map((store) => store.deleteProfiles(step, false));
        const { blocks, ...deleted } = (await one) ?? { blocks: 0 };
        const wanted = { ...(await other), blocks };
        const difference = findDifference({ ...deleted, blocks }, wanted);
        if (difference !== null) throw new Error(`deleted${difference}`);
      } else {
        await found.seal(step.kind === 'seal' ? undefined : { beforeMs: step.beforeMs });
      }
    }
    await use({ found, expected });
  } finally {
    await found.close();
    await rm(dataDir, { recursive: true });
  }
}

/** Throws with the smallest world and question whose answers differ. */
export async function checkStores(options: { seed: number; runs: number }): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      world,
      fc.array(question, { minLength: 3, maxLength: 6 }),
      async (steps: Step[], questions: Question[]) => {
        await inWorld(steps, async ({ found, expected }) => {
          for (const asked of questions) {
            const difference = findDifference(
              await answerAll(found, asked),
              await answerAll(expected, asked),
            );
            if (difference !== null) throw new Error(`${difference}\n${questionText(asked)}`);
          }
        });
      },
    ),
    { seed: options.seed, numRuns: options.runs },
  );
}
