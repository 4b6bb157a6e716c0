import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseGraphText } from '../../profile/text.ts';
import { createBoxes, hitNode, layoutBoxes, measureExtent } from './flame-layout.ts';
import { buildFlameView, type FlameView } from './flame-view.ts';
import { createFrameTexts } from './frame-texts.ts';

const viewOf = (text: string, base?: string) => buildFlameView(parseGraphText(text, base));

const FOUR = `
a;b 30
a;c 20
a 10
d;e 40
`;

/** Boxes as rows of text: `name(from..to)`; a merged block is `#`, an ancestor of the zoom `^`. */
function draw(view: FlameView, zoom = 0, widthPx = 100, fromRow = 0, toRow = 99): string[] {
  const boxes = createBoxes(2);
  layoutBoxes(view, { zoom, widthPx, fromRow, toRow }, boxes);
  const texts = createFrameTexts(view.graph, 'short');
  const rows: string[][] = [];
  for (let i = 0; i < boxes.count; i++) {
    const node = boxes.node[i] ?? 0;
    const x = boxes.x[i] ?? 0;
    const mark = node >= 0 && node < zoom ? '^' : '';
    const name = node < 0 ? '#' : texts.name(view.graph.frame[node] ?? 0);
    const text = `${mark}${name}(${Math.round(x)}..${Math.round(x + (boxes.width[i] ?? 0))})`;
    const row = boxes.depth[i] ?? 0;
    rows[row] = [...(rows[row] ?? []), text];
  }
  return rows.map((row) => row.join(' '));
}

const nodeNamed = (view: FlameView, name: string) => {
  const texts = createFrameTexts(view.graph, 'short');
  return [...view.graph.frame].findIndex((frame) => texts.name(frame) === name);
};

describe('layoutBoxes', () => {
  test('widest first, own weight on the right', () => {
    expect(draw(viewOf(FOUR))).toEqual([
      'total(0..100)',
      'a(0..60) d(60..100)',
      'b(0..30) c(30..50) e(60..100)',
    ]);
  });

  test('a zoom spans the width, its ancestors stay above it', () => {
    const view = viewOf(FOUR);
    expect(draw(view, nodeNamed(view, 'a'))).toEqual([
      '^total(0..100)',
      'a(0..100)',
      'b(0..50) c(50..83)',
    ]);
  });

  test('only rows in sight', () => {
    expect(draw(viewOf(FOUR), 0, 100, 1, 2).filter(Boolean)).toEqual(['a(0..60) d(60..100)']);
  });

  test('siblings too narrow for a frame become one block', () => {
    const narrow = Array.from({ length: 8 }, (_, i) => `n${i} 1`).join('\n');
    const view = viewOf(`wide 992\n${narrow}`);
    expect(draw(view)).toEqual(['total(0..100)', 'wide(0..99) #(99..100)']);
    expect(measureExtent(view, 0, 100)).toEqual({ rows: 2, drawn: 2, mergedShare: 0.008 });
  });

  test('a diff is as wide as the mean of both shares', () => {
    const view = viewOf('a 8\nb 32', 'a 10\ngone 10');
    expect(draw(view)).toEqual(['total(0..100)', 'b(0..40) a(40..75) gone(75..100)']);
  });

  test('an empty graph is its root', () => {
    expect(draw(viewOf(''))).toEqual(['#(0..0)'].slice(1));
    expect(measureExtent(viewOf(''), 0, 100).rows).toBe(1);
  });
});

const stacks = fc.array(
  fc.tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 1, max: 500 }),
  ),
  { minLength: 1, maxLength: 40 },
);
const textOf = (rows: [string[], number][]) =>
  rows.map(([stack, value]) => `${stack.join(';')} ${value}`).join('\n');

test('what is drawn at a pixel is what a click there hits', () => {
  fc.assert(
    fc.property(stacks, fc.integer({ min: 50, max: 900 }), fc.nat(), (rows, widthPx, pick) => {
      const view = viewOf(textOf(rows));
      const zoom = pick % view.graph.nodeCount;
      const boxes = createBoxes();
      layoutBoxes(view, { zoom, widthPx, fromRow: 0, toRow: 99 }, boxes);
      for (let i = 0; i < boxes.count; i++) {
        const node = boxes.node[i] ?? -1;
        if (node < 0) continue;
        const middle = (boxes.x[i] ?? 0) + (boxes.width[i] ?? 0) / 2;
        expect(hitNode(view, zoom, widthPx, middle, boxes.depth[i] ?? 0)).toBe(node);
      }
    }),
    { seed: 7, numRuns: 200 },
  );
});

test('boxes of a row lie side by side inside their parents', () => {
  fc.assert(
    fc.property(stacks, (rows) => {
      const view = viewOf(textOf(rows));
      for (let node = 1; node < view.graph.nodeCount; node++) {
        const parent = view.tree.parent[node] ?? 0;
        const [start, width] = [view.start[node] ?? 0, view.width[node] ?? 0];
        expect(start).toBeGreaterThanOrEqual(view.start[parent] ?? 0);
        expect(start + width).toBeLessThanOrEqual(
          (view.start[parent] ?? 0) + (view.width[parent] ?? 0) + 1e-6,
        );
      }
    }),
    { seed: 8, numRuns: 100 },
  );
});

test.each([
  [50, 0, 'total'],
  [10, 1, 'a'],
  [55, 2, ''],
  [70, 2, 'e'],
  [70, 3, ''],
  [-1, 0, ''],
  [100, 0, ''],
])('pixel %i of row %i is %s', (x, row, name) => {
  const view = viewOf(FOUR);
  const node = hitNode(view, 0, 100, x, row);
  const texts = createFrameTexts(view.graph, 'short');
  expect(node < 0 ? '' : texts.name(view.graph.frame[node] ?? 0)).toBe(name);
});
