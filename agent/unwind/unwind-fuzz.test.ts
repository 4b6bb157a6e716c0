import { expect, test } from 'vitest';
import { fuzzUnwind } from '../../test/prove/fuzz-unwind.ts';

test('3,000 files with hostile frames', async () => {
  const summary = await fuzzUnwind({ seed: 1, runs: 3_000, log: () => undefined });
  console.log(summary);
  expect(summary).toMatch(/^3000 files, [1-9]\d* accepted/);
}, 60_000);
