/** What the queries of /api/v1 take and give, free of HTTP. Selectors come as text. */
import type { DiffMode } from '../../profile/flame/diff.ts';
import type { TimeRange } from '../../profile/units.ts';
import type { BuildWeights } from './build-weights.ts';

export interface Answer {
  contentType: string;
  body: Uint8Array | string;
}

/** What makes two frames one node; all but `function` cost a tree of their own per query. */
export type Granularity = 'function' | 'file' | 'line' | 'address';
export const GRANULARITIES = ['function', 'file', 'line', 'address'] as const;

export const MERGE_FORMATS = ['json', 'fg1', 'pprof', 'folded'] as const;
export type MergeFormat = (typeof MERGE_FORMATS)[number];
export const DIFF_FORMATS = ['json', 'fg1'] as const;
export type DiffFormat = (typeof DIFF_FORMATS)[number];
export const FUNCTION_SORTS = ['self', 'total', 'name'] as const;
export type FunctionSort = (typeof FUNCTION_SORTS)[number];
/** The names that a search and an order go by: demangled, or as the compiler wrote them. */
export const FUNCTION_NAMES = ['full', 'raw'] as const;
export type FunctionNames = (typeof FUNCTION_NAMES)[number];

/** How much of a tree an answer shows; what it leaves out stands in `folded`. */
export interface TreeParams {
  granularity: Granularity;
  /** All nodes where it is absent. */
  maxNodes?: number;
  /** Nodes below this part of the (sub)tree are left out; 0 to 1. */
  minFraction?: number;
  /** Names from below the root to the frame whose subtree is wanted in full. */
  root?: readonly string[];
  /** Places of the same frames, where the granularity is not `function`. */
  rootAt?: readonly string[];
}

export interface MergeParams extends TreeParams {
  query: string;
  range: TimeRange;
  format: MergeFormat;
  /** Labels whose values are the first levels of the tree (sample labels in a pprof). */
  by: readonly string[];
}

export interface DiffParams extends TreeParams {
  queryA: string;
  rangeA: TimeRange;
  queryB: string;
  rangeB: TimeRange;
  /** The measure of the JSON's values; fg1 carries counts and totals from which all follow. */
  mode: DiffMode;
  format: DiffFormat;
}

export interface FunctionsParams {
  query: string;
  range: TimeRange;
  sort: FunctionSort;
  names: FunctionNames;
  /** RE2, unanchored, over the function's name; empty for all. */
  search: string;
  offset: number;
  limit: number;
}

export interface SeriesParams {
  query: string;
  range: TimeRange;
  /** Chosen by the range where it is absent. */
  stepMs?: number;
  by: readonly string[];
  limit: number;
}

export interface ProfileTypesParams {
  query?: string;
  range?: TimeRange;
}

export interface LabelsParams {
  query?: string;
  range?: TimeRange;
  prefix: string;
  limit: number;
}

export interface LabelValuesParams extends LabelsParams {
  name: string;
}

export interface ProfilesParams {
  query: string;
  range: TimeRange;
  limit: number;
}

export interface AgentsParams {
  range: TimeRange;
}

export interface BuildWeightsParams {
  query: string;
  range: TimeRange;
}

/** Every method throws EverflameError; `signal` gives up waiting and interrupts the store. */
export interface Queries {
  merge(params: MergeParams, signal: AbortSignal): Promise<Answer>;
  diff(params: DiffParams, signal: AbortSignal): Promise<Answer>;
  functions(params: FunctionsParams, signal: AbortSignal): Promise<Answer>;
  series(params: SeriesParams, signal: AbortSignal): Promise<Answer>;
  profileTypes(params: ProfileTypesParams, signal: AbortSignal): Promise<Answer>;
  labels(params: LabelsParams, signal: AbortSignal): Promise<Answer>;
  labelValues(params: LabelValuesParams, signal: AbortSignal): Promise<Answer>;
  profiles(params: ProfilesParams, signal: AbortSignal): Promise<Answer>;
  agents(params: AgentsParams, signal: AbortSignal): Promise<Answer>;
  /** All zero, without an error, where no profile of the type is stored. */
  buildWeights(params: BuildWeightsParams, signal: AbortSignal): Promise<BuildWeights>;
  /** Ends the workers; queries under way fail as `unavailable`. */
  close(): Promise<void>;
}
