/** One tree of many groups: the groups' label values are the levels below the root. */
import { FrameKind } from '../../profile/flame/frame.ts';
import { namedFrame } from '../../profile/flame/frame-table.ts';
import {
  type Branch,
  gatherTree,
  joinTrees,
  type LeafWeights,
  type WeightedTree,
} from '../../profile/flame/weighted-tree.ts';
import type { Labels } from '../../profile/select/labels.ts';
import { labelValue } from '../../profile/select/selector.ts';
import type { StackTree } from './stack-tree.ts';
import type { StackWeights } from './tree-messages.ts';

export function gatherGroups(
  stacks: StackTree,
  leaves: LeafWeights,
  weights: StackWeights,
  by: readonly string[],
): WeightedTree {
  const branches: Branch[] = splitByGroup(leaves, weights).map((group, row) => ({
    path: by.map((name) => labelFrame(stacks, name, weights.groups[row] ?? {})),
    tree: gatherTree(stacks.tree, group),
  }));
  return joinTrees(branches);
}

/** A label value is shown as it is; its frame's system name tells the label's name too. */
function labelFrame(stacks: StackTree, name: string, labels: Labels): number {
  const value = labelValue(labels, name);
  const frame = namedFrame(value === '' ? `(no ${name})` : value, FrameKind.label);
  return stacks.frames.table.intern({ ...frame, systemName: `${name}=${value}` });
}

function splitByGroup(leaves: LeafWeights, weights: StackWeights): LeafWeights[] {
  const sizes = new Uint32Array(weights.groups.length);
  for (const group of weights.group) sizes[group] = (sizes[group] as number) + 1;
  const split = Array.from(sizes, (size) => ({
    node: new Int32Array(size),
    value: new Float64Array(size),
  }));
  const filled = new Uint32Array(sizes.length);
  for (let row = 0; row < weights.group.length; row++) {
    const group = weights.group[row] as number;
    const at = filled[group] as number;
    const part = split[group] as LeafWeights;
    part.node[at] = leaves.node[row] as number;
    part.value[at] = leaves.value[row] as number;
    filled[group] = at + 1;
  }
  return split;
}
