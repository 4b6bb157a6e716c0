import { expect, test } from 'vitest';
import { MemoryGovernor } from './memory-governor.ts';

function governorOf(readBytes: () => number, relieve: () => void = () => undefined) {
  return new MemoryGovernor({ limitBytes: 1000, readBytes, relieve });
}

/** One letter per piece of work: taken or refused. */
function take(governor: MemoryGovernor, sizes: readonly number[]): string {
  const letters = sizes.map((bytes) => {
    try {
      governor.reserve('push', bytes);
      return 't';
    } catch (error) {
      expect(error).toMatchObject({ kind: 'overloaded', limit: '--memory-limit = 1000' });
      return '-';
    }
  });
  return letters.join('');
}

test.each([
  ['as much as there is room for', 280, [100, 100, 100, 100, 100], 'tttt-'],
  ['what is smaller still fits', 280, [300, 200, 100], 't-t'],
  ['one piece of any size, alone', 280, [5000, 1], 't-'],
  ['nothing over the mark', 680, [1], '-'],
])('%s', (_, used, sizes, taken) => {
  expect(
    take(
      governorOf(() => used),
      sizes,
    ),
  ).toBe(taken);
});

test('what is released can be taken again; what was refused is counted', () => {
  const governor = governorOf(() => 280);
  const release = governor.reserve('query', 400);
  expect(take(governor, [100])).toBe('-');
  release();
  expect(take(governor, [100])).toBe('t');
  const refused = governor.gauges().find(({ name }) => name === 'everflame_memory_refused');
  expect(refused?.read()).toEqual([
    [1, { work: 'push' }],
    [0, { work: 'query' }],
  ]);
});

test('what is given back is seen at once, and not given back at every look', () => {
  let used = 900;
  let reliefs = 0;
  const governor = governorOf(
    () => used,
    () => {
      reliefs++;
      used = 300;
    },
  );
  // Making one gives nothing back yet: the parts that could are made after it.
  expect([reliefs, take(governor, [100])]).toEqual([0, '-']);
  governor.look();
  expect(take(governor, [100])).toBe('t');
  used = 900;
  governor.look();
  expect([reliefs, take(governor, [100])]).toEqual([1, '-']);
});
