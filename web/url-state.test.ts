import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BINARY_COLUMNS,
  type CompareState,
  DEFAULT_COMPARE,
  DEFAULT_EXPLORE,
  DEFAULT_SYMBOLS,
  type ExploreState,
  pageOf,
  readCompare,
  readExplore,
  readSymbols,
  type SymbolsState,
  writeCompare,
  writeExplore,
  writeSymbols,
} from './url-state.ts';

const SEED = { seed: 20_261_121, numRuns: 200 };
const text = fc.string({ maxLength: 40 });
const range = fc.constantFrom(
  { from: 'now-1h', to: 'now' },
  { from: 'now-2h', to: 'now-1h' },
  { from: '1700000000000', to: '1700003600000' },
);
const names = fc.constantFrom('' as const, 'short' as const, 'full' as const, 'raw' as const);
const pane = fc.constantFrom('table' as const, 'graph' as const, 'labels' as const);

describe('a page and its URL are the same', () => {
  test('explore', () => {
    const state: fc.Arbitrary<ExploreState> = fc.record({
      query: text,
      range,
      brush: fc.constantFrom(null, { fromMs: 1_700_000_000_000, toMs: 1_700_000_060_000 }),
      by: text,
      paused: fc.boolean(),
      find: text,
      binary: text,
      zoom: text,
      select: text,
      sort: fc.constantFrom('self', 'total', 'name'),
      names,
      lines: fc.boolean(),
      pane,
    });
    fc.assert(
      fc.property(state, (before) => {
        const url = writeExplore(before).toString();
        const after = readExplore(new URLSearchParams(url));
        expect(after).toEqual({ kind: 'state', state: before });
      }),
      SEED,
    );
  });

  test('compare', () => {
    const side = fc.record({ query: text, range });
    const state: fc.Arbitrary<CompareState> = fc.record({
      a: side,
      b: side,
      mode: fc.constantFrom('share', 'absolute', 'rate'),
      find: text,
      change: fc.constantFrom('', 'grew', 'shrank', 'new', 'gone', 'same'),
      zoom: text,
      select: text,
      names,
      lines: fc.boolean(),
      pane,
    });
    fc.assert(
      fc.property(state, (before) => {
        const url = writeCompare(before).toString();
        const after = readCompare(new URLSearchParams(url));
        expect(after).toEqual({ kind: 'state', state: before });
      }),
      SEED,
    );
  });

  test('symbols', () => {
    const state: fc.Arbitrary<SymbolsState> = fc.record({
      query: text,
      range,
      paused: fc.boolean(),
      find: text,
      filter: fc.constantFrom('', 'unnamed', 'failed', 'absent'),
      reason: text,
      sort: fc.constantFrom('unnamed', 'self', 'file', 'size'),
      hidden: fc.subarray([...BINARY_COLUMNS]),
      select: text,
    });
    fc.assert(
      fc.property(state, (before) => {
        const url = writeSymbols(before).toString();
        const after = readSymbols(new URLSearchParams(url));
        expect(after).toEqual({ kind: 'state', state: before });
      }),
      SEED,
    );
  });
});

test('a plain page has a plain URL', () => {
  expect(writeExplore(DEFAULT_EXPLORE).toString()).toBe('v=1');
  expect(writeCompare(DEFAULT_COMPARE).toString()).toBe('v=1');
  expect(writeSymbols(DEFAULT_SYMBOLS).toString()).toBe('v=1');
});

test('a link without a version is of the first', () => {
  const read = readExplore(new URLSearchParams('find=malloc'));
  expect(read).toEqual({ kind: 'state', state: { ...DEFAULT_EXPLORE, find: 'malloc' } });
});

test('a link of a newer version is not guessed at', () => {
  const expected = { kind: 'unknown-version', version: '2' };
  expect(readExplore(new URLSearchParams('v=2&find=a'))).toEqual(expected);
  expect(readCompare(new URLSearchParams('v=2'))).toEqual(expected);
  expect(readSymbols(new URLSearchParams('v=2'))).toEqual(expected);
});

test.each([
  ['from=yesterday&to=now', { range: DEFAULT_EXPLORE.range }],
  ['from=now-5m&to=now', { range: { from: 'now-5m', to: 'now' } }],
  ['sel=9-8', { brush: null }],
  ['sel=1700000060000-1700000000000', { brush: null }],
  ['sort=size', { sort: 'self' }],
  ['pane=attic', { pane: 'table' }],
  ['names=raw', { names: 'raw' }],
  ['names=tiny', { names: '' }],
])('%s', (query, expected) => {
  const read = readExplore(new URLSearchParams(query));
  expect(read).toMatchObject({ kind: 'state', state: expected });
});

test.each([
  ['/', 'explore'],
  ['/explore', 'explore'],
  ['/compare', 'compare'],
  ['/tools/everflame/compare', 'compare'],
  ['/debuginfo', 'debuginfo'],
  ['/nowhere', 'explore'],
])('%s shows %s', (path, page) => expect(pageOf(path)).toBe(page));
