/** What passes between the main thread and the tree workers. Plain data and typed arrays only. */
import type { DictionaryColumns } from '../../profile/dictionary.ts';
import type { ErrorRecord } from '../../profile/errors.ts';
import type { DiffMode } from '../../profile/flame/diff.ts';
import type { FrameCondition } from '../../profile/flame/filter.ts';
import type { FlameMeta } from '../../profile/flame/flame-graph.ts';
import type { FilterStep } from '../../profile/flame/stack-filters.ts';
import type { LeafWeights } from '../../profile/flame/weighted-tree.ts';
import type { PprofValueType } from '../../profile/pprof/encode.ts';
import type { Labels } from '../../profile/select/labels.ts';
import type { ProfileType } from '../../profile/select/profile-type.ts';
import type { SampleLabel } from '../../store/store.ts';
import type {
  Answer,
  FunctionNames,
  FunctionSort,
  MergeFormat,
  SandwichFormat,
  TreeParams,
} from './params.ts';
import type { SymbolRow } from './symbol-names.ts';

/** Weights by stack, as the store sums them. */
export interface StackWeights {
  groups: Labels[];
  /** Row of `groups`. */
  group: Uint32Array;
  /** StackRefs. */
  stack: Uint32Array;
  value: Float64Array;
  multiplier: number;
}

/** Rows of weights as leaves of a tree. */
export interface GroupedLeaves {
  leaves: LeafWeights;
  /** Per leaf, its row of `StackWeights.groups`. */
  group: Uint32Array;
}

export interface GraphJob {
  kind: 'graph';
  tree: TreeParams;
  filters: readonly FilterStep[];
  format: Exclude<MergeFormat, 'pprof'>;
  by: readonly string[];
  weights: StackWeights;
  /** Side A of a diff. */
  base: StackWeights | null;
  /** Measure of a diff's JSON. */
  mode: DiffMode;
  /** Complete but for totals and for what the trees say of quality. */
  meta: FlameMeta;
}

export interface FunctionsJob {
  kind: 'functions';
  weights: StackWeights;
  filters: readonly FilterStep[];
  sort: FunctionSort;
  names: FunctionNames;
  search: string;
  offset: number;
  limit: number;
  meta: FlameMeta;
}

export interface SandwichJob {
  kind: 'sandwich';
  tree: TreeParams;
  filters: readonly FilterStep[];
  /** The function's frames. */
  where: readonly FrameCondition[];
  format: SandwichFormat;
  weights: StackWeights;
  meta: FlameMeta;
}

export interface PprofJob {
  kind: 'pprof';
  tree: TreeParams;
  filters: readonly FilterStep[];
  by: readonly string[];
  weights: StackWeights;
  type: ProfileType;
  /** In the period type's unit; 0 where it is not known. */
  period: number;
  comments: readonly string[];
  meta: FlameMeta;
}

/** One profile with all its types and sample labels. */
export interface ProfileJob {
  kind: 'profile';
  tsMs: number;
  durationMs: number;
  comments: readonly string[];
  periodType: PprofValueType | null;
  period: number;
  /** The pprof's values: rows of stored type `row`, times `factor`. */
  values: (PprofValueType & { row: number; factor: number })[];
  labelsets: readonly (readonly SampleLabel[])[];
  /** Per row of the weights its stored type; their groups are rows of `labelsets`. */
  type: Uint16Array;
  weights: StackWeights;
}

/** Answered with BuildWeights as JSON, for the main thread. */
export interface BuildsJob {
  kind: 'builds';
  weights: StackWeights;
}

export type TreeJob = GraphJob | FunctionsJob | SandwichJob | PprofJob | ProfileJob | BuildsJob;

export interface TreeRequest {
  id: number;
  job: TreeJob;
  /** A word of shared memory (StopFlag); comes with the first request. */
  stop?: Int32Array;
  /** Absent where the worker has the newest already. */
  dictionary?: DictionaryColumns;
  symbolFiles?: readonly SymbolRow[];
}

export type TreeReply = { id: number; answer: Answer } | { id: number; error: ErrorRecord };
