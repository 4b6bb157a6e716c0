import { expect, test } from 'vitest';
import { parseDurationMs } from './duration.ts';

test.each([
  ['10s', 10_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['30d', 2_592_000_000],
  ['2w', 1_209_600_000],
  ['0', 0],
  ['1.5s', 1500],
  ['', null],
  ['10', null],
  ['s', null],
  ['-1s', null],
  ['10s!', null],
  ['1y', null],
  ['1h 30m', null],
])('%j is %s ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});
