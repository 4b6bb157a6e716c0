import { expect, test } from 'vitest';
import { proveKill } from '../prove/kill.ts';

test('kill -9, 12 times, mostly while rows are sealed: what was acknowledged is stored, once', async () => {
  const figures = await proveKill({ seed: 1, runs: 12, log: () => {} });
  console.log(figures);
  expect(figures).toContain('none lost, none doubled');
});
