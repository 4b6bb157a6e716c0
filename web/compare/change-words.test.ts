import { describe, expect, test } from 'vitest';
import type { Change } from '../../profile/flame/diff.ts';
import { parseGraphText } from '../../profile/text.ts';
import type { ProfileTypeJson, SeriesJson } from '../../wire/http.ts';
import { buildFlameView } from '../flame/flame-view.ts';
import { quantityOf } from '../quantity.ts';
import { DEFAULT_RANGE } from '../time.ts';
import { changeFormat, formatRelative, stepOf } from './change-words.ts';
import { averagesOf } from './compare-answers.ts';
import { sumKinds } from './compare-model.ts';
import { emptySides } from './empty-side.tsx';
import { compareWithPrevious, coveredHalves, presetRange } from './presets.ts';

const CPU: ProfileTypeJson = {
  type: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
  name: 'process_cpu',
  sample_type: 'cpu',
  sample_unit: 'nanoseconds',
  period_type: 'cpu',
  period_unit: 'nanoseconds',
  aggregation: 'delta',
};
const change = (part: Partial<Change>): Change => ({
  a: 0.1,
  b: 0.2,
  delta: 0.1,
  interval: 0.01,
  relative: 1,
  kind: 'grew',
  ...part,
});

test.each([
  [{}, 'b3'],
  [{ relative: 0.3 }, 'b2'],
  [{ relative: 0.1 }, 'b1'],
  [{ relative: -0.1, delta: -0.01, kind: 'shrank' }, 'a1'],
  [{ relative: -1, delta: -0.1, kind: 'gone' }, 'a3'],
  [{ relative: null, kind: 'new' }, 'b3'],
  [{ relative: 9, kind: 'same' }, '0'],
] as const)('%j has the colour %s', (part, step) => expect(stepOf(change(part))).toBe(step));

describe('changeFormat', () => {
  const quantity = quantityOf(CPU);
  test.each([
    ['share', 0.123, '12.3 %', '+12.30', 'pp'],
    ['rate', 2.5e9, '2.50', '+2.50', 'cores'],
    ['absolute', 90e9, '1.50 min', '+1.50 min', ''],
  ] as const)('%s', (mode, value, text, delta, unit) => {
    const format = changeFormat(mode, quantity);
    expect([format.value(value).replace('\u2009', ' '), format.delta(value), format.unit]).toEqual([
      text,
      delta,
      unit,
    ]);
    expect([format.value(0), format.interval(null)]).toEqual(['none', 'unknown']);
  });

  test.each([
    [{}, '+100.0\u2009%'],
    [{ relative: -0.25 }, '\u221225.0\u2009%'],
    [{ relative: null }, 'new'],
    [{ relative: null, b: 0 }, 'none'],
  ])('%j is %s', (part, text) => expect(formatRelative(change(part))).toBe(text));
});

test('kinds with their sums', () => {
  const row = (part: Partial<Change>) => ({ frame: 0, self: change(part), total: change(part) });
  const kinds = sumKinds([row({}), row({ delta: 2 }), row({ kind: 'gone', delta: -1 })]);
  expect(kinds.map(({ kind, count, delta }) => `${kind} ${count} ${delta}`)).toEqual([
    'grew 2 2.1',
    'shrank 0 0',
    'new 0 0',
    'gone 1 -1',
    'same 0 0',
  ]);
});

test.each([
  ['a 1', 'a 1', []],
  ['a 1', '', ['a']],
  ['', 'a 1', ['b']],
  ['', '', ['a', 'b']],
])('of B "%s" against A "%s" these are empty: %j', (b, a, sides) => {
  expect(emptySides({ id: 1, answeredMs: 0, view: buildFlameView(parseGraphText(b, a)) })).toEqual(
    sides,
  );
});

test('averages are units per second of each side', () => {
  expect(averagesOf(parseGraphText('a 6', 'a 4'), false)).toEqual({ a: 4, b: 6 });
});

describe('presets', () => {
  const HOUR = 3_600_000;
  test.each([
    ['previous', 24, 25],
    ['yesterday', 1, 2],
    ['week', 25 - 168, 26 - 168],
  ] as const)('%s of hour 25 to 26', (name, from, to) => {
    const range = presetRange(name, { fromMs: 25 * HOUR, toMs: 26 * HOUR });
    expect(range).toEqual({ fromMs: from * HOUR, toMs: to * HOUR });
  });

  test('a live page is compared with the period before it', () => {
    const { a, b } = compareWithPrevious('{}', DEFAULT_RANGE, { fromMs: 0, toMs: 1 }, null);
    expect([a.range, b.range]).toEqual([{ from: 'now-2h', to: 'now-1h' }, DEFAULT_RANGE]);
  });

  test('a selected part with the one before it', () => {
    const brush = { fromMs: 1_700_000_060_000, toMs: 1_700_000_120_000 };
    const { a, b } = compareWithPrevious('{}', DEFAULT_RANGE, brush, brush);
    expect(a.range).toEqual({ from: '1700000000000', to: '1700000060000' });
    expect(b.range).toEqual({ from: '1700000060000', to: '1700000120000' });
  });

  test.each([
    [[null, 1, 1, 1, null], 10, 25, 40],
    [[1, null, null, null, 1], 0, 25, 50],
  ])('halves of %j', (value, from, middle, to) => {
    const series = {
      ts_ms: [0, 10, 20, 30, 40],
      step_ms: 10,
      series: [{ value }],
    } as unknown as SeriesJson;
    expect(coveredHalves(series)).toEqual({
      a: { fromMs: from, toMs: middle },
      b: { fromMs: middle, toMs: to },
    });
  });

  test('one step has no halves', () => {
    const series = { ts_ms: [0], step_ms: 10, series: [{ value: [1] }] } as unknown as SeriesJson;
    expect([coveredHalves(series), coveredHalves(undefined)]).toEqual([null, null]);
  });
});
