/** One tree of many groups: the groups' label values are the levels below the root. */
import type { CallTree } from '../../profile/flame/call-tree.ts';
import { FrameKind } from '../../profile/flame/frame.ts';
import { type FrameTable, namedFrame } from '../../profile/flame/frame-table.ts';
import {
  type Branch,
  gatherTree,
  joinTrees,
  type LeafWeights,
  type WeightedTree,
} from '../../profile/flame/weighted-tree.ts';
import type { Labels } from '../../profile/select/labels.ts';
import { labelValue } from '../../profile/select/selector.ts';
import type { GroupedLeaves } from './tree-messages.ts';

/** A tree of stacks and the frames that its numbers mean. */
export interface FramedTree {
  tree: CallTree;
  table: FrameTable;
}

/** Groups that filters have left nothing of have no place in the tree. */
export function gatherGroups(
  stacks: FramedTree,
  leaves: GroupedLeaves,
  groups: readonly Labels[],
  by: readonly string[],
): WeightedTree {
  const branches: Branch[] = [];
  for (const [row, group] of splitByGroup(leaves, groups.length).entries()) {
    if (group.node.length === 0) continue;
    const path = by.map((name) => labelFrame(stacks, name, groups[row] ?? {}));
    branches.push({ path, tree: gatherTree(stacks.tree, group) });
  }
  return joinTrees(branches);
}

/** A label value is shown as it is; its frame's system name tells the label's name too. */
function labelFrame(stacks: FramedTree, name: string, labels: Labels): number {
  const value = labelValue(labels, name);
  const frame = namedFrame(value === '' ? `(no ${name})` : value, FrameKind.label);
  return stacks.table.intern({ ...frame, systemName: `${name}=${value}` });
}

function splitByGroup({ leaves, group: groups }: GroupedLeaves, count: number): LeafWeights[] {
  const sizes = new Uint32Array(count);
  for (const group of groups) sizes[group] = (sizes[group] as number) + 1;
  const split = Array.from(sizes, (size) => ({
    node: new Int32Array(size),
    value: new Float64Array(size),
  }));
  const filled = new Uint32Array(count);
  for (let row = 0; row < groups.length; row++) {
    const group = groups[row] as number;
    const at = filled[group] as number;
    const part = split[group] as LeafWeights;
    part.node[at] = leaves.node[row] as number;
    part.value[at] = leaves.value[row] as number;
    filled[group] = at + 1;
  }
  return split;
}
