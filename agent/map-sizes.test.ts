import { expect, test } from 'vitest';
import { chooseMapSizes, MAX_MAP_BYTES, mapBytes } from './map-sizes.ts';

const KB = 1024;

test.each([
  // cpus, Hz, window s -> kernel stacks, user stacks, ring
  [2, 19, 10, 1_024, 1_024, 256 * KB],
  [2, 99, 10, 2_048, 4_096, 256 * KB],
  [64, 19, 10, 4_096, 16_384, 1024 * KB],
  [512, 99, 60, 4_096, 16_384, 4096 * KB],
  [8_192, 1_000, 600, 4_096, 16_384, 4096 * KB],
])('%i CPUs at %i Hz, %i s', (cpus, frequencyHz, seconds, kernelStacks, userStacks, ringBytes) => {
  const load = { cpus, frequencyHz, windowMs: seconds * 1000, drainMs: 200 };
  const sizes = chooseMapSizes(load);
  expect(sizes).toEqual({ kernelStacks, userStacks, ringBytes });
  expect(mapBytes(sizes)).toBeLessThan(MAX_MAP_BYTES - 2 * 2 ** 20);
});
