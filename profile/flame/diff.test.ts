import { describe, expect, test } from 'vitest';
import { stringReader } from '../strings.ts';
import { formatGraphText, parseGraphText } from '../text.ts';
import {
  combineGraphs,
  compareFunctions,
  compareWeights,
  type DiffMode,
  type DiffSides,
} from './diff.ts';
import { decodeFg1, encodeFg1 } from './fg1.ts';
import type { FlameGraph } from './flame-graph.ts';

function sides(totalA: number, totalB: number, samples: boolean | number = true): DiffSides {
  const side = (total: number) => ({
    total,
    multiplier: 2,
    seconds: 10,
    samples: samples === true ? total : samples === false ? null : samples,
  });
  return { a: side(totalA), b: side(totalB) };
}

describe('one change', () => {
  const rows: [mode: DiffMode, a: number, b: number, kind: string, line: string][] = [
    ['share', 100, 100, 'same', '0.1 0.1 0 0.0263'],
    ['share', 100, 130, 'same', '0.1 0.13 0.03 0.0279'],
    ['share', 100, 160, 'grew', '0.1 0.16 0.06 0.0294'],
    ['share', 160, 100, 'shrank', '0.16 0.1 -0.06 0.0294'],
    ['share', 0, 8, 'same', '0 0.008 0.008 0.0055'],
    ['share', 0, 12, 'new', '0 0.012 0.012 0.0067'],
    ['share', 12, 0, 'gone', '0.012 0 -0.012 0.0067'],
    ['absolute', 100, 160, 'grew', '200 320 120 63.2081'],
    ['rate', 100, 160, 'grew', '20 32 12 6.3208'],
  ];
  test.each(rows)('%s of %i and %i in 1,000 each: %s', (mode, a, b, kind, line) => {
    const change = compareWeights(a, b, sides(1000, 1000), mode);
    const figures = [change.a, change.b, change.delta, change.interval ?? Number.NaN];
    expect(change.kind).toBe(kind);
    expect(figures.map((value) => Number(value.toFixed(4))).join(' ')).toBe(line);
  });

  test('bytes: noise follows the samples behind them', () => {
    const [many, few] = [sides(1e6, 1e6, 100_000), sides(1e6, 1e6, 100)];
    expect(compareWeights(1e5, 1.2e5, many, 'share').kind).toBe('grew');
    expect(compareWeights(1e5, 1.2e5, few, 'share').kind).toBe('same');
  });

  test('without a count of samples there is no interval', () => {
    const change = compareWeights(100, 130, sides(1000, 1000, false), 'share');
    expect([change.interval, change.kind]).toEqual([null, 'grew']);
  });

  test('an empty side', () => {
    const change = compareWeights(0, 5, sides(0, 100), 'share');
    expect([change.a, change.b, change.relative]).toEqual([0, 0.05, null]);
  });

  test('a side whose events have no period weighs nothing', () => {
    const { a, b } = sides(100, 100);
    const change = compareWeights(5, 5, { a, b: { ...b, multiplier: 0 } }, 'share');
    expect([change.a, change.b]).toEqual([0.05, 0]);
  });

  test('three errors are a false alarm in fewer than 1 % of equal pairs', () => {
    // Poisson counts of one rate, by a small seeded generator (Knuth's product of uniforms).
    let state = 42;
    const uniform = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const poisson = (mean: number): number => {
      let count = 0;
      for (let product = uniform(); product > Math.exp(-mean); product *= uniform()) count++;
      return count;
    };
    let alarms = 0;
    let outside = 0;
    for (let pair = 0; pair < 4000; pair++) {
      const change = compareWeights(poisson(40), poisson(40), sides(1000, 1000), 'absolute');
      if (change.kind !== 'same') alarms++;
      if (Math.abs(change.delta) > (change.interval ?? 0)) outside++;
    }
    expect(alarms).toBeLessThan(40);
    expect(outside / 4000).toBeGreaterThan(0.035);
    expect(outside / 4000).toBeLessThan(0.065);
  });
});

function withSamples(graph: FlameGraph, a: number, b: number): FlameGraph {
  graph.meta.quality = structuredClone(graph.meta.quality);
  graph.meta.quality.series.samples = b;
  if (graph.meta.base !== undefined) {
    graph.meta.base.quality = structuredClone(graph.meta.base.quality);
    graph.meta.base.quality.series.samples = a;
  }
  return graph;
}

test('functions of a diff, the largest change first', () => {
  const a = 'main;parse 500\nmain;old 100\nmain 400';
  const b = 'main;parse 700\nmain;fresh 50\nmain 250';
  const graph = withSamples(parseGraphText(b, a), 1000, 1000);
  const name = stringReader(graph.strings);
  const rows = compareFunctions(decodeFg1(encodeFg1(graph)), 'share').map(
    ({ frame, self, total }) =>
      `${name(graph.frames.name[frame] as number)} ${self.delta.toFixed(2)} ${self.kind}, ${total.kind}`,
  );
  expect(rows).toEqual([
    'parse 0.20 grew, grew',
    'main -0.15 shrank, same',
    'old -0.10 gone, gone',
    'fresh 0.05 new, new',
  ]);
});

describe('two graphs combined', () => {
  test('equal the diff made at once', () => {
    const [a, b] = ['main;x 3\nmain;y@lib 1\ngone 2', 'main;x 4\nmain;y@lib;z{jit} 5'];
    const combined = combineGraphs(parseGraphText(a), parseGraphText(b));
    expect(formatGraphText(combined)).toBe(formatGraphText(parseGraphText(b, a)));
  });

  test('left-out weight stays on its node and side', () => {
    const [a, b] = [parseGraphText('main;x 3'), parseGraphText('main;x 4\nmain;w 1')];
    a.folded[2] = 7;
    b.folded[1] = 9;
    const combined = combineGraphs(a, b);
    expect(combined.foldedBase?.reduce((sum, value) => sum + value)).toBe(7);
    expect(formatGraphText(decodeFg1(encodeFg1(combined)))).toBe(`total 0/10 -> 0/14
  main 0/10 -> 0/14 [9 left out]
    w 0/0 -> 1/1
    x 3/10 -> 4/4 [0 left out]
`);
  });
});
