import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatGraphText, parseGraphText } from '../../profile/text.ts';
import { moveNode, nextMatch, pathOf, resolvePath } from './flame-keys.ts';
import {
  buildFlameView,
  type FlameView,
  hasFolded,
  matchedWeight,
  transferables,
  widestNode,
} from './flame-view.ts';
import { searchExpression, searchFrames } from './frame-search.ts';
import { createFrameTexts, weighBinaries } from './frame-texts.ts';
import { sortSiblings } from './sibling-order.ts';

const TEXT = `
main;handle@app;malloc@libc.so.6 20
main;handle@app;handle@app;malloc@libc.so.6 10
main;idle 5
gc@app 15
`;
const view = buildFlameView(parseGraphText(TEXT));
const texts = createFrameTexts(view.graph, 'short');
const name = (node: number) => texts.name(view.graph.frame[node] ?? 0);
const search = (text: string, of: FlameView = view) =>
  searchFrames(text, of.graph.frames.count, createFrameTexts(of.graph, 'short').name, () => false);

test('sorting siblings changes their order only', () => {
  const row = fc.tuple(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }), fc.nat(50));
  fc.assert(
    fc.property(fc.array(row), fc.array(row), (rows, base) => {
      const textOf = (all: typeof rows) =>
        all.map(([s, v]) => `${s.join(';')} ${v + 1}`).join('\n');
      const graph = parseGraphText(textOf(rows), textOf(base));
      expect(formatGraphText(sortSiblings(graph))).toBe(formatGraphText(graph));
    }),
    { seed: 3, numRuns: 100 },
  );
});

test('a view moves whole between threads', () => {
  const moved = structuredClone(view, { transfer: [] });
  expect(transferables(moved).length).toBeGreaterThan(8);
  structuredClone(moved, { transfer: transferables(moved) });
  expect(moved.width.length).toBe(0);
});

test('binaries by own weight', () => {
  expect([...weighBinaries(view.frameSelf, texts)]).toEqual(
    expect.arrayContaining([
      ['libc.so.6', 30],
      ['app', 15],
    ]),
  );
});

describe('search', () => {
  test.each([
    ['malloc', 1, 30],
    ['MALLOC', 1, 30],
    ['^handle$', 1, 30],
    ['handle|gc', 2, 45],
    ['main', 1, 35],
    ['nothing', 0, 0],
  ])('%s matches %i functions, %i of 50 once per stack', (text, functions, weight) => {
    const result = search(text);
    expect([result.functions, matchedWeight(view, result.matches)]).toEqual([functions, weight]);
  });

  test('what is no regular expression is searched as it stands', () => {
    const odd = buildFlameView(parseGraphText('operator( 1\nplain 1'));
    expect(search('operator(', odd)).toMatchObject({ functions: 1, literal: true });
    expect(search('operator', odd)).toMatchObject({ functions: 1, literal: false });
  });

  test.each([
    ['mem', '(?i)mem'],
    ['a.*b', '(?i)a.*b'],
    ['f(', '(?i)f\\('],
  ])('the server is asked for %s as %s', (text, expression) => {
    expect(searchExpression(text)).toBe(expression);
  });
});

describe('moving', () => {
  test.each([
    ['handle', 'parent', 'main'],
    ['handle', 'child', 'malloc'],
    ['handle', 'next', 'idle'],
    ['handle', 'previous', 'handle'],
    ['idle', 'previous', 'handle'],
    ['idle', 'child', 'idle'],
    ['idle', 'root', 'total'],
  ] as const)('from %s to the %s is %s', (from, move, to) => {
    const node = [...view.graph.frame].findIndex((frame) => texts.name(frame) === from);
    expect(name(moveNode(view, node, move))).toBe(to);
  });

  test('matches follow each other around the end', () => {
    const { matches } = search('malloc|gc');
    let at = 0;
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      at = nextMatch(view, matches, at, 1);
      seen.push(name(at));
    }
    expect(seen).toEqual(['malloc', 'malloc', 'gc', 'malloc']);
  });
});

describe('paths', () => {
  test('every node is found again by its path', () => {
    for (let node = 0; node < view.graph.nodeCount; node++) {
      expect(resolvePath(view, pathOf(view, node, texts.identity), texts.identity)).toBe(node);
    }
  });

  test('a path leads as far as another answer still goes', () => {
    const idle = [...view.graph.frame].findIndex((frame) => texts.name(frame) === 'idle');
    const later = buildFlameView(parseGraphText('main;other 3'));
    const laterTexts = createFrameTexts(later.graph, 'short');
    const node = resolvePath(later, pathOf(view, idle, texts.identity), laterTexts.identity);
    expect(laterTexts.name(later.graph.frame[node] ?? 0)).toBe('main');
  });

  test('a path of nonsense is the root', () => {
    expect(resolvePath(view, 'x.y.z', texts.identity)).toBe(0);
  });
});

test('the widest frame of a function', () => {
  const { matches } = search('malloc');
  expect(view.width[widestNode(view, matches)]).toBe(20);
  expect(widestNode(view, new Uint8Array(view.graph.frames.count))).toBe(-1);
});

test('folded weight is known to lie below a node', () => {
  const graph = parseGraphText('a;b 5\nc 5');
  const last = graph.nodeCount - 1;
  expect(hasFolded(buildFlameView(graph), 0)).toBe(false);
  graph.folded[last] = 2;
  expect(hasFolded(buildFlameView(graph), 0)).toBe(true);
});
