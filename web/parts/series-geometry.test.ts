import { describe, expect, test } from 'vitest';
import { areaPath, linePath, niceMax, type PlotFrame, plotX, timeAt } from './series-geometry.ts';

/** 100 px of plot for 100 ms, 100 px of height for a value of 10. */
const FRAME: PlotFrame = {
  width: 150,
  height: 124,
  range: { fromMs: 0, toMs: 100 },
  stepMs: 20,
  max: 10,
};

test.each([
  [[], 1],
  [[0, null], 1],
  [[0.4], 0.6],
  [[9], 10],
  [[39], 40],
  [[39.9], 60],
  [[1200], 2000],
])('the top over %j is %d', (values, top) => {
  expect(niceMax([{ values }])).toBeCloseTo(top);
});

test('a pixel and its time are the same place', () => {
  expect(plotX(FRAME, 50)).toBe(84);
  expect(timeAt(FRAME, 84)).toBe(50);
});

describe('lines', () => {
  test.each([
    [[0, 10], 'M44.0,106.0L64.0,6.0'],
    [[0, null, 5, 5], 'M42.5,106L45.5,106M84.0,56.0L104.0,56.0'],
    [[null, null], ''],
    [[], ''],
  ])('%j', (values, path) => expect(linePath(FRAME, values)).toBe(path));

  test('the area stands on the ground', () => {
    expect(areaPath(FRAME, [10, 10])).toBe('M44.0,106.0L44.0,6.0L64.0,6.0L64.0,106.0Z');
  });
});
