import { expect, test } from 'vitest';
import { Turn } from './turn.ts';

test('of loops that wait, one goes on in each turn of the event loop', async () => {
  const order: string[] = [];
  let isCounting = true;
  let turns = 0;
  const count = () => {
    turns++;
    if (isCounting) setImmediate(count);
  };
  setImmediate(count);
  const loop = async (name: string) => {
    const turn = new Turn();
    for (let at = 0; at < 3; at++) {
      await turn.next();
      order.push(name);
    }
  };
  await Promise.all([loop('a'), loop('b'), loop('c')]);
  isCounting = false;
  expect(order.join('')).toBe('abcabcabc');
  expect(turns).toBeGreaterThanOrEqual(8);
});

test('a turn is over after some milliseconds', async () => {
  const turn = new Turn();
  expect(turn.isOver()).toBe(false);
  while (!turn.isOver());
  await turn.next();
  expect(turn.isOver()).toBe(false);
});
