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

export const MERGE_FORMATS = [
  'json',
  'fg1',
  'pprof',
  'folded',
  'speedscope',
  'svg',
  'dot',
] as const;
export type MergeFormat = (typeof MERGE_FORMATS)[number];
export const DIFF_FORMATS = ['json', 'fg1'] as const;
export type DiffFormat = (typeof DIFF_FORMATS)[number];
export const SANDWICH_FORMATS = ['json', 'fg1'] as const;
export type SandwichFormat = (typeof SANDWICH_FORMATS)[number];
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
  /** Id of one profile, in place of the range; here and below. */
  profile?: string;
  format: MergeFormat;
  /** As texts (profile/flame/filter.ts); here and below. */
  filters: readonly string[];
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
  /** Of both sides. */
  filters: readonly string[];
}

export interface SandwichParams extends TreeParams {
  query: string;
  range: TimeRange;
  profile?: string;
  /** The function's name or system name. */
  name: string;
  /** Only its frames of this binary, of this file. */
  binary?: string;
  file?: string;
  format: SandwichFormat;
  filters: readonly string[];
}

export interface FunctionsParams {
  query: string;
  range: TimeRange;
  profile?: string;
  filters: readonly string[];
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
  /** Whether the range may begin up to a minute earlier: whole minutes are summed up already. */
  mayAlign?: boolean;
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

export interface EstimateParams {
  query: string;
  range: TimeRange;
}

export interface BuildWeightsParams {
  query: string;
  range: TimeRange;
}

/** Who asks. */
export interface Caller {
  /** Its token, else its address: clients take turns. */
  client: string;
  /** Gives up waiting, interrupts the store and stops the tree worker. */
  signal: AbortSignal;
}

/** Every method throws EverflameError. */
export interface Queries {
  merge(params: MergeParams, caller: Caller): Promise<Answer>;
  diff(params: DiffParams, caller: Caller): Promise<Answer>;
  functions(params: FunctionsParams, caller: Caller): Promise<Answer>;
  sandwich(params: SandwichParams, caller: Caller): Promise<Answer>;
  series(params: SeriesParams, caller: Caller): Promise<Answer>;
  profileTypes(params: ProfileTypesParams, caller: Caller): Promise<Answer>;
  labels(params: LabelsParams, caller: Caller): Promise<Answer>;
  labelValues(params: LabelValuesParams, caller: Caller): Promise<Answer>;
  /** What reading a selection costs; throws where it is over the limit. */
  estimate(params: EstimateParams, caller: Caller): Promise<Answer>;
  profiles(params: ProfilesParams, caller: Caller): Promise<Answer>;
  /** One profile as a pprof, as it was pushed. */
  profile(id: string, caller: Caller): Promise<Answer>;
  agents(params: AgentsParams, caller: Caller): Promise<Answer>;
  /** All zero, without an error, where no profile of the type is stored. */
  buildWeights(params: BuildWeightsParams, caller: Caller): Promise<BuildWeights>;
  /** How many stacks the worker of the next query knows; null where it does not run yet. */
  metStacks(): number | null;
  /** Gives back memory that is only kept to be faster. */
  trim(): void;
  /** Ends the workers; queries under way fail as `unavailable`. */
  close(): Promise<void>;
}
