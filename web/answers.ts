/** The questions a page asks, as queries: cached, cancelled when outdated, kept meanwhile. */
import {
  keepPreviousData,
  QueryClient,
  type UseQueryResult,
  useQuery,
} from '@tanstack/react-query';
import type { FunctionsJson, NamesJson, ProfileTypesJson, SeriesJson } from '../wire/http.ts';
import { ApiError, type ApiParams, getBytes, getJson } from './api.ts';
import { decodeView, type LoadedView } from './flame/worker-client.ts';
import type { Range } from './time.ts';
import type { FunctionSort } from './url-state.ts';

/** Nodes asked for: what a 4K screen can show several times over; the rest is stated. */
const MAX_NODES = 50_000;
const EMPTY_POLL_MS = 5_000;
/** Answers that nothing shows any more; a graph of 100,000 nodes is about 10 MB. */
const UNUSED_MS = 30_000;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      gcTime: UNUSED_MS,
      refetchOnWindowFocus: false,
      structuralSharing: false,
      networkMode: 'always',
      retry: (failures, error) => failures < 1 && error instanceof ApiError && error.transient,
    },
  },
});

/** One series of selected profiles: what most endpoints take. */
export interface Selection {
  query: string;
  range: Range;
}

function selectionParams({ query, range }: Selection): ApiParams {
  return { query, from: range.fromMs, to: range.toMs };
}

/** Asks again until there is a first type: the page of an empty server waits for profiles. */
export function useProfileTypes(): UseQueryResult<ProfileTypesJson> {
  return useQuery({
    queryKey: ['profile_types'],
    queryFn: ({ signal }) => getJson<ProfileTypesJson>('profile_types', {}, signal),
    refetchInterval: (query) => (query.state.data?.profile_types.length ? 60_000 : EMPTY_POLL_MS),
  });
}

export function useSeries(
  selection: Selection | null,
  options: { stepMs: number; by?: string; limit?: number },
): UseQueryResult<SeriesJson> {
  return useQuery({
    queryKey: ['series', selection, options],
    enabled: selection !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      getJson<SeriesJson>(
        'series',
        {
          ...(selection === null ? {} : selectionParams(selection)),
          step: options.stepMs,
          by: options.by,
          limit: options.limit,
        },
        signal,
      ),
  });
}

export function useLabelNames(selection: Selection | null): UseQueryResult<NamesJson> {
  return useQuery({
    queryKey: ['labels', selection],
    enabled: selection !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      getJson<NamesJson>(
        'labels',
        { ...(selection === null ? {} : selectionParams(selection)), limit: 200 },
        signal,
      ),
  });
}

export function useLabelValues(
  selection: Selection | null,
  name: string,
  prefix: string,
): UseQueryResult<NamesJson> {
  return useQuery({
    queryKey: ['values', selection, name, prefix],
    enabled: selection !== null && name !== '',
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      getJson<NamesJson>(
        `labels/${encodeURIComponent(name)}/values`,
        { ...(selection === null ? {} : selectionParams(selection)), prefix, limit: 50 },
        signal,
      ),
  });
}

/** What a graph is made of. */
export interface GraphShape {
  /** A label whose values are the first level. */
  by: string;
  /** A frame per line of a function. */
  lines: boolean;
}

/** The way from below the root to a frame: names, and where those are not enough their places. */
export interface FlameRoot {
  names: readonly string[];
  places?: readonly string[];
}

const granularityOf = (lines: boolean) => (lines ? 'line' : undefined);

/**
 * With `root` only what is under that path is in the answer, in more detail, beside the path
 * itself; an empty one asks for nothing.
 */
export function useFlame(
  selection: Selection | null,
  { by, lines }: GraphShape,
  root: FlameRoot | null = null,
): UseQueryResult<LoadedView> {
  return useQuery({
    queryKey: ['merge', root, by, lines, selection],
    enabled: selection !== null && root?.names.length !== 0,
    // While a refresh is under way the graph stays; another root's would be another place.
    placeholderData: (last, query) => (sameRoot(query?.queryKey[1], root) ? last : undefined),
    queryFn: async ({ signal }) => {
      const params: ApiParams = selection === null ? {} : selectionParams(selection);
      const granularity = granularityOf(lines);
      const shape = { by, granularity, root: root?.names, root_at: root?.places };
      const more = { ...shape, format: 'fg1', max_nodes: MAX_NODES };
      return await decodeView(await getBytes('merge', { ...params, ...more }, signal));
    },
  });
}

function sameRoot(last: unknown, root: FlameRoot | null): boolean {
  return JSON.stringify(last ?? null) === JSON.stringify(root);
}

export interface DiffSelection {
  a: Selection;
  b: Selection;
  mode: string;
  lines: boolean;
}

export function useDiff(selection: DiffSelection | null): UseQueryResult<LoadedView> {
  return useQuery({
    queryKey: ['diff', selection],
    enabled: selection !== null,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      if (selection === null) throw new Error('no selection');
      const { a, b, mode, lines } = selection;
      const params: ApiParams = {
        query_a: a.query,
        from_a: a.range.fromMs,
        to_a: a.range.toMs,
        query_b: b.query,
        from_b: b.range.fromMs,
        to_b: b.range.toMs,
        mode,
        granularity: granularityOf(lines),
        format: 'fg1',
        max_nodes: MAX_NODES,
      };
      return await decodeView(await getBytes('diff', params, signal));
    },
  });
}

/** Functions of one request to the function table. */
export const FUNCTION_PAGE = 200;

/** Which functions in which order. `names`: what a search and an order by name look at. */
export interface FunctionChoice {
  sort: FunctionSort;
  names: 'full' | 'raw';
  search: string;
}

export function functionPageQuery(selection: Selection, choice: FunctionChoice, page: number) {
  return {
    queryKey: ['functions', selection, choice, page],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      getJson<FunctionsJson>(
        'functions',
        {
          ...selectionParams(selection),
          ...choice,
          offset: page * FUNCTION_PAGE,
          limit: FUNCTION_PAGE,
        },
        signal,
      ),
  };
}
