import { describe, expect, test } from 'vitest';
import type { SeriesJson } from '../wire/http.ts';
import { coveredTime } from './explore/explore-answers.ts';
import { formatCounted, formatNumber, formatRange, formatShare, formatSpan } from './format.ts';
import { alignRange, chooseStepMs, chooseTicks, isRelative, resolveRange } from './time.ts';

const NOW = Date.UTC(2026, 0, 31, 12, 0, 7);
const MINUTE = 60_000;

test.each([
  ['now-1h', 'now', 60],
  ['now-90s', 'now', 1.5],
  ['2026-01-31T11:00:00Z', '2026-01-31T11:30:00Z', 30],
  ['nonsense', 'now', 60],
  ['now', 'now-1h', 60],
])('%s to %s is %d minutes', (from, to, minutes) => {
  const range = resolveRange({ from, to }, NOW);
  expect((range.toMs - range.fromMs) / MINUTE).toBe(minutes);
});

test.each([
  ['now-1h', 'now', true],
  ['now-2h', 'now-1h', false],
  ['1700000000000', '1700000060000', false],
])('%s to %s moves with the clock: %s', (from, to, moves) => {
  expect(isRelative({ from, to })).toBe(moves);
});

test.each([
  [5, 10],
  [60, 20],
  [1440, 600],
  [60 * 24 * 400, 172_800],
])('%i minutes have steps of %i seconds', (minutes, seconds) => {
  expect(chooseStepMs({ fromMs: 0, toMs: minutes * MINUTE }, 240)).toBe(seconds * 1000);
});

test('steps are whole: none is half full', () => {
  const aligned = alignRange({ fromMs: NOW - 65_000, toMs: NOW }, 10_000);
  expect([aligned.fromMs % 10_000, aligned.toMs % 10_000, aligned.toMs <= NOW]).toEqual([
    0,
    0,
    true,
  ]);
});

test('ticks are round', () => {
  const ticks = chooseTicks({ fromMs: NOW, toMs: NOW + 60 * MINUTE }, 6);
  expect(ticks.length).toBeLessThanOrEqual(6);
  expect(ticks.every((ms) => ms % (10 * MINUTE) === 0)).toBe(true);
});

test.each([
  [[null, 1, 1, null], 0, 40, 0, 20],
  [[null, 1, 1, null], 0, 40, 4, 4],
  [[1, 1, 1, 1], 5, 25, 0, 20],
  [[null, null, null, null], 0, 40, 0, 40],
])('of %j between %i and %i, told %i: %i are covered', (value, fromMs, toMs, told, covered) => {
  const series = {
    ts_ms: [0, 10, 20, 30],
    step_ms: 10,
    series: [{ value }],
  } as unknown as SeriesJson;
  expect(coveredTime(series, { fromMs, toMs }, told)).toBe(covered);
});

describe('formats', () => {
  test.each([
    [0, '0'],
    [0.00012, '0.0001'],
    [0.0123, '0.012'],
    [1.234, '1.23'],
    [39.24, '39.2'],
    [12345, '12\u202f345'],
    [-1.5, '\u22121.50'],
  ])('%d is %s', (value, text) => expect(formatNumber(value)).toBe(text));

  test.each([
    [0, '0.00 %'],
    [0.00001, '< 0.01 %'],
    [0.0123, '1.23 %'],
    [0.5, '50.0 %'],
    [Number.NaN, 'none'],
  ])('a share of %d is %s', (share, text) => {
    expect(formatShare(share).replace(/\u2009/g, ' ')).toBe(text);
  });

  test.each([
    [10_000, '10 s'],
    [90_000, '1 min 30 s'],
    [16 * MINUTE, '16 min'],
    [90 * MINUTE, '1 h 30 min'],
    [50 * 60 * MINUTE, '2 d 2 h'],
  ])('%i ms are %s', (ms, text) => expect(formatSpan(ms)).toBe(text));

  test('a range names the day where it is not today', () => {
    const at = new Date(2026, 0, 31, 14, 2).getTime();
    const until = at + 16 * MINUTE;
    expect(formatRange(at, until, until)).toBe('14:02 to 14:18');
    expect(formatRange(at, until, until + 86_400_000)).toBe('Yesterday 14:02 to 14:18');
    expect(formatRange(at, until, until + 5 * 86_400_000)).toBe('2026-01-31 14:02 to 14:18');
  });
});

test.each([
  [0, '0 frames'],
  [1, '1 frame'],
  [2, '2 frames'],
])('%i: %s', (count, text) => expect(formatCounted(count, 'frame')).toBe(text));
