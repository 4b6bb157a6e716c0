/**
 * Two sides of a comparison: one graph that holds both, and what changed beyond noise. Side A is
 * the base (`selfBase`), side B the graph's own values.
 */

import { stringReader } from '../strings.ts';
import { CallTree } from './call-tree.ts';
import type { FlameGraph } from './flame-graph.ts';
import { NodeFlag } from './flame-graph.ts';
import { flattenTree } from './flatten.ts';
import { FrameTable, frameAt } from './frame-table.ts';
import { type FunctionTable, tabulateFunctions } from './functions.ts';
import { gatherTree, type LeafWeights } from './weighted-tree.ts';

/** share: part of each side's total; absolute: the unit; rate: the unit per second of range. */
export type DiffMode = 'share' | 'absolute' | 'rate';

export interface DiffSide {
  /** In counts. */
  total: number;
  multiplier: number;
  seconds: number;
  /** Sampled events behind the total; null where they are not known, then no noise is either. */
  samples: number | null;
}

export interface DiffSides {
  a: DiffSide;
  b: DiffSide;
}

/** `same` is: no more than noise. */
export type ChangeKind = 'grew' | 'shrank' | 'new' | 'gone' | 'same';

/** One weight on both sides, in the mode's measure. */
export interface Change {
  a: number;
  b: number;
  /** b - a. */
  delta: number;
  /** Half of the 95 % interval of `delta` that sample counts alone explain; null if unknown. */
  interval: number | null;
  /** delta / a; null where a is 0. */
  relative: number | null;
  kind: ChangeKind;
}

export interface FunctionChange {
  /** Row of `FlameGraph.frames`. */
  frame: number;
  self: Change;
  total: Change;
}

/** A change must be this many standard errors, and this part of the whole. */
const NOISE_ERRORS = 3;
const NOISE_SHARE = 2e-4;
const NORMAL_95 = 1.96;

/** What the graph's description and values say about its two sides. */
export function sidesOf(graph: FlameGraph): DiffSides {
  const { meta } = graph;
  const base = meta.base ?? { ...meta, total: meta.totalAfterFilters };
  const totalBase = sum(graph.selfBase ?? graph.self) + sum(graph.foldedBase ?? graph.folded);
  return {
    a: {
      total: totalBase,
      multiplier: graph.multiplierBase,
      seconds: (base.toMs - base.fromMs) / 1000,
      samples: base.quality.series.samples,
    },
    b: {
      total: sum(graph.self) + sum(graph.folded),
      multiplier: graph.multiplier,
      seconds: (meta.toMs - meta.fromMs) / 1000,
      samples: meta.quality.series.samples,
    },
  };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** What a count of the side is multiplied by to be in the mode's measure; 0 for an empty side. */
export function scaleOf(side: DiffSide, mode: DiffMode): number {
  // Counts of events without a period weigh nothing, so that they are no part of anything.
  if (mode === 'share') return side.total > 0 && side.multiplier > 0 ? 1 / side.total : 0;
  if (mode === 'absolute') return side.multiplier;
  return side.seconds > 0 ? side.multiplier / side.seconds : 0;
}

/** Compares one weight, given in counts of each side. */
export function compareWeights(a: number, b: number, sides: DiffSides, mode: DiffMode): Change {
  const scaleA = scaleOf(sides.a, mode);
  const scaleB = scaleOf(sides.b, mode);
  const delta = b * scaleB - a * scaleA;
  const varianceA = varianceOf(a, sides.a, mode);
  const varianceB = varianceOf(b, sides.b, mode);
  const error =
    varianceA === null || varianceB === null
      ? null
      : Math.sqrt(varianceA * scaleA * scaleA + varianceB * scaleB * scaleB);
  const whole = Math.max(sides.a.total * scaleA, sides.b.total * scaleB);
  const size = Math.abs(delta);
  const real = size > NOISE_SHARE * whole && size > NOISE_ERRORS * (error ?? 0);
  return {
    a: a * scaleA,
    b: b * scaleB,
    delta,
    interval: error === null ? null : NORMAL_95 * error,
    relative: a > 0 && scaleA > 0 ? delta / (a * scaleA) : null,
    kind: real ? kindOf(a, b, delta) : 'same',
  };
}

function kindOf(a: number, b: number, delta: number): ChangeKind {
  if (a === 0) return 'new';
  if (b === 0) return 'gone';
  return delta > 0 ? 'grew' : 'shrank';
}

/**
 * Variance of a weight, in counts squared. A side of N samples with total T: the weight T p rests
 * on N p samples. As a share it is binomial: T^2 p (1 - p) / N. On its own it is Poisson:
 * T^2 p / N.
 */
function varianceOf(weight: number, side: DiffSide, mode: DiffMode): number | null {
  if (weight === 0 || side.total === 0) return 0;
  if (side.samples === null || side.samples <= 0) return null;
  const share = weight / side.total;
  const spread = mode === 'share' ? share * (1 - share) : share;
  return (side.total * side.total * spread) / side.samples;
}

/** Every function of a diff graph with both measures, by the size of the change of self. */
export function compareFunctions(
  graph: FlameGraph,
  mode: DiffMode,
  table: FunctionTable = tabulateFunctions(graph),
): FunctionChange[] {
  const sides = sidesOf(graph);
  const selfBase = table.selfBase ?? table.self;
  const totalBase = table.totalBase ?? table.total;
  const rows: FunctionChange[] = [];
  for (let row = 0; row < table.count; row++) {
    const [a, b] = [selfBase[row] as number, table.self[row] as number];
    const [totalA, totalB] = [totalBase[row] as number, table.total[row] as number];
    rows.push({
      frame: table.frame[row] as number,
      self: compareWeights(a, b, sides, mode),
      total: compareWeights(totalA, totalB, sides, mode),
    });
  }
  return rows.sort((x, y) => Math.abs(y.self.delta) - Math.abs(x.self.delta));
}

/**
 * One graph of two: nodes are matched by path, frames by function. Where a side left children out,
 * what it lacks looks gone or new, so both should be whole.
 */
export function combineGraphs(base: FlameGraph, graph: FlameGraph): FlameGraph {
  const tree = new CallTree();
  const frames = new FrameTable();
  const sideA = plant(base, tree, frames);
  const sideB = plant(graph, tree, frames);
  const combined = flattenTree(gatherTree(tree, sideB, sideA), {
    frames,
    multiplier: graph.multiplier,
    multiplierBase: base.multiplier,
    meta: {
      ...graph.meta,
      base: {
        type: base.meta.type,
        fromMs: base.meta.fromMs,
        toMs: base.meta.toMs,
        total: base.meta.totalAfterFilters,
        quality: base.meta.quality,
      },
    },
  });
  carryFolded(combined, tree, frames, base, sideA, graph, sideB);
  return combined;
}

/** Adds the graph's nodes to the tree; every node is listed, those without weight too. */
function plant(graph: FlameGraph, tree: CallTree, frames: FrameTable): LeafWeights {
  const rows = frameRows(graph, frames);
  const node = new Int32Array(graph.nodeCount);
  const path: number[] = [0];
  for (let at = 1; at < graph.nodeCount; at++) {
    const depth = graph.depth[at] as number;
    const inlined = ((graph.flags[at] as number) & NodeFlag.inlined) !== 0;
    const frame = rows[graph.frame[at] as number] as number;
    node[at] = tree.child(path[depth - 1] as number, frame, inlined);
    path[depth] = node[at] as number;
  }
  return { node, value: graph.self };
}

function frameRows(graph: FlameGraph, frames: FrameTable): Int32Array {
  const text = stringReader(graph.strings);
  const rows = new Int32Array(graph.frames.count);
  for (let row = 0; row < rows.length; row++) {
    rows[row] = frames.intern(frameAt(graph.frames, text, row));
  }
  return rows;
}

function carryFolded(
  combined: FlameGraph,
  tree: CallTree,
  frames: FrameTable,
  base: FlameGraph,
  sideA: LeafWeights,
  graph: FlameGraph,
  sideB: LeafWeights,
): void {
  const foldedA = new Float64Array(tree.count);
  const foldedB = new Float64Array(tree.count);
  sideA.node.forEach((node, at) => {
    foldedA[node] = base.folded[at] as number;
  });
  sideB.node.forEach((node, at) => {
    foldedB[node] = graph.folded[at] as number;
  });
  const { node } = plant(combined, tree, frames);
  for (let at = 0; at < combined.nodeCount; at++) {
    const b = foldedB[node[at] as number] as number;
    const a = foldedA[node[at] as number] as number;
    combined.folded[at] = b;
    if (combined.foldedBase !== null) combined.foldedBase[at] = a;
    if (a > 0 || b > 0) combined.flags[at] = (combined.flags[at] as number) | NodeFlag.truncated;
  }
}
