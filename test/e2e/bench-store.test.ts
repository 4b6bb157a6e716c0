/** The fleet's bench in small: it runs, and what the fleet sent is there after every part of it. */
import { expect, test } from 'vitest';
import { benchStore } from '../../bench/store.ts';

test('bench store, a minute of a fleet of 100 hosts', async () => {
  const figures = await benchStore({ hours: 1 / 60, copies: 1, runs: 2 });
  console.log(figures);
  expect(figures).toContain('| totals of both types | as pushed |');
  expect(figures).not.toContain('NaN');
}, 600_000);
