/**
 * The flame graph as columns: nodes in depth-first preorder, frames in a table, text in one blob.
 * A node is (parent, frame); node 0 is the root, at depth 0, and parents come before children.
 */

import type { StringColumns } from '../dictionary.ts';
import { assert } from '../errors.ts';
import type { Quality } from './quality.ts';

export const NodeFlag = {
  /** Children were left out; their weight is in `folded`. */
  truncated: 1,
  /** The function was inlined into its parent. */
  inlined: 2,
} as const;

/** One row per distinct frame. Text columns index `FlameGraph.strings`; row 0 of it is empty. */
export interface FrameColumns {
  count: number;
  name: Uint32Array;
  systemName: Uint32Array;
  /** Basename of the file the code is in, or `[kernel]`, `[jit]`, ... */
  binary: Uint32Array;
  buildId: Uint32Array;
  file: Uint32Array;
  /** 0 where the granularity merges several lines. */
  line: Uint32Array;
  /** Low and high halves interleaved; 0 where the frame has a name. */
  address: Uint32Array;
  /** FrameKind. */
  kind: Uint8Array;
  /** Why the frame has no name; the empty string where it has one. */
  reason: Uint32Array;
}

export interface FlameMeta {
  type: string;
  unit: string;
  fromMs: number;
  toMs: number;
  /** In units (not counts), before and after filters. */
  totalBeforeFilters: number;
  totalAfterFilters: number;
  quality: Quality;
  /** The other side of a diff, where there is one. */
  base?: BaseMeta;
}

/** Side A of a diff. */
export interface BaseMeta {
  type: string;
  fromMs: number;
  toMs: number;
  /** After filters. */
  total: number;
  /** Only where there were filters. */
  totalBeforeFilters?: number;
  quality: Quality;
}

export interface FlameGraph {
  nodeCount: number;
  depth: Uint16Array;
  /** Row of `frames`. */
  frame: Uint32Array;
  /** Own value in counts; times `multiplier` it is in the profile's unit. */
  self: Float64Array;
  /** Own value on side A of a diff; null in a plain graph. */
  selfBase: Float64Array | null;
  /** NodeFlag bits. */
  flags: Uint8Array;
  /** Weight of this node's left-out children, in counts; part of its total, not of its self. */
  folded: Float64Array;
  foldedBase: Float64Array | null;
  frames: FrameColumns;
  strings: StringColumns;
  multiplier: number;
  /** The same on side A of a diff; equal to `multiplier` in a plain graph. */
  multiplierBase: number;
  meta: FlameMeta;
}

/** What follows from depth, self and folded in one pass; not sent, because deriving is cheaper. */
export interface FlameTree {
  parent: Int32Array;
  /** One past the last node of the subtree. */
  end: Uint32Array;
  total: Float64Array;
}

/** Derives the tree of one side. Throws where depth is not a preorder. O(nodes). */
export function deriveTree(
  depth: Uint16Array,
  self: Float64Array,
  folded: Float64Array,
): FlameTree {
  const count = depth.length;
  const parent = new Int32Array(count);
  const end = new Uint32Array(count);
  const total = new Float64Array(count);
  const path: number[] = [];
  for (let node = 0; node < count; node++) {
    const level = depth[node] as number;
    assert(level <= path.length && level > 0 === node > 0, `node ${node} has no parent`);
    path.length = level + 1;
    path[level] = node;
    parent[node] = level === 0 ? -1 : (path[level - 1] as number);
    total[node] = (self[node] as number) + (folded[node] as number);
  }
  end.fill(0);
  for (let node = count - 1; node >= 0; node--) {
    if ((end[node] as number) === 0) end[node] = node + 1;
    const up = parent[node] as number;
    if (up >= 0) {
      total[up] = (total[up] as number) + (total[node] as number);
      if ((end[node] as number) > (end[up] as number)) end[up] = end[node] as number;
    }
  }
  return { parent, end, total };
}
