import { expect, test } from 'vitest';
import { fuzzDebuginfo } from '../../test/prove/fuzz-debuginfo.ts';

test('1,000 hostile files', async () => {
  const summary = await fuzzDebuginfo({ seed: 1, runs: 1_000, log: () => undefined });
  expect(summary).toMatch(/^1000 files, \d+ accepted/);
}, 300_000);
