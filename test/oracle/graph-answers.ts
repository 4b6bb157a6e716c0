/** Answers of /api/v1 as plain data by path, and what any cut of a tree must keep to. */
import type { Granularity } from '../../api/query/params.ts';
import type { FrameJson, GraphJson, MergeJson } from '../../wire/http.ts';
import { frameKey } from './stacks.ts';
import { listNodes, type TreeNode } from './trees.ts';

export interface Weights {
  self: number;
  total: number;
  folded: number;
}

/** By the keys of the path, and by side; the root's path is empty. */
export type Graph = Map<string, Weights[]>;

/** An answer's nodes; a path that comes twice is an error. */
export function readGraph(json: GraphJson | MergeJson, granularity: Granularity): Graph {
  const { nodes, frames } = json;
  const graph: Graph = new Map();
  const path: string[] = [];
  for (const [node, depth] of nodes.depth.entries()) {
    path.length = depth;
    if (depth > 0) {
      path[depth - 1] = jsonFrameKey(frames[nodes.frame[node] as number] as FrameJson, granularity);
    }
    const key = path.join(' > ');
    if (graph.has(key)) throw new Error(`two nodes are ${key}`);
    const side = (self: number[], total: number[], folded: number[]): Weights => ({
      self: self[node] as number,
      total: total[node] as number,
      folded: folded[node] as number,
    });
    const sides = [side(nodes.self, nodes.total, nodes.folded)];
    if ('self_base' in nodes && nodes.self_base && nodes.total_base && nodes.folded_base) {
      sides.push(side(nodes.self_base, nodes.total_base, nodes.folded_base));
    }
    graph.set(key, sides);
  }
  return graph;
}

function jsonFrameKey(frame: FrameJson, granularity: Granularity): string {
  const { binary, file, line } = frame;
  const isLabel = frame.kind === 'label';
  const address = frame.address === '' ? null : Number(frame.address);
  const name = address === null ? frame.system_name || frame.name : frame.name;
  return frameKey({ name, binary, file, line, address, isLabel }, granularity);
}

export interface Cut {
  maxNodes?: number;
  minFraction?: number;
  root?: readonly string[];
}

/**
 * Throws unless the answer shows nodes of the tree with their true totals, the weight of those left
 * out standing in `folded`, and shows the nodes that it should. `scales` turn each side's units
 * into the answer's.
 */
export function checkGraph(
  found: Graph,
  tree: TreeNode,
  scales: readonly number[],
  cut: Cut,
): void {
  const all = new Map(listNodes(tree).map(({ path, node }) => [path.join(' > '), { path, node }]));
  all.set('', { path: [], node: tree });
  for (const [key, sides] of found) {
    const known = all.get(key);
    if (known === undefined) throw new Error(`no stack has the node ${key}`);
    for (const [side, weights] of sides.entries()) {
      const scale = scales[side] as number;
      let shown = 0;
      for (const child of known.node.children.keys()) {
        const path = [...known.path, child].join(' > ');
        shown += found.get(path)?.[side]?.total ?? 0;
      }
      checkNumber(`self of ${key}`, weights.self, (known.node.self[side] ?? 0) * scale);
      checkNumber(`total of ${key}`, weights.total, (known.node.total[side] ?? 0) * scale);
      checkNumber(
        `left out of ${key}`,
        weights.folded,
        weights.total - weights.self - shown,
        weights.total,
      );
    }
  }
  checkShown(found, all, tree, cut);
}

/** Within 1e-9 of the larger, or of `whole` where small differences of large sums are compared. */
export function checkNumber(what: string, found: number, expected: number, whole = 0): void {
  const size = Math.max(Math.abs(found), Math.abs(expected), Math.abs(whole));
  if (Math.abs(found - expected) > 1e-9 * size) {
    throw new Error(`${what}: ${found} for ${expected}`);
  }
}

function checkShown(
  found: Graph,
  all: Map<string, { path: string[]; node: TreeNode }>,
  tree: TreeNode,
  { maxNodes, minFraction = 0, root = [] }: Cut,
): void {
  const shares = (node: TreeNode): number =>
    tree.total.reduce((sum, whole, side) => sum + (node.total[side] ?? 0) / (whole || 1), 0);
  const weight = tree.total.length === 1 ? (node: TreeNode) => node.total[0] ?? 0 : shares;
  const isUnder = (path: readonly string[]): boolean =>
    root.every((name, depth) => path[depth] === name);
  const isAbove = (path: readonly string[]): boolean =>
    path.length < root.length && path.every((name, depth) => name === root[depth]);
  const candidates = [...all.values()].filter(({ path }) => isUnder(path) || isAbove(path));
  const whole = weight(all.get(root.join(' > '))?.node ?? tree);
  const least = minFraction * whole;
  const wanted = candidates.filter(
    ({ path, node }) => path.length === 0 || weight(node) >= least * (1 - 1e-9),
  );
  const limit = Math.min(maxNodes ?? wanted.length, wanted.length);
  const doubtful = wanted.filter(
    ({ path, node }) => path.length > 0 && weight(node) <= least * (1 + 1e-9),
  ).length;
  if (found.size > limit || found.size < limit - (minFraction > 0 ? doubtful : 0)) {
    throw new Error(`${found.size} nodes for ${limit}`);
  }
  let lightest = Number.POSITIVE_INFINITY;
  let heaviest = 0;
  for (const { path, node } of wanted) {
    if (found.has(path.join(' > '))) lightest = Math.min(lightest, weight(node));
    else heaviest = Math.max(heaviest, weight(node));
  }
  if (heaviest > lightest * (1 + 1e-9)) throw new Error(`${heaviest} is left out, ${lightest} not`);
}
