/** Weighted tree -> flame graph: preorder, left-out children folded into their parents. */

import { EverflameError } from '../errors.ts';
import { MAX_FLAME_DEPTH, MAX_FLAME_NODES, MAX_TREE_NODES } from '../limits.ts';
import { type ColumnSource, FRESH_COLUMNS } from './arena.ts';
import { type FlameGraph, type FlameMeta, NodeFlag } from './flame-graph.ts';
import type { FrameTable } from './frame-table.ts';
import { totalsOf, type WeightedTree } from './weighted-tree.ts';

interface NodeLimit {
  /** Of the constant. */
  name: string;
  nodes: number;
}

export const ANSWER_LIMIT: NodeLimit = { name: 'MAX_FLAME_NODES', nodes: MAX_FLAME_NODES };
/** For graphs of which only sums are answered. */
export const SUMMED_LIMIT: NodeLimit = { name: 'MAX_TREE_NODES', nodes: MAX_TREE_NODES };

export interface FlattenOptions {
  /** The tree's frame numbers are rows of this. */
  frames: FrameTable;
  /** Rows to keep, closed under parents; all where it is absent or null. */
  keep?: Uint8Array | null;
  multiplier: number;
  multiplierBase?: number;
  meta: FlameMeta;
  /** Of nodes; what an answer may hold, where it is absent. */
  limit?: NodeLimit;
  /** Where the graph's columns come from; its own by default. */
  columns?: ColumnSource;
}

/**
 * The kept rows in preorder; siblings come in no particular order. The weight of children left out,
 * and of nodes deeper than MAX_FLAME_DEPTH, stands in `folded` of the node above them.
 */
export function flattenTree(tree: WeightedTree, options: FlattenOptions): FlameGraph {
  const { columns = FRESH_COLUMNS } = options;
  const depths = columns.uint32(tree.count);
  const keep = keepShallow(tree, depths, options.keep ?? null);
  const size = columns.int32(tree.count).fill(0);
  const count = sumSizes(tree, keep, size);
  const { limit = ANSWER_LIMIT } = options;
  if (count > limit.nodes) {
    throw new EverflameError('too-large', `the flame graph has ${count} nodes`, {
      limit: `${limit.name} = ${limit.nodes}`,
      remedy: 'Narrow the selection, or give max_nodes or min_fraction.',
    });
  }
  const nodes = new NodeColumns(columns, count, tree.selfBase !== null);
  const place = columns.int32(tree.count);
  const used = placeNodes(tree, keep, { depths, size, place }, nodes, options.frames.count);
  moveValues(tree.selfBase, nodes.selfBase, place, keep);
  if (keep !== null) {
    foldLeftOut(tree, tree.self, keep, place, nodes.folded, nodes.flags);
    if (tree.selfBase !== null && nodes.foldedBase !== null) {
      foldLeftOut(tree, tree.selfBase, keep, place, nodes.foldedBase, nodes.flags);
    }
  }
  const { depth, frame, self, selfBase, flags, folded, foldedBase } = nodes;
  return {
    nodeCount: count,
    depth,
    frame,
    self,
    selfBase,
    flags,
    folded,
    foldedBase,
    ...options.frames.columnsOf(used),
    multiplier: options.multiplier,
    multiplierBase: options.multiplierBase ?? options.multiplier,
    meta: options.meta,
  };
}

class NodeColumns {
  readonly depth: Uint16Array;
  readonly frame: Uint32Array;
  readonly flags: Uint8Array;
  readonly self: Float64Array;
  readonly folded: Float64Array;
  readonly selfBase: Float64Array | null;
  readonly foldedBase: Float64Array | null;

  constructor(columns: ColumnSource, count: number, diff: boolean) {
    this.depth = columns.uint16(count);
    this.frame = columns.uint32(count);
    this.flags = columns.uint8(count);
    this.self = columns.float64(count);
    this.folded = columns.float64(count).fill(0);
    this.selfBase = diff ? columns.float64(count) : null;
    this.foldedBase = diff ? columns.float64(count).fill(0) : null;
  }
}

/** Sets the rows' depths. Returns the rows to keep, without those too deep; null keeps all. */
function keepShallow(
  { parent, count }: WeightedTree,
  depth: Uint32Array,
  keep: Uint8Array | null,
): Uint8Array | null {
  let deepest = 0;
  depth[0] = 0;
  for (let row = 1; row < count; row++) {
    const level = (depth[parent[row] as number] as number) + 1;
    depth[row] = level;
    if (level > deepest) deepest = level;
  }
  if (deepest <= MAX_FLAME_DEPTH) return keep;
  const kept = keep?.slice() ?? new Uint8Array(count).fill(1);
  for (let row = 0; row < count; row++) {
    if ((depth[row] as number) > MAX_FLAME_DEPTH) kept[row] = 0;
  }
  return kept;
}

/** Kept rows in each kept row's subtree; returns their number. `size` is of zeros. */
function sumSizes(
  { parent, count }: WeightedTree,
  keep: Uint8Array | null,
  size: Int32Array,
): number {
  for (let row = count - 1; row > 0; row--) {
    if (keep !== null && keep[row] === 0) continue;
    const below = (size[row] as number) + 1;
    size[row] = below;
    const up = parent[row] as number;
    size[up] = (size[up] as number) + below;
  }
  return (size[0] as number) + 1;
}

/**
 * Gives the kept rows their preorder positions, with a cursor per parent, and moves them there.
 * Returns the frames that they use, in the order in which the graph numbers them from 1.
 */
function placeNodes(
  tree: WeightedTree,
  keep: Uint8Array | null,
  { depths, size, place }: { depths: Uint32Array; size: Int32Array; place: Int32Array },
  nodes: NodeColumns,
  frames: number,
): Int32Array {
  // Locals, since stores to typed arrays make the engine load properties anew.
  const { parent, frame: frameOf, flags: flagsOf, self: selfOf, count } = tree;
  const { depth, frame, flags, self } = nodes;
  const local = new Int32Array(frames);
  const used = new Int32Array(Math.min(frames, count));
  let usedCount = 0;
  place[0] = 0;
  depth[0] = 0;
  frame[0] = 0;
  flags[0] = flagsOf[0] as number;
  self[0] = selfOf[0] as number;
  // A row's size is read once, before its children come; then its place holds their cursor.
  const next = size;
  next[0] = 1;
  for (let row = 1; row < count; row++) {
    if (keep !== null && keep[row] === 0) continue;
    const up = parent[row] as number;
    const at = next[up] as number;
    next[up] = at + (next[row] as number);
    next[row] = at + 1;
    place[row] = at;
    depth[at] = depths[row] as number;
    flags[at] = flagsOf[row] as number;
    self[at] = selfOf[row] as number;
    const frameRow = frameOf[row] as number;
    let number = local[frameRow] as number;
    if (number === 0) {
      used[usedCount] = frameRow;
      number = ++usedCount;
      local[frameRow] = number;
    }
    frame[at] = number;
  }
  return used.subarray(0, usedCount);
}

function moveValues(
  from: Float64Array | null,
  to: Float64Array | null,
  place: Int32Array,
  keep: Uint8Array | null,
): void {
  if (from === null || to === null) return;
  for (let row = 0; row < from.length; row++) {
    if (keep === null || keep[row] === 1) to[place[row] as number] = from[row] as number;
  }
}

function foldLeftOut(
  tree: WeightedTree,
  self: Float64Array,
  keep: Uint8Array,
  place: Int32Array,
  folded: Float64Array,
  flags: Uint8Array,
): void {
  const total = totalsOf(tree, self);
  for (let row = 1; row < tree.count; row++) {
    const up = tree.parent[row] as number;
    if (keep[row] === 1 || keep[up] === 0) continue;
    const node = place[up] as number;
    folded[node] = (folded[node] as number) + (total[row] as number);
    flags[node] = (flags[node] as number) | NodeFlag.truncated;
  }
}
