import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Block, HOUR_MS } from './block.ts';
import { MAX_DICTIONARY_BLOCKS, MAX_ROW_BLOCKS, planMerges } from './merge-plan.ts';

const DAY_MS = 24 * HOUR_MS;
const NOW = 20_000 * DAY_MS + 12 * HOUR_MS;
let nextId = 1;

function block(fromMs: number, toMs: number, more: Partial<Block> = {}): Block {
  const counts = { samples: 1, profiles: 1, windows: 0 };
  return {
    ...{ id: nextId++, kind: 'rows', level: 0, fromMs, toMs, sealedMs: 0 },
    ...{ ...counts, files: [], damaged: '' },
    ...more,
  };
}

/** The hours of a day so many days ago, e.g. `1:0 1:1 0:5`. */
function hours(text: string): Block[] {
  return text.split(' ').map((word) => {
    const [days = 0, hour = 0] = word.split(':').map(Number);
    const fromMs = (20_000 - days) * DAY_MS + hour * HOUR_MS;
    return block(fromMs, fromMs + HOUR_MS);
  });
}

function shown(groups: readonly Block[][]): string {
  const day = ({ fromMs }: Block) => `${20_000 - Math.floor(fromMs / DAY_MS)}`;
  const hour = ({ fromMs }: Block) => `${(fromMs % DAY_MS) / HOUR_MS}`;
  return groups.map((group) => group.map((b) => `${day(b)}:${hour(b)}`).join(' ')).join(' | ');
}

describe('blocks of rows', () => {
  test.each([
    ['1:0 1:1 1:2', '1:0 1:1 1:2'],
    ['2:3 1:1 2:7 1:2', '2:3 2:7 | 1:1 1:2'],
    ['0:0 0:1 0:2', ''],
    ['3:1 2:1 1:1', ''],
    ['1:23 0:0', ''],
  ])('%s: %s', (blocks, merges) => {
    expect(shown(planMerges(hours(blocks), NOW))).toBe(merges);
  });

  test('what is damaged, and the day just over, stay as they are', () => {
    const [first, second] = hours('1:0 1:1');
    const damaged = { ...(second as Block), damaged: 'torn' };
    expect(planMerges([first as Block, damaged], NOW)).toEqual([]);
    expect(planMerges(hours('1:0 1:1'), 20_000 * DAY_MS + HOUR_MS / 2)).toEqual([]);
  });

  test('there are never more than allowed, no block is in two groups, and the newest stay days', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 900 }),
        fc.integer({ min: 1, max: 3 }),
        (days, each) => {
          const words = Array.from({ length: days }, (_, day) =>
            Array.from({ length: each }, (_, hour) => `${day + 1}:${hour}`).join(' '),
          );
          const blocks = hours(words.join(' '));
          const groups = planMerges(blocks, NOW);
          const members = groups.flat();
          expect(new Set(members).size).toBe(members.length);
          const left = blocks.length - members.length + groups.length;
          expect(left).toBeLessThanOrEqual(MAX_ROW_BLOCKS);
          const newest = groups.find((group) => group.some((b) => b.fromMs >= NOW - 3 * DAY_MS));
          if (newest !== undefined) expect(newest.length).toBe(each);
          expect(planMerges(mergedOf(blocks, groups), NOW)).toEqual([]);
        },
      ),
      { seed: 3, numRuns: 60 },
    );
  });
});

/** The blocks there are once the groups are merged. */
function mergedOf(blocks: readonly Block[], groups: readonly Block[][]): Block[] {
  const members = new Set(groups.flat());
  const made = groups.map((group) =>
    block(
      Math.min(...group.map(({ fromMs }) => fromMs)),
      Math.max(...group.map(({ toMs }) => toMs)),
      { kind: group[0]?.kind ?? 'rows', level: 1 },
    ),
  );
  return [...blocks.filter((b) => !members.has(b)), ...made];
}

test('dictionaries: what is new is merged daily, all of it when there are many', () => {
  const dictionary = (level: number, damaged = '') =>
    block(0, 0, { kind: 'dictionary', level, damaged });
  const fresh = [dictionary(1), dictionary(0), dictionary(0)];
  expect(planMerges(fresh, NOW)).toEqual([fresh.slice(1)]);
  const apart = [dictionary(0), dictionary(0, 'torn'), dictionary(0)];
  expect(planMerges(apart, NOW)).toEqual([]);
  const many = Array.from({ length: MAX_DICTIONARY_BLOCKS + 1 }, () => dictionary(1));
  expect(planMerges(many, NOW)).toEqual([many]);
});

/** Blocks of stacks; `gap` is a damaged one. Each word: first id, end, level. */
function stacks(text: string): Block[] {
  return text.split(' ').map((word) => {
    const [first = 0, end = 0, level = 0] = word.replace('gap', '').split('-').map(Number);
    const file = { name: 'dictionaries/1.stacks.parquet', rows: 1, bytes: 1, sha256: '' };
    const ids: [number, number] = [first, end];
    const damaged = word.startsWith('gap') ? 'torn' : '';
    return block(0, 0, { kind: 'dictionary', level, damaged, files: [{ ...file, ids }] });
  });
}

test.each([
  ['what is new, in the order of ids', '200-300-1 0-200-1 400-500 300-400', '300 400'],
  ['never over a gap, whichever block is older', 'gap100-200 200-250 250-300 0-100', '200 250'],
  ['a gap between blocks that were merged after the damage', 'gap1-2 0-1-1 2-3-1 3-4 4-5', '3 4'],
])('dictionaries: %s', (_, text, merged) => {
  const firsts = (group: readonly Block[]) =>
    group.map(({ files }) => files[0]?.ids?.[0]).join(' ');
  expect(planMerges(stacks(text), NOW).map(firsts)).toEqual([merged]);
});

test('dictionaries: however many there are, no file gets a gap', () => {
  const before = Array.from({ length: 30 }, (_, at) => `${at}-${at + 1}-1`);
  const after = Array.from({ length: 30 }, (_, at) => `${at + 31}-${at + 32}-1`);
  const groups = planMerges(stacks(['gap30-31', ...after, ...before].join(' ')), NOW);
  expect(groups.map((group) => group.length)).toEqual([30, 30]);
});
