/** Formats that other programs read. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseGraphText } from '../text.ts';
import { formatDot } from './dot.ts';
import type { FlameGraph } from './flame-graph.ts';
import { formatSpeedscope } from './speedscope.ts';
import { formatSvg } from './svg.ts';

/** A graph of one stack whose names are whatever they are; one in a text has no `;`. */
function chain(names: readonly string[]): FlameGraph {
  const graph = parseGraphText(`${names.map((_, at) => `f${at}`).join(';')} 3`);
  const encoder = new TextEncoder();
  const texts = ['', 'total', ...names].map((text) => encoder.encode(text));
  const offsets = new Uint32Array(texts.length + 1);
  for (const [at, text] of texts.entries()) offsets[at + 1] = (offsets[at] ?? 0) + text.length;
  const bytes = Uint8Array.from(texts.flatMap((text) => [...text]));
  const name = Uint32Array.from({ length: graph.frames.count }, (_, row) => row + 1);
  const frames = { ...graph.frames, name, systemName: name };
  return { ...graph, frames, strings: { count: texts.length, offsets, bytes } };
}

const hostile = fc.array(
  fc.oneof(
    fc.constantFrom('<b>', '</title><script>', '"; x=1', '\\N', '\\"', ']]>', '&lt;', 'a\nb', '\0'),
    fc.string({ unit: 'grapheme' }),
  ),
  { minLength: 1, maxLength: 4 },
);

describe('speedscope', () => {
  interface File {
    shared: { frames: { name: string; file?: string; line?: number }[] };
    profiles: { unit: string; samples: number[][]; weights: number[]; endValue: number }[];
  }
  const read = (graph: FlameGraph): File => JSON.parse(formatSpeedscope(graph)) as File;

  test('samples are stacks, root first, with their own weight', () => {
    const { shared, profiles } = read(parseGraphText('main;a 2\nmain;a;b 1\nmain 4'));
    expect(shared.frames.map(({ name }) => name)).toEqual(['main', 'a', 'b', '[truncated]']);
    expect(profiles).toEqual([
      {
        type: 'sampled',
        name: 'text:samples:count::',
        unit: 'none',
        samples: [[0], [0, 1], [0, 1, 2]],
        weights: [4, 2, 1],
        startValue: 0,
        endValue: 7,
      },
    ]);
  });

  test('weight left out stands below a frame of its own, scaled as all else', () => {
    const graph = parseGraphText('main 4');
    graph.folded[1] = 2;
    graph.folded[0] = 1;
    const [profile] = read({ ...graph, multiplier: 10 }).profiles;
    expect(profile?.samples).toEqual([[1], [0], [0, 1]]);
    expect(profile?.weights).toEqual([10, 40, 20]);
    expect(profile?.endValue).toBe(70);
  });

  test('names come back whatever they are', () => {
    fc.assert(
      fc.property(hostile, (names) => {
        const { shared } = read(chain(names));
        expect(shared.frames.map(({ name }) => name)).toEqual([...names, '[truncated]']);
      }),
      { seed: 3 },
    );
  });
});

describe('svg', () => {
  const texts = (svg: string) => [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map((m) => m[1]);
  const titles = (svg: string) => [...svg.matchAll(/<g [^>]*><title>([^<]*)/g)].map((m) => m[1]);

  test('a box for each node, with its name and figures', () => {
    const svg = formatSvg(parseGraphText('main@app;read@libc.so 3\nmain@app 1'));
    expect(titles(svg)).toEqual([
      'total: 4, 100.0 %; own 0',
      'main (app): 4, 100.0 %; own 1',
      'read (libc.so): 3, 75.0 %; own 3',
    ]);
    expect(texts(svg).slice(2)).toEqual([
      'Total 4; 0 (0.00 %) in frames that are not drawn.',
      'total',
      'main',
      'read',
    ]);
  });

  test('what is too narrow or left out is stated', () => {
    const graph = parseGraphText('wide 99990\nnarrow 10');
    graph.folded[0] = 100_000;
    expect(texts(formatSvg(graph))[2]).toBe(
      'Total 200 k; 100 k (50.0 %) in frames that are not drawn.',
    );
  });

  test('a name is cut so that its function stays', () => {
    const name = 'github.com/acme/shop/internal/checkout.(*Cart).Total';
    const graph = parseGraphText(`${name} 1\nrest 9`);
    expect(texts(formatSvg(graph))).toContain('…(*Cart).Total');
  });

  test('no name becomes markup', () => {
    fc.assert(
      fc.property(hostile, (names) => {
        const svg = formatSvg(chain(names));
        expect(svg.match(/<[a-z!?/]+/g)?.every((tag) => TAGS.has(tag))).toBe(true);
        expect(svg).not.toMatch(/&(?!amp;|lt;|gt;|quot;|#39;)/);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: XML forbids them.
        expect(svg).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
      }),
      { seed: 4 },
    );
  });
});

const TAGS = new Set(
  ['svg', 'title', 'desc', 'rect', 'text', 'g'].flatMap((tag) => [`<${tag}`, `</${tag}`]),
);

describe('dot', () => {
  const lines = (dot: string) => dot.split('\n').filter((line) => /^ {2}n\d/.test(line));

  test('a call that recursion repeats counts once', () => {
    const dot = formatDot(parseGraphText('a;b;a;b 2\na 1'), 10);
    expect(lines(dot)).toEqual([
      '  n0 [label="a\\nown 1 (33.3 %)\\ntotal 3 (100.0 %)", tooltip="a", fontsize="20.4"];',
      '  n1 [label="b\\nown 2 (66.7 %)\\ntotal 2 (66.7 %)", tooltip="b", fontsize="24.7"];',
      '  n0 -> n1 [label="2", penwidth="3.67"];',
      '  n1 -> n0 [label="2", penwidth="3.67"];',
    ]);
  });

  test('calls through functions that are not shown are dashed, and what is hidden is stated', () => {
    const dot = formatDot(parseGraphText('a;b;c 5\na;x;b 1\na;c 9'), 2);
    expect(lines(dot).slice(2)).toEqual(['  n0 -> n2 [label="14", penwidth="4.73"];']);
    expect(dot).toContain('total 15, 2 of 4 functions\\n1 (6.67 %) are own weight of functions');
    expect(formatDot(parseGraphText('a;b;c 5\nz 6'), 2)).not.toContain('dashed');
    expect(formatDot(parseGraphText('a;b;c 5\na 6\na;q;c 1\nb 1'), 2)).toContain('dashed');
  });

  test('no name ends its quotes', () => {
    fc.assert(
      fc.property(hostile, (names) => {
        const dot = formatDot(chain(names), 10);
        for (const line of dot.split('\n').slice(1, -2)) {
          expect(line).toMatch(/^ {2}\w+( -> \w+)? \[(\w+="([^"\\]|\\[\\"n])*"(, )?)+\];$/);
        }
      }),
      { seed: 5 },
    );
  });
});
