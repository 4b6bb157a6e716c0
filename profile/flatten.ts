/** Weighted tree -> flame graph: preorder, left-out children folded into their parents. */
import { type ColumnSource, FRESH_COLUMNS } from './arena.ts';
import { EverflameError } from './errors.ts';
import { type FlameGraph, type FlameMeta, NodeFlag } from './flame-graph.ts';
import { type Frame, frameColumns, ROOT_FRAME } from './frame-table.ts';
import { MAX_FLAME_DEPTH, MAX_FLAME_NODES } from './limits.ts';
import { totalsOf, type WeightedTree } from './weighted-tree.ts';

export interface FlattenOptions {
  /** The tree's frame numbers are rows of this. */
  frames: readonly Frame[];
  /** Rows to keep, closed under parents; all where it is absent or null. */
  keep?: Uint8Array | null;
  multiplier: number;
  multiplierBase?: number;
  meta: FlameMeta;
  /** Where the graph's columns come from; its own by default. */
  columns?: ColumnSource;
}

/**
 * The kept rows in preorder; siblings come in no particular order. The weight of children left out,
 * and of nodes deeper than MAX_FLAME_DEPTH, stands in `folded` of the node above them.
 */
export function flattenTree(tree: WeightedTree, options: FlattenOptions): FlameGraph {
  const { columns = FRESH_COLUMNS } = options;
  const depths = depthsOf(tree, columns.uint32(tree.count));
  const keep = keepShallow(depths, options.keep ?? null);
  const place = columns.int32(tree.count);
  const count = setPlaces(tree, keep, place, columns.int32(tree.count));
  if (count > MAX_FLAME_NODES) {
    throw new EverflameError('too-large', `the flame graph has ${count} nodes`, {
      limit: `MAX_FLAME_NODES = ${MAX_FLAME_NODES}`,
      remedy: 'Narrow the selection, or give max_nodes or min_fraction.',
    });
  }
  const nodes = new NodeColumns(columns, count, tree.selfBase !== null);
  const used = new FrameRows(options.frames.length);
  placeNodes(tree, depths, keep, place, nodes, used);
  moveValues(tree.self, nodes.self, place, keep);
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
    ...frameColumns([...used.pick(options.frames)]),
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
    this.folded = columns.float64(count);
    this.selfBase = diff ? columns.float64(count) : null;
    this.foldedBase = diff ? columns.float64(count) : null;
  }
}

/** Rows to keep, without those that are too deep; null keeps all. */
function keepShallow(depths: Uint32Array, keep: Uint8Array | null): Uint8Array | null {
  let kept: Uint8Array | null = null;
  for (let row = 0; row < depths.length; row++) {
    if ((depths[row] as number) <= MAX_FLAME_DEPTH) continue;
    kept ??= keep?.slice() ?? new Uint8Array(depths.length).fill(1);
    kept[row] = 0;
  }
  return kept ?? keep;
}

/** Locals, since stores to typed arrays make the engine load properties anew. */
function placeNodes(
  tree: WeightedTree,
  depths: Uint32Array,
  keep: Uint8Array | null,
  place: Int32Array,
  nodes: NodeColumns,
  used: FrameRows,
): void {
  const { depth, flags, frame } = nodes;
  const { flags: flagsOf, frame: frameOf, count } = tree;
  for (let row = 1; row < count; row++) {
    if (keep !== null && keep[row] === 0) continue;
    const node = place[row] as number;
    depth[node] = depths[row] as number;
    flags[node] = flagsOf[row] as number;
    frame[node] = used.localRow(frameOf[row] as number);
  }
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

/** Numbers the frames that an answer uses, in the order they come; 0 is the root's. */
class FrameRows {
  readonly #local: Int32Array;
  readonly #rows: number[] = [];

  constructor(frames: number) {
    this.#local = new Int32Array(frames);
  }

  localRow(frame: number): number {
    let local = this.#local[frame] as number;
    if (local === 0) {
      local = this.#rows.push(frame);
      this.#local[frame] = local;
    }
    return local;
  }

  *pick(frames: readonly Frame[]): Iterable<Frame> {
    yield ROOT_FRAME;
    for (const row of this.#rows) yield frames[row] as Frame;
  }
}

function depthsOf(tree: WeightedTree, depths: Uint32Array): Uint32Array {
  for (let row = 1; row < tree.count; row++) {
    depths[row] = (depths[tree.parent[row] as number] as number) + 1;
  }
  return depths;
}

/**
 * Preorder positions of the kept rows: sizes backwards, then a cursor per parent forwards. Returns
 * the number of nodes. `size` is working memory, of zeros.
 */
function setPlaces(
  { parent, count }: WeightedTree,
  keep: Uint8Array | null,
  place: Int32Array,
  size: Int32Array,
): number {
  for (let row = count - 1; row >= 0; row--) {
    if (keep !== null && keep[row] === 0) continue;
    const below = (size[row] as number) + 1;
    size[row] = below;
    if (row > 0) {
      const up = parent[row] as number;
      size[up] = (size[up] as number) + below;
    }
  }
  const nodes = size[0] as number;
  // A row's size is read once, before its children come; then its place holds their cursor.
  const next = size;
  next[0] = 1;
  for (let row = 1; row < count; row++) {
    if (keep !== null && keep[row] === 0) continue;
    const up = parent[row] as number;
    const at = next[up] as number;
    place[row] = at;
    next[up] = at + (size[row] as number);
    next[row] = at + 1;
  }
  return nodes;
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
