import { expect, test } from 'vitest';
import { nearestName, suggestName } from './nearest.ts';

const NAMES = ['query', 'from', 'to', 'max_nodes', 'min_fraction', 'format'];

test.each([
  ['qurey', 'query'],
  ['Query', 'query'],
  ['maxnodes', 'max_nodes'],
  ['form', 'from'],
  ['zzz', null],
  ['', null],
  ['something-else-entirely', null],
])('%s -> %s', (name, nearest) => {
  expect(nearestName(name, NAMES)).toBe(nearest);
});

test('the suggestion is part of a sentence', () => {
  expect(suggestName('frm', NAMES)).toBe(' (did you mean "from"?)');
  expect(suggestName('frobnicate', NAMES)).toBe('');
});
