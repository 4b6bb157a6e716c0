/**
 * What the canvas needs of a flame graph: the columns as they arrived, what follows from them, and
 * where each node lies. Built in a worker; every column is a typed array, so it moves for free.
 */
import { deriveTree, type FlameGraph, type FlameTree } from '../../profile/flame/flame-graph.ts';
import { type FunctionTable, tabulateFunctions } from '../../profile/flame/functions.ts';
import { sortSiblings } from './sibling-order.ts';

export interface FlameView {
  graph: FlameGraph;
  tree: FlameTree;
  /** Side A of a diff. */
  treeBase: FlameTree | null;
  /** Width of a node; of a diff the mean of both sides' shares, else the total in counts. */
  width: Float64Array;
  /** Left edge of a node, in the unit of `width`. The root is at 0. */
  start: Float64Array;
  /** Nodes of depth d, left to right: `rowNodes[rowOffsets[d] .. rowOffsets[d + 1])`. */
  rowOffsets: Uint32Array;
  rowNodes: Uint32Array;
  /** Own value per frame, in counts; of a diff both sides added. */
  frameSelf: Float64Array;
  /** The functions of a diff; a plain graph's come from the server, exact. */
  functions: FunctionTable | null;
}

export function buildFlameView(answer: FlameGraph): FlameView {
  const graph = sortSiblings(answer);
  const tree = deriveTree(graph.depth, graph.self, graph.folded);
  const treeBase =
    graph.selfBase === null
      ? null
      : deriveTree(graph.depth, graph.selfBase, graph.foldedBase ?? graph.folded.map(() => 0));
  const width = treeBase === null ? tree.total : meanShares(tree.total, treeBase.total);
  return {
    graph,
    tree,
    treeBase,
    width,
    start: placeNodes(tree.parent, width),
    ...indexRows(graph.depth),
    frameSelf: sumFrames(graph),
    functions: treeBase === null ? null : tabulateFunctions(graph),
  };
}

function sumFrames({ frame, frames, self, selfBase }: FlameGraph): Float64Array {
  const sums = new Float64Array(frames.count);
  for (let node = 0; node < frame.length; node++) {
    const row = frame[node] as number;
    sums[row] = (sums[row] as number) + (self[node] as number) + (selfBase?.[node] ?? 0);
  }
  return sums;
}

/** The columns that move, not copy, when a view crosses from the worker. */
export function transferables(view: FlameView): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  const collect = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) {
      if (value.buffer instanceof ArrayBuffer) buffers.add(value.buffer);
    } else if (typeof value === 'object' && value !== null) {
      for (const part of Object.values(value)) collect(part);
    }
  };
  collect(view);
  return [...buffers];
}

function meanShares(total: Float64Array, totalBase: Float64Array): Float64Array {
  const whole = total[0] || 1;
  const wholeBase = totalBase[0] || 1;
  return total.map((value, i) => (value / whole + (totalBase[i] ?? 0) / wholeBase) / 2);
}

/** A child begins where its elder sibling ends; own weight is the empty rest on the right. */
function placeNodes(parent: Int32Array, width: Float64Array): Float64Array {
  const start = new Float64Array(width.length);
  const next = new Float64Array(width.length);
  for (let node = 1; node < width.length; node++) {
    const up = parent[node] as number;
    const at = next[up] as number;
    start[node] = at;
    next[node] = at;
    next[up] = at + (width[node] as number);
  }
  return start;
}

function indexRows(depth: Uint16Array): { rowOffsets: Uint32Array; rowNodes: Uint32Array } {
  let deepest = 0;
  for (const level of depth) if (level > deepest) deepest = level;
  const rowOffsets = new Uint32Array(deepest + 2);
  for (const level of depth) rowOffsets[level + 1] = (rowOffsets[level + 1] as number) + 1;
  for (let row = 1; row < rowOffsets.length; row++) {
    rowOffsets[row] = (rowOffsets[row] as number) + (rowOffsets[row - 1] as number);
  }
  const rowNodes = new Uint32Array(depth.length);
  const fill = rowOffsets.slice();
  for (let node = 0; node < depth.length; node++) {
    const row = depth[node] as number;
    const at = fill[row] as number;
    rowNodes[at] = node;
    fill[row] = at + 1;
  }
  return { rowOffsets, rowNodes };
}

/** Whether `node` is `ancestor` or lies below it. */
export function isWithin(tree: FlameTree, node: number, ancestor: number): boolean {
  return node >= ancestor && node < (tree.end[ancestor] ?? 0);
}

/** Weight of all stacks that contain a matching frame, each counted once. */
export function matchedWeight(view: FlameView, matches: Uint8Array, within = 0): number {
  const { frame } = view.graph;
  const { end, total } = view.tree;
  let sum = 0;
  for (let node = within; node < (end[within] ?? 0); ) {
    if (matches[frame[node] as number] === 1) {
      sum += total[node] as number;
      node = end[node] as number;
    } else node++;
  }
  return sum;
}

/** The widest node whose frame is one of those marked with 1; -1 where there is none. */
export function widestNode(view: FlameView, marked: Uint8Array): number {
  const { frame, nodeCount } = view.graph;
  let best = -1;
  for (let node = 0; node < nodeCount; node++) {
    if (marked[frame[node] as number] !== 1) continue;
    if (best < 0 || (view.width[node] as number) > (view.width[best] as number)) best = node;
  }
  return best;
}

/** Whether weight below the node was left out of the answer. */
export function hasFolded(view: FlameView, node: number): boolean {
  const { folded, foldedBase } = view.graph;
  for (let at = node; at < (view.tree.end[node] ?? 0); at++) {
    if ((folded[at] as number) > 0 || (foldedBase?.[at] ?? 0) > 0) return true;
  }
  return false;
}
