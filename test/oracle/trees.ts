/** Call trees of plain objects, and what an answer shows of them. */
import type { Granularity } from '../../api/query/params.ts';
import { frameKey, type OracleFrame, type WeighedStack } from './stacks.ts';

export interface TreeNode {
  frame: OracleFrame;
  children: Map<string, TreeNode>;
  /** Own weight of each side; a plain tree has one. */
  self: number[];
  total: number[];
}

const ROOT: OracleFrame = {
  name: 'total',
  binary: '',
  file: '',
  line: 0,
  address: null,
  isLabel: true,
};

/** One tree of all sides: the stacks of each, below the frames of their group's labels. */
export function growTree(
  sides: readonly (readonly WeighedStack[])[],
  granularity: Granularity,
  by: readonly string[],
): TreeNode {
  const node = (frame: OracleFrame): TreeNode => ({
    frame,
    children: new Map(),
    self: sides.map(() => 0),
    total: sides.map(() => 0),
  });
  const root = node(ROOT);
  for (const [side, stacks] of sides.entries()) {
    for (const { group, frames, weight } of stacks) {
      const labels = by.map((name) => ({ ...ROOT, name: `${name}=${group[name] ?? ''}` }));
      let at = root;
      add(at.total, side, weight);
      for (const frame of [...labels, ...frames]) {
        const key = frameKey(frame, granularity);
        const next = at.children.get(key) ?? node(frame);
        at.children.set(key, next);
        at = next;
        add(at.total, side, weight);
      }
      add(at.self, side, weight);
    }
  }
  return root;
}

function add(sums: number[], side: number, weight: number): void {
  sums[side] = (sums[side] ?? 0) + weight;
}

/** Every node below the root with the keys of its path. */
export function listNodes(root: TreeNode): { path: string[]; node: TreeNode }[] {
  return [...root.children].flatMap(([key, child]) => [
    { path: [key], node: child },
    ...listNodes(child).map(({ path, node }) => ({ path: [key, ...path], node })),
  ]);
}

/** Self and total of each function; a recursive one counts once a stack. */
export function sumFunctions(
  stacks: readonly WeighedStack[],
): Map<string, { name: string; self: number; total: number }> {
  const sums = new Map<string, { name: string; self: number; total: number }>();
  for (const { frames, weight } of stacks) {
    for (const frame of frames) {
      const key = frameKey(frame, 'function');
      if (!sums.has(key)) sums.set(key, { name: frame.name, self: 0, total: 0 });
    }
    const keys = frames.map((frame) => frameKey(frame, 'function'));
    for (const key of new Set(keys)) {
      const sum = sums.get(key);
      if (sum !== undefined) sum.total += weight;
    }
    const own = sums.get(keys.at(-1) ?? '');
    if (own !== undefined) own.self += weight;
  }
  return sums;
}
