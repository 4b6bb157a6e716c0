/** What Compare derives from a diff: each node's and each function's change, colours, sums. */
import { useMemo } from 'react';
import {
  type Change,
  type ChangeKind,
  compareFunctions,
  compareWeights,
  type DiffMode,
  type FunctionChange,
  sidesOf,
} from '../../profile/flame/diff.ts';
import { tabulateFunctions } from '../../profile/flame/functions.ts';
import type { FlameModel } from '../flame/flame-model.ts';
import type { FrameStyle } from '../flame/flame-paint.ts';
import { CHANGE_KINDS, GLYPHS, STEP_LIMITS, stepOf } from './change-words.ts';

export interface KindSum {
  kind: ChangeKind;
  count: number;
  delta: number;
}

export interface CompareModel {
  flame: FlameModel;
  changeOf: (node: number) => Change;
  functions: readonly FunctionChange[];
  /** Function of each frame: equal for frames of one function, -1 for none. */
  functionOf: Int32Array;
  kinds: readonly KindSum[];
  style: FrameStyle;
}

export function useCompareModel(flame: FlameModel | null, mode: DiffMode): CompareModel | null {
  return useMemo(() => (flame === null ? null : buildCompareModel(flame, mode)), [flame, mode]);
}

function buildCompareModel(flame: FlameModel, mode: DiffMode): CompareModel {
  const { view } = flame.loaded;
  const sides = sidesOf(view.graph);
  const known: (Change | undefined)[] = [];
  const changeOf = (node: number): Change => {
    const found = known[node];
    if (found !== undefined) return found;
    const a = view.treeBase?.total[node] ?? 0;
    const made = compareWeights(a, view.tree.total[node] ?? 0, sides, mode);
    known[node] = made;
    return made;
  };
  const table = view.functions ?? tabulateFunctions(view.graph);
  const functions = compareFunctions(view.graph, mode, table);
  return {
    flame,
    changeOf,
    functions,
    functionOf: table.functionOf,
    kinds: sumKinds(functions),
    style: diffStyle(flame, changeOf),
  };
}

/** How many functions changed in each way, and what their self comes to. */
export function sumKinds(functions: readonly FunctionChange[]): KindSum[] {
  const sums = new Map(CHANGE_KINDS.map((kind) => [kind, { kind, count: 0, delta: 0 }]));
  for (const { self } of functions) {
    const sum = sums.get(self.kind);
    if (sum === undefined) continue;
    sum.count++;
    sum.delta += self.delta;
  }
  return [...sums.values()];
}

function diffStyle(flame: FlameModel, changeOf: (node: number) => Change): FrameStyle {
  const { depth } = flame.loaded.view.graph;
  const { diff } = flame.tokens;
  return {
    fill: (node) => diff[stepOf(changeOf(node))] ?? '',
    hatched: (node) => ['new', 'gone'].includes(changeOf(node).kind),
    glyph: (node) => ((depth[node] ?? 0) === 0 ? '' : GLYPHS[changeOf(node).kind]),
    loud: (node) =>
      Math.abs(changeOf(node).relative ?? Number.POSITIVE_INFINITY) > STEP_LIMITS.middle,
    heading: (node) => node === 0,
  };
}
