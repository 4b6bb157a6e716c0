import { expect, test } from 'vitest';
import { relativeGrowth } from './slope.ts';

test.each<[string, number[], number]>([
  ['level', [5, 5, 5, 5], 0],
  ['up and down', [4, 6, 6, 4], 0],
  ['from 1 to 3', [1, 2, 3], 1],
  ['falling', [3, 2, 1], -1],
  ['one value', [7], 0],
  ['nothing there', [0, 0], 0],
])('growth of what is %s', (_, values, growth) => {
  expect(relativeGrowth(values)).toBeCloseTo(growth, 10);
});
