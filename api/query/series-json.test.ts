import { describe, expect, test } from 'vitest';
import { MAX_SERIES_STEPS } from '../../profile/limits.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type { TimelineGroup } from '../../store/store.ts';
import { alignToMinute, chooseStep, summarizeTimelines } from './series-json.ts';

const range = (lengthMs: number): TimeRange => ({ from: 0 as EpochMs, to: lengthMs as EpochMs });
const HOUR = 3_600_000;

describe('the step', () => {
  const rows: [lengthMs: number, asked: number | undefined, stepMs: number][] = [
    [HOUR, undefined, 15_000],
    [5 * 60_000, undefined, 10_000],
    [24 * HOUR, undefined, 600_000],
    [400 * 24 * HOUR, undefined, 604_800_000],
    [HOUR, 60_000, 60_000],
    [HOUR, 1500.5, 1500],
  ];
  test.each(rows)('over %d ms, asked for %d: %d', (lengthMs, asked, stepMs) => {
    expect(chooseStep(range(lengthMs), asked)).toBe(stepMs);
  });

  test.each([0, -1, Number.NaN, 1])('%d is refused, the least that is not is named', (stepMs) => {
    expect(() => chooseStep(range(HOUR), stepMs)).toThrow(`a step of ${stepMs} ms makes`);
  });
});

/** `a 1 2 -`: a line's label and its steps; `-` is a step that nothing covers. */
function lines(...texts: string[]): TimelineGroup[] {
  return texts.map((text) => {
    const [name = '', ...steps] = text.split(' ');
    const value = Float64Array.from(steps, (step) => (step === '-' ? Number.NaN : Number(step)));
    return { labels: { name }, value, samples: value };
  });
}

async function summarize(
  texts: string[],
  limit: number,
  aggregation: 'delta' | 'gauge' = 'delta',
): Promise<string[]> {
  const frame = { range: range(25_000), stepMs: 10_000, aggregation, limit };
  const { series, rest } = await summarizeTimelines(lines(...texts), frame);
  const draw = (line: (typeof series)[number]): string =>
    `${line.labels.name ?? 'rest'} ${line.total}: ${line.value.map((at) => at ?? '-').join(' ')}`;
  return [...series.map(draw), ...(rest === null ? [] : [`${rest.count} in ${draw(rest)}`])];
}

test('the largest lines; the rest is exact, and uncovered where all of it is', async () => {
  expect(await summarize(['a 1 2 3', 'b 9 - -', 'c - 1 -', 'd - 2 -'], 2)).toEqual([
    'b 9: 9 - -',
    'a 6: 1 2 3',
    '2 in rest 3: - 3 -',
  ]);
});

test('lines of one total are in the order of their labels, whichever was stored first', async () => {
  const inOrder = ['a 5: 5 - -', 'b 5: - 5 -', '1 in rest 5: - - 5'];
  expect(await summarize(['a 5 - -', 'b - 5 -', 'c - - 5'], 2)).toEqual(inOrder);
  expect(await summarize(['c - - 5', 'b - 5 -', 'a 5 - -'], 2)).toEqual(inOrder);
});

test('a gauge is a mean over the time that is covered; the last step is a short one', async () => {
  expect(await summarize(['a 10 - 40', 'b 20 20 20'], 2, 'gauge')).toEqual([
    'a 20: 10 - 40',
    'b 20: 20 20 20',
  ]);
});

test('rates are per second of the step, short or not', async () => {
  const frame = { range: range(25_000), stepMs: 10_000, aggregation: 'delta', limit: 1 } as const;
  const { series, ts_ms } = await summarizeTimelines(lines('a 10 - 10'), frame);
  expect(series[0]?.rate).toEqual([1, null, 2]);
  expect(ts_ms).toEqual([0, 10_000, 20_000]);
});

test('over the limit of points', async () => {
  const frame = { range: range(HOUR), stepMs: 500, aggregation: 'delta', limit: 1000 } as const;
  const many = Array.from({ length: 1000 }, () => lines('a')[0] as TimelineGroup);
  await expect(summarizeTimelines(many, frame)).rejects.toThrow('1000 lines of 7200 steps');
});

test.each<[string, number, number, number, number]>([
  ['whole minutes: begins with its minute', 90_001, 600_000, 60_000, 60_000],
  ['on a minute already', 120_000, 600_000, 120_000, 120_000],
  ['shorter steps stay', 90_001, 600_000, 15_000, 90_001],
  ['no step too many', 1, MAX_SERIES_STEPS * 60_000 + 1, 60_000, 1],
])('%s', (_, from, to, stepMs, aligned) => {
  const range = { from: from as EpochMs, to: to as EpochMs };
  expect(alignToMinute(range, stepMs)).toEqual({ from: aligned, to });
});
