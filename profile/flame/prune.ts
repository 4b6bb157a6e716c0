/** Which nodes of a tree an answer shows: by weight, and by a path that is looked into. */
import { EverflameError } from '../errors.ts';
import { totalsOf, type WeightedTree } from './weighted-tree.ts';

export interface PruneOptions {
  /** Keep this many nodes of the greatest weight; all where it is absent. */
  maxNodes?: number;
  /** Leave out nodes below this part of the (sub)tree's weight, 0 to 1. */
  minFraction?: number;
  /** Names of the frames below the root; only what is under that path is kept beside the path. */
  root?: readonly string[];
  /** Places of the same frames (formatPlace), where names do not tell them apart. */
  rootAt?: readonly string[];
}

/** What a path is compared with. */
export interface PrunedFrames {
  nameOf(frame: number): string;
  placeOf(frame: number): string;
}

/** Marks the rows to keep: closed under parents, row 0 always in it. Null keeps all. */
export function pruneTree(
  tree: WeightedTree,
  frames: PrunedFrames,
  options: PruneOptions,
): Uint8Array | null {
  const { maxNodes, minFraction, root, rootAt } = options;
  if (maxNodes === undefined && minFraction === undefined && root === undefined) return null;
  const weight = weightsOf(tree);
  const keep = new Uint8Array(tree.count).fill(1);
  let candidates = tree.count;
  let whole = weight[0] as number;
  if (root !== undefined && root.length > 0) {
    const found = keepPath(tree, isOnPath(frames, root, rootAt), root, keep);
    candidates = found.kept;
    whole = 0;
    for (const row of found.ends) whole += weight[row] as number;
  }
  const least = (minFraction ?? 0) * whole;
  for (let row = 1; row < tree.count; row++) {
    if (keep[row] === 1 && (weight[row] as number) < least) {
      keep[row] = 0;
      candidates--;
    }
  }
  if (maxNodes !== undefined && candidates > maxNodes) {
    keepHeaviest(weight, keep, Math.max(1, maxNodes));
  }
  return keep;
}

/** Totals; of a diff the sum of both sides' shares, so that neither side's size decides alone. */
function weightsOf(tree: WeightedTree): Float64Array {
  const total = totalsOf(tree);
  if (tree.selfBase === null) return total;
  const base = totalsOf(tree, tree.selfBase);
  const perTotal = 1 / ((total[0] as number) || 1);
  const perBase = 1 / ((base[0] as number) || 1);
  return total.map((value, row) => value * perTotal + (base[row] as number) * perBase);
}

type OnPath = (frame: number, depth: number) => boolean;

function isOnPath(
  { nameOf, placeOf }: PrunedFrames,
  root: readonly string[],
  rootAt: readonly string[] | undefined,
): OnPath {
  return (frame, depth) =>
    nameOf(frame) === root[depth] && (rootAt === undefined || placeOf(frame) === rootAt[depth]);
}

/**
 * Keeps the nodes on the path and all below its ends. Several nodes may bear one name (the same
 * function in two binaries): all of them are looked into.
 */
function keepPath(
  tree: WeightedTree,
  isNext: OnPath,
  path: readonly string[],
  keep: Uint8Array,
): { kept: number; ends: number[] } {
  // How many names of the path a row's own path has matched; -1 is off the path.
  const matched = new Int32Array(tree.count).fill(-1);
  const ends: number[] = [];
  matched[0] = 0;
  for (let row = 1; row < tree.count; row++) {
    const above = matched[tree.parent[row] as number] as number;
    if (above === path.length) matched[row] = above;
    else if (above >= 0 && isNext(tree.frame[row] as number, above)) {
      matched[row] = above + 1;
      if (above + 1 === path.length) ends.push(row);
    }
  }
  if (ends.length === 0) {
    throw new EverflameError('not-found', `no stack begins with ${path.join(' > ')}`, {
      field: 'root',
      remedy:
        'Give the names of the frames from the one below the root to the one to look into, and ' +
        'their places as this granularity has them, or none.',
    });
  }
  keep.fill(0);
  keep[0] = 1;
  let kept = 1;
  // Only paths that reach an end stay: mark the ends' ancestors, then everything below the ends.
  for (const end of ends) {
    for (let row = end; row > 0 && keep[row] === 0; row = tree.parent[row] as number) {
      keep[row] = 1;
      kept++;
    }
  }
  for (let row = 1; row < tree.count; row++) {
    if (keep[row] === 1 || matched[row] !== path.length) continue;
    keep[row] = 1;
    kept++;
  }
  return { kept, ends };
}

/**
 * Keeps `count` of the kept rows, the heaviest. A parent weighs no less than its child and comes
 * before it, so filling up equals in row order keeps parents. O(rows), by buckets of the float's
 * upper bits: non-negative floats order as their bit patterns do.
 */
function keepHeaviest(weight: Float64Array, keep: Uint8Array, count: number): void {
  const words = new Uint32Array(weight.buffer, weight.byteOffset, weight.length * 2);
  const bucketOf = (row: number): number => (words[row * 2 + 1] as number) >>> 13;
  const buckets = new Uint32Array(2 ** 18);
  for (let row = 0; row < keep.length; row++) {
    if (keep[row] === 1) buckets[bucketOf(row)] = (buckets[bucketOf(row)] as number) + 1;
  }
  let bucket = buckets.length - 1;
  let above = 0;
  while (above + (buckets[bucket] as number) < count) above += buckets[bucket--] as number;
  const equals = new Float64Array(buckets[bucket] as number);
  let filled = 0;
  for (let row = 0; row < keep.length; row++) {
    if (keep[row] === 1 && bucketOf(row) === bucket) equals[filled++] = weight[row] as number;
  }
  equals.sort();
  const threshold = equals[equals.length - (count - above)] as number;
  let room = count;
  for (let row = 0; row < keep.length; row++) {
    if (keep[row] === 1 && (weight[row] as number) > threshold) room--;
  }
  for (let row = 0; row < keep.length; row++) {
    if (keep[row] === 0 || (weight[row] as number) > threshold) continue;
    if ((weight[row] as number) === threshold && room > 0) room--;
    else keep[row] = 0;
  }
}
