/** Callers and callees of a function as two graphs: `SandwichJson`, or two fg1 bodies in a row. */
import { encodeFg1 } from '../../profile/flame/fg1.ts';
import type { FrameCondition } from '../../profile/flame/filter.ts';
import { deriveTree, type FlameGraph } from '../../profile/flame/flame-graph.ts';
import { functionIdentity, ROOT_FRAME } from '../../profile/flame/frame-table.ts';
import { Verdicts } from '../../profile/flame/stack-filters.ts';
import type { SandwichJson } from '../../wire/http.ts';
import { graphJson } from './graph-json.ts';
import type { FramedWeights } from './weigh.ts';

/** Two graphs whose first frames are the function's. */
export interface Sandwich {
  /** The function, then its callers, outwards. */
  callers: FlameGraph;
  /** The function, then what it calls. */
  callees: FlameGraph;
  /** Own weight of the function, in counts. */
  self: number;
}

export const SANDWICH_MEDIA_TYPE = 'application/vnd.everflame.fg1-pair';

/** The callers' body, then the callees', each as long as its header says. */
export function encodeSandwich({ callers, callees }: Sandwich): Uint8Array {
  const bodies = [encodeFg1(callers), encodeFg1(callees)];
  const bytes = new Uint8Array(bodies.reduce((length, body) => length + body.length, 0));
  let at = 0;
  for (const body of bodies) {
    bytes.set(body, at);
    at += body.length;
  }
  return bytes;
}

export function formatSandwichJson({ callers, callees, self }: Sandwich): string {
  const { meta, multiplier } = callees;
  const total = deriveTree(callees.depth, callees.self, callees.folded).total[0] as number;
  const json: SandwichJson = {
    type: meta.type,
    unit: meta.unit,
    from_ms: meta.fromMs,
    to_ms: meta.toMs,
    total_before_filters: meta.totalBeforeFilters,
    total: meta.totalAfterFilters,
    function: { self: self * multiplier, total: total * multiplier },
    callers: graphJson(callers),
    callees: graphJson(callees),
    quality: meta.quality,
  };
  return JSON.stringify(json);
}

/**
 * Own weight of the function in a tree of its stacks from it on: of the frames that meet the
 * conditions, and of those that are of one function with a first frame, whatever file they name.
 */
export function selfOfFunction(
  { tree, table }: FramedWeights,
  where: readonly FrameCondition[],
): number {
  const verdicts = new Verdicts(where, table);
  const keys: string[] = [];
  const keyOf = (row: number): string => {
    keys[row] ??= functionIdentity(table.frames[row] ?? ROOT_FRAME);
    return keys[row] ?? '';
  };
  const top = new Set<string>();
  for (let row = 1; row < tree.count; row++) {
    if (tree.parent[row] === 0) top.add(keyOf(tree.frame[row] as number));
  }
  let self = 0;
  for (let row = 1; row < tree.count; row++) {
    const own = tree.self[row] as number;
    if (own === 0) continue;
    const frame = tree.frame[row] as number;
    if (top.has(keyOf(frame)) || verdicts.meets(frame)) self += own;
  }
  return self;
}
