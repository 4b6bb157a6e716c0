import { expect, test } from 'vitest';
import { pprofValue } from './pprof-answer.ts';

test.each([
  [3, 52_631_578.5, 157_894_736],
  [2 ** 40, 2 ** 22, 2 ** 62],
])('%f counts of %f', (counts, multiplier, value) => {
  expect(pprofValue(counts, multiplier)).toBe(value);
});

test('a weight that 64 bits do not hold is refused, not wrapped', () => {
  expect(() => pprofValue(2 ** 40, 52_631_578.5)).toThrow('a pprof has 64 bits');
  expect(() => pprofValue(2 ** 40, 2 ** 23)).toThrow('a pprof has 64 bits');
});
