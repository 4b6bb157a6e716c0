/**
 * Flame graphs as text, for tests and for people: folded lines in, an indented tree out.
 *
 *   main;read@libc.so 2      ->   total 0/3
 *   main 1                          main 1/3
 *                                     read@libc.so 2/2
 */

import { assert } from './errors.ts';
import { CallTree } from './flame/call-tree.ts';
import { deriveTree, type FlameGraph, type FlameMeta, NodeFlag } from './flame/flame-graph.ts';
import { flattenTree } from './flame/flatten.ts';
import { parseFolded } from './flame/folded.ts';
import { FrameKind } from './flame/frame.ts';
import { type Frame, FrameTable, namedFrame } from './flame/frame-table.ts';
import { emptySeriesQuality } from './flame/quality.ts';
import { gatherTree, type LeafWeights } from './flame/weighted-tree.ts';
import { stringReader } from './strings.ts';

/** Facts of a graph about which a text says nothing. */
export function textMeta(total: number, baseTotal?: number): FlameMeta {
  const side = { type: 'text:samples:count::', fromMs: 0, toMs: 1000 };
  const quality = { series: emptySeriesQuality(), hosts: null };
  const meta: FlameMeta = {
    ...side,
    unit: 'count',
    totalBeforeFilters: total,
    totalAfterFilters: total,
    quality,
  };
  if (baseTotal !== undefined) meta.base = { ...side, total: baseTotal, quality };
  return meta;
}

/**
 * A graph of folded lines; with `baseText`, a diff whose side A is that text. A frame is written
 * `name`, `name@binary`, or with a kind other than native `name@binary{kernel}`.
 */
export function parseGraphText(text: string, baseText?: string): FlameGraph {
  const tree = new CallTree();
  const frames = new FrameTable();
  const side = readSide(text, tree, frames);
  const base = baseText === undefined ? null : readSide(baseText, tree, frames);
  const sum = (weights: LeafWeights): number => weights.value.reduce((a, b) => a + b, 0);
  const meta = base === null ? textMeta(sum(side)) : textMeta(sum(side), sum(base));
  return flattenTree(gatherTree(tree, side, base), { frames, multiplier: 1, meta });
}

function readSide(text: string, tree: CallTree, frames: FrameTable): LeafWeights {
  const lines = parseFolded(text);
  const node = new Int32Array(lines.length);
  const value = new Float64Array(lines.length);
  lines.forEach((line, index) => {
    let at = 0;
    for (const part of line.stack) at = tree.child(at, frames.intern(parseFrame(part)));
    node[index] = at;
    value[index] = line.value;
  });
  return { node, value };
}

function parseFrame(text: string): Frame {
  const match = /^(.*?)(?:@([^{}]*))?(?:\{(\w+)\})?$/.exec(text);
  const [, name = text, binary = '', kindName = 'native'] = match ?? [];
  const kind = FrameKind[kindName as keyof typeof FrameKind];
  assert(kind !== undefined, `${kindName} is a frame kind`);
  return { ...namedFrame(name, kind), binary };
}

/**
 * The tree with `self/total` per node, in counts; siblings sorted by name. Side A of a diff stands
 * before an arrow; left-out weight follows in brackets, an inlined function has a `~`.
 */
export function formatGraphText(graph: FlameGraph): string {
  const text = stringReader(graph.strings);
  const tree = deriveTree(graph.depth, graph.self, graph.folded);
  const base =
    graph.selfBase === null || graph.foldedBase === null
      ? null
      : deriveTree(graph.depth, graph.selfBase, graph.foldedBase);
  const label = (node: number): string => {
    const row = graph.frame[node] as number;
    const binary = text(graph.frames.binary[row] as number);
    const mark = (graph.flags[node] as number) & NodeFlag.inlined ? '~' : '';
    return `${mark}${text(graph.frames.name[row] as number)}${binary === '' ? '' : `@${binary}`}`;
  };
  const figures = (node: number): string => {
    const now = `${graph.self[node]}/${tree.total[node]}`;
    const then = base === null ? '' : `${graph.selfBase?.[node]}/${base.total[node]} -> `;
    const folded = (graph.flags[node] as number) & NodeFlag.truncated;
    return `${then}${now}${folded ? ` [${graph.folded[node]} left out]` : ''}`;
  };
  const lines: string[] = [];
  const pending = [0];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    lines.push(`${'  '.repeat(graph.depth[node] as number)}${label(node)} ${figures(node)}`);
    const children: number[] = [];
    for (let at = node + 1; at < (tree.end[node] as number); at = tree.end[at] as number) {
      children.push(at);
    }
    children.sort((a, b) => (label(a) < label(b) ? 1 : -1));
    pending.push(...children);
  }
  return `${lines.join('\n')}\n`;
}
