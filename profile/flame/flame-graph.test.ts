/** The way of a tree: folded text -> call tree -> pruned -> flame graph -> text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_FLAME_DEPTH } from '../limits.ts';
import { stringReader } from '../strings.ts';
import { formatGraphText, parseGraphText, textMeta } from '../text.ts';
import { CallTree } from './call-tree.ts';
import { deriveTree, NodeFlag } from './flame-graph.ts';
import { flattenTree } from './flatten.ts';
import { formatFolded, parseFolded } from './folded.ts';
import { FrameTable, namedFrame } from './frame-table.ts';
import { tabulateFunctions } from './functions.ts';
import { type PrunedFrames, type PruneOptions, pruneTree } from './prune.ts';
import { gatherTree, joinTrees, totalsOf } from './weighted-tree.ts';

/** A tree of one-letter frames: `abc 2` is the stack a > b > c with weight 2. */
function plant(text: string, tree: CallTree, frames: FrameTable) {
  const rows = parseFolded(text);
  const node = Int32Array.from(rows, ({ stack: [letters = ''] }) =>
    [...letters].reduce((at, letter) => tree.child(at, frames.intern(namedFrame(letter))), 0),
  );
  return { node, value: Float64Array.from(rows, (row) => row.value) };
}

function namesOf(frames: FrameTable): PrunedFrames {
  return { nameOf: (row) => frames.frames[row]?.name ?? '', placeOf: () => '' };
}

function draw(text: string, options: PruneOptions = {}): string {
  const tree = new CallTree();
  const frames = new FrameTable();
  const weighted = gatherTree(tree, plant(text, tree, frames));
  const keep = pruneTree(weighted, namesOf(frames), options);
  const meta = textMeta(0);
  return formatGraphText(flattenTree(weighted, { frames, keep, multiplier: 1, meta }));
}

test('a drawn graph', () => {
  expect(formatGraphText(parseGraphText('main;read@libc.so 2\nmain 1'))).toBe(
    `total 0/3
  main 1/3
    read@libc.so 2/2
`,
  );
});

test('a drawn diff', () => {
  expect(formatGraphText(parseGraphText('main;a 2\nmain;b 1', 'main;a 5'))).toBe(
    `total 0/5 -> 0/3
  main 0/5 -> 0/3
    a 5/5 -> 2/2
    b 0/0 -> 1/1
`,
  );
});

describe('pruning keeps the weight of what it leaves out', () => {
  const text = 'abc 10\nabd 1\nabe 2\nax 3\ny 4';
  const rows: [what: string, options: PruneOptions, drawing: string][] = [
    [
      'the heaviest 4 nodes',
      { maxNodes: 4 },
      `total 0/20 [4 left out]
  a 0/16 [3 left out]
    b 0/13 [3 left out]
      c 10/10
`,
    ],
    ['one node', { maxNodes: 1 }, 'total 0/20 [20 left out]\n'],
    [
      'a seventh of the whole',
      { minFraction: 0.15 },
      `total 0/20
  a 0/16
    b 0/13 [3 left out]
      c 10/10
    x 3/3
  y 4/4
`,
    ],
    [
      'a subtree, with the path to it',
      { root: ['a', 'b'], maxNodes: 4 },
      `total 0/20 [4 left out]
  a 0/16 [3 left out]
    b 0/13 [3 left out]
      c 10/10
`,
    ],
    [
      'a part of the subtree',
      { root: ['a', 'b'], minFraction: 0.1 },
      `total 0/20 [4 left out]
  a 0/16 [3 left out]
    b 0/13 [1 left out]
      c 10/10
      e 2/2
`,
    ],
  ];
  test.each(rows)('%s', (_, options, drawing) => {
    expect(draw(text, options)).toBe(drawing);
  });

  test('a root that no stack has', () => {
    expect(() => draw(text, { root: ['b'] })).toThrow('no stack begins with b');
  });
});

test('joined trees share the nodes of their paths', () => {
  const tree = new CallTree();
  const frames = new FrameTable();
  const [x, y, z] = ['x', 'y', 'z'].map((letter) => frames.intern(namedFrame(letter)));
  const branches = [
    { path: [x as number, y as number], tree: gatherTree(tree, plant('ab 1', tree, frames)) },
    { path: [x as number, z as number], tree: gatherTree(tree, plant('ab 2\nc 3', tree, frames)) },
  ];
  const joined = joinTrees(branches);
  const meta = textMeta(6);
  expect(formatGraphText(flattenTree(joined, { frames, multiplier: 1, meta }))).toBe(`total 0/6
  x 0/6
    y 0/1
      a 0/1
        b 1/1
    z 0/5
      a 0/2
        b 2/2
      c 3/3
`);
});

test('frames beyond the depth that a graph can hold are folded, and stated', () => {
  const tree = new CallTree();
  const frames = new FrameTable();
  const frame = frames.intern(namedFrame('f'));
  let leaf = 0;
  for (let depth = 0; depth < MAX_FLAME_DEPTH + 3; depth++) leaf = tree.child(leaf, frame);
  const weights = { node: Int32Array.of(leaf), value: Float64Array.of(7) };
  const graph = flattenTree(gatherTree(tree, weights), {
    frames,
    multiplier: 1,
    meta: textMeta(7),
  });
  const last = graph.nodeCount - 1;
  expect([last, graph.depth[last], graph.folded[last]]).toEqual([
    MAX_FLAME_DEPTH,
    MAX_FLAME_DEPTH,
    7,
  ]);
  expect(deriveTree(graph.depth, graph.self, graph.folded).total[0]).toBe(7);
});

test('a node is inlined where nothing calls it', () => {
  const tree = new CallTree();
  const inlined = tree.child(tree.child(0, 1), 2, true);
  expect(tree.flags(inlined)).toBe(NodeFlag.inlined);
  expect(tree.child(1, 2, false)).toBe(inlined);
  expect(tree.flags(inlined)).toBe(0);
});

const stacks = fc.array(
  fc.tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 8 }),
    fc.nat(99),
  ),
  { minLength: 1, maxLength: 60 },
);

test('nothing is lost, whatever is left out, and parents stay', () => {
  fc.assert(
    fc.property(
      stacks,
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (rows, maxNodes, minFraction) => {
        const tree = new CallTree();
        const frames = new FrameTable();
        const text = rows.map(([path, value]) => `${path.join('')} ${value}`).join('\n');
        const weighted = gatherTree(tree, plant(text, tree, frames));
        const keep = pruneTree(weighted, namesOf(frames), { maxNodes, minFraction });
        const sum = rows.reduce((total, [, value]) => total + value, 0);
        const graph = flattenTree(weighted, {
          frames,
          keep,
          multiplier: 1,
          meta: textMeta(sum),
        });
        expect(graph.nodeCount).toBeLessThanOrEqual(maxNodes);
        expect(deriveTree(graph.depth, graph.self, graph.folded).total[0]).toBe(sum);
        expect(totalsOf(weighted)[0]).toBe(sum);
        // What is kept weighs no less than what is not.
        const totals = totalsOf(weighted);
        const kept = [...totals].filter((_, row) => keep?.[row] === 1);
        const left = [...totals].filter((_, row) => keep?.[row] === 0);
        expect(Math.min(...kept)).toBeGreaterThanOrEqual(Math.max(0, ...left));
      },
    ),
    { seed: 5, numRuns: 200 },
  );
});

test('folded lines come back', () => {
  const text = 'main 1\nmain;a 2\nmain;a;b 0.25\n';
  expect(formatFolded(parseGraphText(text))).toBe(text);
});

test('a separator in a name is replaced', () => {
  const frames = new FrameTable();
  const tree = new CallTree();
  const node = Int32Array.of(tree.child(0, frames.intern(namedFrame('a;b\nc'))));
  const weighted = gatherTree(tree, { node, value: Float64Array.of(1) });
  const graph = flattenTree(weighted, { frames, multiplier: 3, meta: textMeta(1) });
  expect(formatFolded(graph)).toBe('a:b c 3\n');
});

test('frames of a line say which', () => {
  const frames = new FrameTable();
  const tree = new CallTree();
  const frame = (line: number) => ({ ...namedFrame('main'), file: 'src/a b;c.c', line });
  const node = Int32Array.of(
    ...[7, 0, 9].map((line) => tree.child(0, frames.intern(frame(line), `${line}`))),
  );
  const weighted = gatherTree(tree, { node, value: Float64Array.of(1, 2, 4) });
  const graph = flattenTree(weighted, { frames, multiplier: 1, meta: textMeta(1) });
  const lines = ['main 2', 'main src/a b:c.c:7 1', 'main src/a b:c.c:9 4'];
  expect(formatFolded(graph).trim().split('\n').sort()).toEqual(lines);
});

test('lines that would be gigabytes are refused', () => {
  const frames = new FrameTable();
  const tree = new CallTree();
  const frame = frames.intern(namedFrame('n'.repeat(2 ** 16)));
  const nodes = [0];
  for (let depth = 0; depth < 200; depth++) nodes.push(tree.child(nodes[depth] as number, frame));
  const node = Int32Array.from(nodes.slice(1));
  const weighted = gatherTree(tree, { node, value: new Float64Array(node.length).fill(1) });
  const graph = flattenTree(weighted, { frames, multiplier: 1, meta: textMeta(1) });
  expect(() => formatFolded(graph)).toThrow(
    expect.objectContaining({ kind: 'too-large', limit: 'MAX_TEXT_LENGTH = 268435456' }),
  );
});

test.each(['main', 'main x', 'a;b -1', 'a;b NaN', ' 3'])('"%s" is no folded stack', (line) => {
  expect(() => parseFolded(`ok 1\n${line}`)).toThrow('is not a folded stack');
});

/** Self and total by looking at every stack, as the definition says. */
function naiveFunctions(rows: [string[], number][]): string[] {
  const self = new Map<string, number>();
  const total = new Map<string, number>();
  for (const [path, value] of rows) {
    const leaf = path.at(-1) as string;
    self.set(leaf, (self.get(leaf) ?? 0) + value);
    for (const name of new Set(path)) total.set(name, (total.get(name) ?? 0) + value);
  }
  return [...total].map(([name, sum]) => `${name} ${self.get(name) ?? 0}/${sum}`).sort();
}

test('functions: self and total equal their definition, recursion counted once', () => {
  fc.assert(
    fc.property(stacks, (rows) => {
      const text = rows.map(([path, value]) => `${path.join(';')} ${value}`).join('\n');
      const graph = parseGraphText(text);
      const table = tabulateFunctions(graph);
      const name = stringReader(graph.strings);
      const lines = Array.from(table.frame, (frame, row) => {
        const figures = `${table.self[row]}/${table.total[row]}`;
        return `${name(graph.frames.name[frame] as number)} ${figures}`;
      });
      expect(lines.sort()).toEqual(naiveFunctions(rows));
    }),
    { seed: 9, numRuns: 200 },
  );
});
