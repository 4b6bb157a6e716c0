import { describe, expect, test } from 'vitest';
import { compareFunctions } from '../profile/flame/diff.ts';
import { parseGraphText } from '../profile/text.ts';
import { describeGrown, formatChanges } from './diff.ts';

/** A diff of two folded texts in which every weight is so many samples. */
function diffOf(a: string, b: string) {
  const graph = parseGraphText(b, a);
  const { meta } = graph;
  meta.quality.series.samples = meta.totalAfterFilters;
  if (meta.base) {
    meta.base.quality = { ...meta.quality, series: { ...meta.quality.series } };
    meta.base.quality.series.samples = meta.base.total;
  }
  return { graph, changes: compareFunctions(graph, 'share') };
}

const BASE = 'main;parse@app 5000\nmain;write@app 4000\nmain;old@app 1000';
const NEXT = 'main;parse@app 6000\nmain;write@app 3010\nmain;new@app 990';

test('the table', () => {
  const { graph, changes } = diffOf(BASE, NEXT);
  expect(formatChanges(graph, changes).split('\n')).toEqual([
    'self A  self B    change   95 %     total          function  binary',
    '10.0 %  0.00 %  \u221210.00 %  \u00b10.59  \u221210.00 %  gone    old       app',
    '50.0 %  60.0 %  +10.00 %  \u00b11.37  +10.00 %  grew    parse     app',
    '40.0 %  30.1 %   \u22129.90 %  \u00b11.32   \u22129.90 %  shrank  write     app',
    '0.00 %  9.90 %   +9.90 %  \u00b10.59   +9.90 %  new     new       app',
    '0.00 %  0.00 %   +0.00 %  \u00b10.00   +0.00 %  same    main',
    '',
  ]);
});

describe('the limit', () => {
  test.each([
    [0.2, null],
    [0.1, null],
    [0.0992, 'grew by more than 9.92 % of the whole: parse (+10.00 %)'],
    [0.05, 'grew by more than 5.00 % of the whole: parse (+10.00 %), new (+9.90 %)'],
  ])('%s', (limit, verdict) => {
    const { graph, changes } = diffOf(BASE, NEXT);
    expect(describeGrown(graph, changes, limit)).toBe(verdict);
  });

  test('growth within the noise of few samples is no growth', () => {
    const { graph, changes } = diffOf('main;a 50\nmain;b 50', 'main;a 56\nmain;b 44');
    expect(describeGrown(graph, changes, 0.01)).toBeNull();
  });

  test('a caller grows by what it calls', () => {
    const { graph, changes } = diffOf('m;f;x 1000\nm;y 9000', 'm;f;x 1000\nm;f;z 2000\nm;y 7000');
    expect(describeGrown(graph, changes, 0.15)).toContain('z (+20.00 %), f (+20.00 %)');
  });

  test('only the first are named', () => {
    const names = [...'abcdefg'];
    const next = names.map((name) => `${name} 1000`).join('\n');
    const { graph, changes } = diffOf('old 7000', next);
    expect(describeGrown(graph, changes, 0.1)).toMatch(/ and 2 more$/);
  });
});
