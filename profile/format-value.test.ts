import { expect, test } from 'vitest';
import { formatChange, formatCount, formatShare, formatValue } from './format-value.ts';

const VALUES: [value: number, unit: string, text: string][] = [
  [0, 'nanoseconds', '0 s'],
  [999, 'nanoseconds', '999 ns'],
  [52_631_578.9, 'nanoseconds', '52.6 ms'],
  [1.5e9, 'nanoseconds', '1.50 s'],
  [2, 'seconds', '2 s'],
  [90, 'seconds', '1.50 min'],
  [7.2e12, 'nanoseconds', '2 h'],
  [-3e6, 'nanoseconds', '\u22123 ms'],
  [0, 'bytes', '0 B'],
  [1536, 'bytes', '1.54 kB'],
  [999_600, 'bytes', '1.00 MB'],
  [12_345, 'count', '12.3 k'],
  [7, 'count', '7'],
  [7, 'goroutines', '7 goroutines'],
  [1e20, 'count', '100000 P'],
];
test.each(VALUES)('%d %s is %s', (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text);
});

test('shares, counts and changes', () => {
  expect([0.5, 0.0123, 0].map(formatShare)).toEqual(['50.0 %', '1.23 %', '0.00 %']);
  expect([999, 1000, 1234567].map(formatCount)).toEqual([
    '999',
    '1\u202f000',
    '1\u202f234\u202f567',
  ]);
  expect([0.5, -1.234].map((change) => formatChange(change))).toEqual(['+0.50', '\u22121.23']);
});
