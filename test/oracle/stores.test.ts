import { test } from 'vitest';
import { checkStores } from './check-stores.ts';

test('the embedded store answers as the one in memory does, hot, sealed and reopened', async () => {
  await checkStores({ seed: 5, runs: 6 });
}, 120_000);
