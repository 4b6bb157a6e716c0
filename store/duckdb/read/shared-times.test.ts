import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EpochMs, TimeRange } from '../../../profile/units.ts';
import { sharedTimes } from './shared-times.ts';

const range = (from: number, to: number): TimeRange => ({
  from: from as EpochMs,
  to: to as EpochMs,
});
const block = (fromMs: number, toMs: number) => ({ fromMs, toMs });

test.each<[string, [number, number][], [number, number][], [number, number][]]>([
  ['one block', [[0, 50]], [], []],
  [
    'blocks that touch',
    [
      [0, 50],
      [50, 90],
    ],
    [],
    [],
  ],
  [
    'two that meet',
    [
      [40, 90],
      [0, 50],
    ],
    [],
    [[40, 50]],
  ],
  [
    'one within another, and one after both',
    [
      [0, 60],
      [10, 20],
      [50, 90],
    ],
    [],
    [
      [10, 20],
      [50, 60],
    ],
  ],
  [
    'what two of them share is told once',
    [
      [0, 50],
      [10, 50],
      [20, 60],
    ],
    [],
    [[10, 50]],
  ],
  [
    'hot rows within, across the end and beside',
    [[0, 30]],
    [
      [10, 20],
      [25, 40],
      [50, 60],
    ],
    [
      [10, 20],
      [25, 30],
    ],
  ],
  [
    'outside of the range',
    [
      [0, 50],
      [0, 200],
    ],
    [[95, 140]],
    [
      [0, 50],
      [95, 100],
    ],
  ],
])('%s', (_, blocks, hot, shared) => {
  const times = sharedTimes(
    blocks.map(([from, to]) => block(from, to)),
    hot.map(([from, to]) => range(from, to)),
    range(0, 100),
  );
  expect(times).toEqual(shared.map(([from, to]) => range(from, to)));
});

test('every moment with two of them is in one, and the times are few', () => {
  const span = fc
    .tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 30 }))
    .map(([from, length]): [number, number] => [from, from + length]);
  const spans = fc.array(span, { maxLength: 60 });
  fc.assert(
    fc.property(spans, spans, (blocks, hot) => {
      const times = sharedTimes(
        blocks.map(([from, to]) => block(from, to)),
        hot.map(([from, to]) => range(from, to)),
        range(100, 300),
      );
      expect(times.length).toBeLessThanOrEqual(16);
      for (let ms = 100; ms < 300; ms++) {
        const has = ([from, to]: [number, number]) => from <= ms && ms < to;
        const many = blocks.filter(has).length;
        const isShared = many > 1 || (many === 1 && hot.some(has));
        const isTold = times.some(({ from, to }) => from <= ms && ms < to);
        if (isShared) expect(isTold).toBe(true);
      }
    }),
  );
});
