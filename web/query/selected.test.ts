import { describe, expect, test } from 'vitest';
import type { ProfileTypeJson } from '../../wire/http.ts';
import { matcherAt, readSelected, writeQuery } from './selected.ts';

function type(name: string, sample: string, unit: string): ProfileTypeJson {
  return {
    type: `${name}:${sample}:${unit}::`,
    name,
    sample_type: sample,
    sample_unit: unit,
    period_type: '',
    period_unit: '',
    aggregation: 'delta',
  };
}
const SAMPLES = type('process_cpu', 'samples', 'count');
const CPU = type('process_cpu', 'cpu', 'nanoseconds');
const TYPES = [SAMPLES, CPU, type('memory', 'alloc_space', 'bytes')];

describe('readSelected', () => {
  test.each([
    ['', 'CPU time', 'process_cpu:cpu:nanoseconds::{}'],
    ['{a="b"}', 'CPU time', 'process_cpu:cpu:nanoseconds::{a="b"}'],
    ['process_cpu:samples:count::', 'CPU samples', 'process_cpu:samples:count::{}'],
    ['memory:alloc_space:bytes::{}', 'Allocated bytes', 'memory:alloc_space:bytes::{}'],
    ['{a=~"("}', 'CPU time', 'process_cpu:cpu:nanoseconds::{a=~"("}'],
    ['gone:gone:count::{}', undefined, 'gone:gone:count::{}'],
    ['{a=', undefined, '{a='],
  ])('%s', (text, title, query) => {
    const selected = readSelected(text, TYPES);
    expect([selected.quantity?.title, selected.query]).toEqual([title, query]);
  });

  test('a wrong expression is still a matcher', () => {
    expect(readSelected('{host=~"web-(a|b"}', TYPES).matchers).toEqual([
      { name: 'host', op: '=~', value: 'web-(a|b' },
    ]);
  });
});

test.each([
  ['a', 0],
  ['(', 1],
  ['c', 2],
])('the position of "%s" is in matcher %i', (text, index) => {
  const matchers = [
    { name: 'a', op: '=', value: '1' },
    { name: 'b', op: '=~', value: '(' },
    { name: 'c', op: '!=', value: '3' },
  ] as const;
  expect(matcherAt(null, matchers, writeQuery(null, matchers).indexOf(text))).toBe(index);
});

test('a position behind the selector is in none', () => expect(matcherAt(null, [], 99)).toBe(-1));
