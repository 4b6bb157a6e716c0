import { expect, test } from 'vitest';
import { fuzzGzip } from '../../test/prove/fuzz-gzip.ts';
import { fuzzPprof } from '../../test/prove/fuzz-pprof.ts';

const log = () => undefined;

test('damaged pprofs are refused, or become batches that hold together', async () => {
  expect(await fuzzPprof({ seed: 1, runs: 2000, log })).toMatch(/^2000 profiles, [1-9]/);
});

test('damaged gzips and bombs are refused', async () => {
  expect(await fuzzGzip({ seed: 1, runs: 2000, log })).toMatch(/^2000 bodies, [1-9]/);
});
