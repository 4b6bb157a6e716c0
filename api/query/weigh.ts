/** Weights by stack -> a weighted tree, with totals and the quality that the stacks tell of. */
import type { ColumnSource } from '../../profile/flame/arena.ts';
import type { FlameMeta } from '../../profile/flame/flame-graph.ts';
import type { FrameTable } from '../../profile/flame/frame-table.ts';
import { gatherTree, type WeightedTree } from '../../profile/flame/weighted-tree.ts';
import type { FilteredStacks } from './filtered-stacks.ts';
import { gatherGroups } from './grouped-tree.ts';
import type { StackTree } from './stack-tree.ts';
import type { GroupedLeaves, StackWeights } from './tree-messages.ts';

export interface Weighing {
  weights: StackWeights;
  /** Side A of a diff. */
  base: StackWeights | null;
  /** Labels whose values are the first levels; not in a diff. */
  by: readonly string[];
  /** Totals and quality of the sides are filled in. */
  meta: FlameMeta;
}

export interface Tools {
  columns: ColumnSource;
  checkStop: () => void;
}

export interface FramedWeights {
  tree: WeightedTree;
  /** Rows are the tree's frame numbers. */
  table: FrameTable;
}

/** `filtered` is null where there are no filters; quality is always that of all stacks. */
export function weigh(
  stacks: StackTree,
  filtered: FilteredStacks | null,
  { weights, base, by, meta }: Weighing,
  { columns, checkStop }: Tools,
): FramedWeights {
  const sides = base === null ? [weights] : [weights, base];
  const nodes = stacks.leavesOf(
    sides.map((side) => side.stack),
    checkStop,
  );
  checkStop();
  const leaves = sides.map((side, at): GroupedLeaves => {
    const node = nodes[at] as Int32Array;
    if (filtered !== null) return filtered.leavesOf(side, node, checkStop);
    return { leaves: { node, value: side.value }, group: side.group };
  });
  const [ours, theirs] = leaves as [GroupedLeaves, GroupedLeaves?];
  stacks.addQuality(meta.quality.series, weights.stack, weights.value, weights.multiplier);
  meta.totalBeforeFilters = sum(weights.value) * weights.multiplier;
  meta.totalAfterFilters = sum(ours.leaves.value) * weights.multiplier;
  if (base !== null && theirs !== undefined && meta.base !== undefined) {
    stacks.addQuality(meta.base.quality.series, base.stack, base.value, base.multiplier);
    if (filtered !== null) meta.base.totalBeforeFilters = sum(base.value) * base.multiplier;
    meta.base.total = sum(theirs.leaves.value) * base.multiplier;
  }
  const framed =
    filtered === null || filtered.keepsWhole
      ? { tree: stacks.tree, table: stacks.frames.table }
      : filtered;
  const tree =
    by.length === 0
      ? gatherTree(framed.tree, ours.leaves, theirs?.leaves ?? null, columns)
      : gatherGroups(framed, ours, weights.groups, by);
  return { tree, table: framed.table };
}

export function sum(values: Float64Array): number {
  let total = 0;
  for (let row = 0; row < values.length; row++) total += values[row] as number;
  return total;
}
