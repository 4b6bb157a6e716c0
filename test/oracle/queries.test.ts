import { test } from 'vitest';
import { checkQueries } from './check-queries.ts';

test('the queries answer as plain sums over the store in memory do', async () => {
  await checkQueries({ seed: 3, runs: 2 });
}, 120_000);
