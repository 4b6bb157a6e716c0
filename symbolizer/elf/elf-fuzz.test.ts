import { expect, test } from 'vitest';
import { fuzzElf } from '../../test/prove/fuzz-elf.ts';

test('2,000 hostile files', async () => {
  const summary = await fuzzElf({ seed: 1, runs: 2_000, log: () => undefined });
  expect(summary).toMatch(/^2000 files, \d+ accepted/);
}, 120_000);
