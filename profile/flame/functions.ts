/** Exact self and total per function of a flame graph; a recursive function counts once a stack. */

import { stringReader } from '../strings.ts';
import type { FlameGraph } from './flame-graph.ts';
import { deriveTree } from './flame-graph.ts';
import { FrameKind } from './frame.ts';
import { frameAt, functionIdentity } from './frame-table.ts';

/** One row per function: columns for the numbers, a representative frame for the rest. */
export interface FunctionTable {
  count: number;
  /** Row of `FlameGraph.frames` that stands for the function. */
  frame: Uint32Array;
  /** In counts; side B of a diff. */
  self: Float64Array;
  total: Float64Array;
  /** Side A; null in a plain graph. */
  selfBase: Float64Array | null;
  totalBase: Float64Array | null;
  /** Function row of each frame; -1 for the root, and for labels where they are no rows. */
  functionOf: Int32Array;
}

/**
 * Sums up the graph. Frames that differ only in file or line are one function. The table is exact
 * where nothing was left out of the graph; left-out weight is in no function's self. With labels,
 * the frames of label values are rows, too.
 */
export function tabulateFunctions(
  graph: FlameGraph,
  labels: 'labels' | 'no-labels' = 'no-labels',
): FunctionTable {
  const { functionOf, frame } = groupFrames(graph, labels === 'labels');
  const side = sumSide(graph, functionOf, frame.length, graph.self, graph.folded);
  const base =
    graph.selfBase === null || graph.foldedBase === null
      ? null
      : sumSide(graph, functionOf, frame.length, graph.selfBase, graph.foldedBase);
  return {
    count: frame.length,
    frame: Uint32Array.from(frame),
    self: side.self,
    total: side.total,
    selfBase: base?.self ?? null,
    totalBase: base?.total ?? null,
    functionOf,
  };
}

function groupFrames(
  graph: FlameGraph,
  withLabels: boolean,
): { functionOf: Int32Array; frame: number[] } {
  const { frames } = graph;
  const text = stringReader(graph.strings);
  const functionOf = new Int32Array(frames.count).fill(-1);
  const frame: number[] = [];
  const rows = new Map<string, number>();
  // Row 0 is the root's.
  for (let row = 1; row < frames.count; row++) {
    if (frames.kind[row] === FrameKind.label && !withLabels) continue;
    const key = functionIdentity(frameAt(frames, text, row));
    let known = rows.get(key);
    if (known === undefined) {
      known = frame.push(row) - 1;
      rows.set(key, known);
    }
    functionOf[row] = known;
  }
  return { functionOf, frame };
}

function sumSide(
  graph: FlameGraph,
  functionOf: Int32Array,
  count: number,
  selfValues: Float64Array,
  foldedValues: Float64Array,
): { self: Float64Array; total: Float64Array } {
  const { total: weight } = deriveTree(graph.depth, selfValues, foldedValues);
  const self = new Float64Array(count);
  const total = new Float64Array(count);
  // Times a function stands on the current path, and the path itself.
  const active = new Uint32Array(count);
  const path: number[] = [];
  for (let node = 0; node < graph.nodeCount; node++) {
    const depth = graph.depth[node] as number;
    while (path.length > depth) {
      const left = path.pop() as number;
      if (left >= 0) active[left] = (active[left] as number) - 1;
    }
    const row = functionOf[graph.frame[node] as number] as number;
    path.push(row);
    if (row < 0) continue;
    self[row] = (self[row] as number) + (selfValues[node] as number);
    if (active[row] === 0) total[row] = (total[row] as number) + (weight[node] as number);
    active[row] = (active[row] as number) + 1;
  }
  return { self, total };
}
