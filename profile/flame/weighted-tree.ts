/**
 * The part of a call tree that an answer touches, with its weights. Rows are self-contained: row 0
 * is the root and a parent's row is lower than its children's, so sums are one loop either way.
 */

import { assert } from '../errors.ts';
import { type ColumnSource, FRESH_COLUMNS } from './arena.ts';
import { type CallTree, NO_FRAME } from './call-tree.ts';

export interface WeightedTree {
  count: number;
  /** Row of the parent; -1 for the root. */
  parent: Int32Array;
  /** The call tree's frame numbers. */
  frame: Int32Array;
  /** NodeFlag bits. */
  flags: Uint8Array;
  self: Float64Array;
  /** Side A of a diff. */
  selfBase: Float64Array | null;
}

/** Weights on nodes of a call tree; a node may come more than once. */
export interface LeafWeights {
  node: Int32Array;
  value: Float64Array;
}

/** Rows for every node with weight and all its ancestors. O(nodes touched + tree / 32). */
export function gatherTree(
  tree: CallTree,
  weights: LeafWeights,
  base: LeafWeights | null = null,
  columns: ColumnSource = FRESH_COLUMNS,
): WeightedTree {
  const marks = new Marks(tree, columns);
  marks.addPaths(weights.node);
  if (base !== null) marks.addPaths(base.node);
  const count = marks.size;
  const parent = columns.int32(count);
  const frame = columns.int32(count);
  const flags = columns.uint8(count);
  marks.fillRows(parent, frame, flags);
  const self = marks.sumByRow(weights, columns.float64(count).fill(0));
  const selfBase = base === null ? null : marks.sumByRow(base, columns.float64(count).fill(0));
  return { count, parent, frame, flags, self, selfBase };
}

/** A set of nodes as a bitmap, closed under parents; rows number its members in ascending order. */
class Marks {
  /** The root is always in it. */
  size = 1;
  readonly #tree: CallTree;
  readonly #bits: Int32Array;
  /** Members in the words before each word; filled by `fillRows`. */
  readonly #before: Int32Array;

  constructor(tree: CallTree, columns: ColumnSource) {
    this.#tree = tree;
    this.#bits = columns.int32((tree.count >>> 5) + 1).fill(0);
    this.#before = columns.int32(this.#bits.length);
    this.#bits[0] = 1;
  }

  addPaths(nodes: Int32Array): void {
    const bits = this.#bits;
    const { parent } = this.#tree;
    let added = 0;
    for (let i = 0; i < nodes.length; i++) {
      let node = nodes[i] as number;
      for (;;) {
        const word = bits[node >>> 5] as number;
        const bit = 1 << (node & 31);
        if ((word & bit) !== 0) break;
        bits[node >>> 5] = word | bit;
        added++;
        node = parent[node] as number;
      }
    }
    this.size += added;
  }

  /** The members' columns. Parents come first, so that their rows are known when needed. */
  fillRows(parent: Int32Array, frame: Int32Array, flags: Uint8Array): void {
    const bits = this.#bits;
    const before = this.#before;
    const tree = this.#tree;
    const { parent: parentOf, frame: frameOf } = tree;
    parent[0] = -1;
    frame[0] = NO_FRAME;
    flags[0] = 0;
    let row = 1;
    before[0] = 0;
    for (let word = 0; word < bits.length; word++) {
      let rest = bits[word] as number;
      if (word === 0) rest &= ~1;
      else before[word] = row;
      for (; rest !== 0; rest &= rest - 1) {
        const node = word * 32 + 31 - Math.clz32(rest & -rest);
        const up = parentOf[node] as number;
        const below = (bits[up >>> 5] as number) & ((1 << (up & 31)) - 1);
        parent[row] = (before[up >>> 5] as number) + bitCount(below);
        frame[row] = frameOf[node] as number;
        flags[row] = tree.flags(node);
        row++;
      }
    }
  }

  sumByRow({ node: nodes, value }: LeafWeights, sums: Float64Array): Float64Array {
    const bits = this.#bits;
    const before = this.#before;
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i] as number;
      const below = (bits[node >>> 5] as number) & ((1 << (node & 31)) - 1);
      const row = (before[node >>> 5] as number) + bitCount(below);
      sums[row] = (sums[row] as number) + (value[i] as number);
    }
    return sums;
  }
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Own values and all below them, per row. */
export function totalsOf(tree: WeightedTree, self: Float64Array = tree.self): Float64Array {
  const total = self.slice();
  for (let row = tree.count - 1; row > 0; row--) {
    const up = tree.parent[row] as number;
    total[up] = (total[up] as number) + (total[row] as number);
  }
  return total;
}

/** A tree to hang under frames, outermost first, that stand between it and the common root. */
export interface Branch {
  path: readonly number[];
  tree: WeightedTree;
}

/** One tree of several, each under its own path; paths that begin alike share their nodes. */
export function joinTrees(branches: readonly Branch[]): WeightedTree {
  let capacity = 1;
  for (const { path, tree } of branches) capacity += path.length + tree.count;
  const diff = branches.some(({ tree }) => tree.selfBase !== null);
  const joined: WeightedTree = {
    count: 1,
    parent: new Int32Array(capacity),
    frame: new Int32Array(capacity),
    flags: new Uint8Array(capacity),
    self: new Float64Array(capacity),
    selfBase: diff ? new Float64Array(capacity) : null,
  };
  joined.parent[0] = -1;
  joined.frame[0] = NO_FRAME;
  const rowsByPath = new Map<string, number>();
  for (const { path, tree } of branches) {
    let top = 0;
    for (let level = 0; level < path.length; level++) {
      const key = path.slice(0, level + 1).join();
      let row = rowsByPath.get(key);
      if (row === undefined) {
        row = joined.count++;
        joined.parent[row] = top;
        joined.frame[row] = path[level] as number;
        rowsByPath.set(key, row);
      }
      top = row;
    }
    hang(joined, top, tree);
  }
  const { count } = joined;
  return {
    count,
    parent: joined.parent.subarray(0, count),
    frame: joined.frame.subarray(0, count),
    flags: joined.flags.subarray(0, count),
    self: joined.self.subarray(0, count),
    selfBase: joined.selfBase?.subarray(0, count) ?? null,
  };
}

/** Appends the tree; its root's weight goes to `top`, whose place it takes. */
function hang(joined: WeightedTree, top: number, tree: WeightedTree): void {
  const first = joined.count - 1; // Row 1 of the tree becomes row `count`.
  const add = (to: Float64Array | null, from: Float64Array | null): void => {
    if (to === null || from === null) return;
    to[top] = (to[top] as number) + (from[0] as number);
    to.set(from.subarray(1, tree.count), first + 1);
  };
  add(joined.self, tree.self);
  add(joined.selfBase, tree.selfBase);
  joined.frame.set(tree.frame.subarray(1, tree.count), first + 1);
  joined.flags.set(tree.flags.subarray(1, tree.count), first + 1);
  for (let row = 1; row < tree.count; row++) {
    const up = tree.parent[row] as number;
    joined.parent[first + row] = up === 0 ? top : first + up;
  }
  joined.count += tree.count - 1;
  assert(joined.count <= joined.parent.length, 'joined trees fit what was allocated for them');
}
