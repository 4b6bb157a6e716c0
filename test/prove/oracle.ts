/** Random worlds and questions: the store and the queries beside what is too plain to be wrong. */
import { checkQueries } from '../oracle/check-queries.ts';
import { checkStores } from '../oracle/check-stores.ts';
import type { ProofOptions } from './proof.ts';

/** Of four worlds one is asked through the queries, which takes longer. */
const QUERIED_PART = 0.25;

export async function proveOracle({ seed, runs, log }: ProofOptions): Promise<string> {
  const queried = Math.ceil(runs * QUERIED_PART);
  const stores = runs - queried;
  await checkStores({ seed, runs: stores });
  log(`${stores} worlds answered alike by both stores`);
  await checkQueries({ seed, runs: queried });
  return `${stores} worlds asked of both stores and ${queried} of the queries`;
}
