/** From times and values to pixels of a series plot: pure. */
import type { Range } from '../time.ts';

export interface PlotFrame {
  width: number;
  height: number;
  range: Range;
  stepMs: number;
  /** The value at the top. */
  max: number;
}

const LEFT = 34;
const RIGHT = 16;
const TOP = 6;
const BOTTOM = 18;

export function plotX({ width, range }: PlotFrame, ms: number): number {
  const share = (ms - range.fromMs) / (range.toMs - range.fromMs);
  return LEFT + share * (width - LEFT - RIGHT);
}

export function plotY({ height, max }: PlotFrame, value: number): number {
  const bottom = height - BOTTOM;
  return bottom - (value / max) * (bottom - TOP);
}

/** The time at a pixel; outside the plot it is outside the range. */
export function timeAt({ width, range }: PlotFrame, x: number): number {
  const share = (x - LEFT) / (width - LEFT - RIGHT);
  return range.fromMs + share * (range.toMs - range.fromMs);
}

/** A round number at or above all values, of which half is round too. */
export function niceMax(lines: readonly { values: readonly (number | null)[] }[]): number {
  let max = 0;
  for (const { values } of lines) for (const value of values) max = Math.max(max, value ?? 0);
  if (max <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  return ([1, 2, 3, 4, 6, 8, 10].find((digit) => digit * power >= max * 1.02) ?? 20) * power;
}

/** Runs of neighbouring known values, as [first, one past the last]. */
function runs(values: readonly (number | null)[]): [number, number][] {
  const found: [number, number][] = [];
  let start = -1;
  for (let i = 0; i <= values.length; i++) {
    const known = i < values.length && values[i] !== null && values[i] !== undefined;
    if (known && start < 0) start = i;
    if (!known && start >= 0) {
      found.push([start, i]);
      start = -1;
    }
  }
  return found;
}

function points(
  frame: PlotFrame,
  values: readonly (number | null)[],
  [first, end]: [number, number],
): string[] {
  const at = (i: number) => frame.range.fromMs + (i + 0.5) * frame.stepMs;
  const list: string[] = [];
  for (let i = first; i < end; i++) {
    const x = plotX(frame, Math.min(at(i), frame.range.toMs)).toFixed(1);
    list.push(`${x},${plotY(frame, values[i] ?? 0).toFixed(1)}`);
  }
  // A lone point is a short dash, or it would not be seen.
  if (list.length === 1) {
    const [x, y] = (list[0] ?? '0,0').split(',').map(Number) as [number, number];
    return [`${(x - 1.5).toFixed(1)},${y}`, `${(x + 1.5).toFixed(1)},${y}`];
  }
  return list;
}

/** The line, broken where values are missing. */
export function linePath(frame: PlotFrame, values: readonly (number | null)[]): string {
  return runs(values)
    .map((run) => `M${points(frame, values, run).join('L')}`)
    .join('');
}

/** The area under the line, of the same pieces. */
export function areaPath(frame: PlotFrame, values: readonly (number | null)[]): string {
  const ground = plotY(frame, 0).toFixed(1);
  return runs(values)
    .map((run) => {
      const list = points(frame, values, run);
      const [first = '0', last = '0'] = [list[0], list.at(-1)].map((p) => p?.split(',')[0]);
      return `M${first},${ground}L${list.join('L')}L${last},${ground}Z`;
    })
    .join('');
}
