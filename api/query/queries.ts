/**
 * The queries of /api/v1: selectors to the store, its columns to a tree worker, bytes back. The
 * main thread touches no single stack.
 */
import type { Worker } from 'node:worker_threads';
import type { DictionarySnapshot } from '../../profile/dictionary.ts';
import { assert, EverflameError } from '../../profile/errors.ts';
import type { FrameCondition } from '../../profile/flame/filter.ts';
import type { FlameMeta } from '../../profile/flame/flame-graph.ts';
import { MAX_MERGE_GROUPS } from '../../profile/limits.ts';
import { aggregationOf, formatProfileType } from '../../profile/select/profile-type.ts';
import type { SelectionSummary, Store } from '../../store/store.ts';
import type { Symbolizer } from '../../symbolizer/symbolizer.ts';
import type { SeriesJson } from '../../wire/http.ts';
import type { BuildWeights } from './build-weights.ts';
import { qualityOf } from './host-quality.ts';
import { joinJson } from './joined-json.ts';
import { type Admit, createMetaQueries } from './meta-queries.ts';
import type {
  Answer,
  BuildWeightsParams,
  Caller,
  DiffParams,
  FunctionsParams,
  MergeParams,
  Queries,
  SandwichParams,
  SeriesParams,
  TreeParams,
} from './params.ts';
import { profileFile } from './profile-file.ts';
import { selectProfile } from './profile-id.ts';
import { laneOf, type QueryCost, type QueryLanes } from './query-lanes.ts';
import {
  type FilteredSelection,
  readFilteredSelection,
  readSelection,
  requireKnownType,
  type TypedSelection,
} from './selection.ts';
import { alignToMinute, chooseStep, summarizeTimelines } from './series-json.ts';
import type { SymbolRow } from './symbol-names.ts';
import type { StackWeights } from './tree-messages.ts';
import { TreePool } from './tree-pool.ts';

export interface QueriesOptions {
  store: Store;
  symbolizer: Pick<Symbolizer, 'symbolFiles' | 'missingSymbolFiles'>;
  /** Starts the thread of cli/tree-worker.ts. */
  createWorker: () => Worker;
  workers: number;
  lanes: QueryLanes;
}

type Run = <T>(
  rows: number,
  caller: Caller,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

export function createQueries(options: QueriesOptions): Queries {
  const { store, symbolizer } = options;
  const pool = new TreePool({
    createWorker: options.createWorker,
    workers: options.workers,
    snapshot: () => store.snapshot(),
    symbolFiles: knownSymbols(symbolizer),
  });
  /** Queries that have their memory; those that are not with a worker yet will soon be. */
  let active = 0;
  const run: Run = async (rows, caller, work) => {
    const lane = laneOf(rows);
    const known = store.snapshot().stacks.count;
    const cost = (): QueryCost => {
      const snapshot = store.snapshot();
      // What came while it waited is taken to be its own.
      return { lane, ...stacksOf(snapshot, rows + snapshot.stacks.count - known) };
    };
    return options.lanes.run(cost, caller, async (signal) => {
      active++;
      try {
        return await work(signal);
      } finally {
        active--;
      }
    });
  };
  const admit: Admit = async (caller, selections, work) => {
    return run(await rowsOf(store, selections), caller, work);
  };
  return {
    ...createMetaQueries(store, admit),
    merge: async (params, caller) => {
      const chosen = await filtered(store, params, caller);
      const work = (signal: AbortSignal) => merge(store, pool, params, chosen, signal);
      return admit(caller, [chosen.selection], work);
    },
    diff: async (params, caller) => {
      const { filters } = params;
      const a = readFilteredSelection(params.queryA, params.rangeA, filters, 'query_a');
      const b = readFilteredSelection(params.queryB, params.rangeB, filters, 'query_b');
      const work = (signal: AbortSignal) => diff(store, pool, params, { a, b }, signal);
      return admit(caller, [a.selection, b.selection], work);
    },
    functions: async (params, caller) => {
      const chosen = await filtered(store, params, caller);
      const work = (signal: AbortSignal) => functions(store, pool, params, chosen, signal);
      return admit(caller, [chosen.selection], work);
    },
    sandwich: async (params, caller) => {
      const chosen = await filtered(store, params, caller);
      const work = (signal: AbortSignal) => sandwich(store, pool, params, chosen, signal);
      return admit(caller, [chosen.selection], work);
    },
    profile: (id, caller) =>
      run(ONE_PROFILE_ROWS, caller, (signal) => profileFile(store, pool, id, signal)),
    series: async (params, caller) => {
      const selection = readSelection(params.query, params.range, 'query');
      return admit(caller, [selection], (signal) => series(store, params, signal));
    },
    buildWeights: async (params, caller) => {
      const selection = readSelection(params.query, params.range, 'query');
      return admit(caller, [selection], (signal) => buildWeights(store, pool, params, signal));
    },
    metStacks: () => pool.metStacks(Math.max(0, active - pool.busy)),
    trim: () => pool.trim(Math.max(0, active - pool.busy)),
    close: () => pool.close(),
  };
}

async function filtered(
  store: Store,
  params: MergeParams | FunctionsParams | SandwichParams,
  { signal }: Caller,
): Promise<FilteredSelection> {
  const { query, range, filters, profile } = params;
  const chosen = readFilteredSelection(query, range, filters, 'query');
  if (profile === undefined) return chosen;
  return { ...chosen, selection: await selectProfile(store, chosen.selection, profile, signal) };
}

/** Rows of samples that the selections are expected to read together. */
async function rowsOf(store: Store, selections: readonly TypedSelection[]): Promise<number> {
  let rows = 0;
  for (const selection of selections) rows += (await store.estimate(selection)).rows;
  return rows;
}

/** A profile's rows are counted only when they are read; few have more than this. */
const ONE_PROFILE_ROWS = 5_000;

function stacksOf(
  { stacks, locations }: DictionarySnapshot,
  rows: number,
): Omit<QueryCost, 'lane'> {
  const all = stacks.offsets[stacks.count] ?? 0;
  // As many as so many rows have if no two of them are of one stack.
  const met = Math.min(rows, stacks.count);
  const frames = met === 0 ? 0 : Math.ceil((met / stacks.count) * all);
  const names = Math.min(frames, locations.count);
  return { stacks: met, frames, locations: names };
}

/** Symbol files and those that are missing; the same array until one of the lists is another. */
function knownSymbols(symbolizer: QueriesOptions['symbolizer']): () => readonly SymbolRow[] {
  let files: readonly SymbolRow[] = [];
  let missing: readonly SymbolRow[] = [];
  let known: readonly SymbolRow[] = [];
  return () => {
    const [nextFiles, nextMissing] = [symbolizer.symbolFiles(), symbolizer.missingSymbolFiles()];
    if (nextFiles !== files || nextMissing !== missing) known = [...nextFiles, ...nextMissing];
    [files, missing] = [nextFiles, nextMissing];
    return known;
  };
}

/** One side of an answer as the store has it. */
interface Side {
  weights: StackWeights;
  summary: SelectionSummary;
  meta: FlameMeta;
}

async function readSide(
  store: Store,
  selection: TypedSelection,
  by: readonly string[],
  signal: AbortSignal,
): Promise<Side> {
  const { merged: weights, summary } = await store.mergeAndSummarize(selection, by, { signal });
  if (weights.stack.length === 0) await requireKnownType(store, selection);
  if (weights.groups.length > MAX_MERGE_GROUPS) {
    throw new EverflameError('too-large', `${by.join()} has ${weights.groups.length} values`, {
      field: 'by',
      limit: `MAX_MERGE_GROUPS = ${MAX_MERGE_GROUPS}`,
      remedy: 'Narrow the selection by labels, or group by fewer.',
    });
  }
  const { type, range, shown = range } = selection;
  const meta = {
    type: formatProfileType(type),
    unit: type.sampleUnit,
    fromMs: shown.from,
    toMs: shown.to,
    // The worker, which sees the values, fills these in.
    totalBeforeFilters: 0,
    totalAfterFilters: 0,
    quality: qualityOf(summary),
  };
  return { weights, summary, meta };
}

async function merge(
  store: Store,
  pool: TreePool,
  params: MergeParams,
  { selection, filters }: FilteredSelection,
  signal: AbortSignal,
): Promise<Answer> {
  const { weights, summary, meta } = await readSide(store, selection, params.by, signal);
  const { format, by } = params;
  const job = { tree: treeParams(params), filters, by, weights, meta };
  if (format === 'pprof') {
    const period = periodOf(selection, weights, summary);
    const comments = [`everflame: ${params.query}`, ...params.filters];
    return pool.run({ kind: 'pprof', ...job, type: selection.type, period, comments }, signal);
  }
  return pool.run({ kind: 'graph', ...job, format, base: null, mode: 'absolute' }, signal);
}

/** Parameters may carry more than a message should. */
function treeParams(params: TreeParams): TreeParams {
  const { granularity, maxNodes, minFraction, root, rootAt } = params;
  return {
    granularity,
    ...(maxNodes === undefined ? {} : { maxNodes }),
    ...(minFraction === undefined ? {} : { minFraction }),
    ...(root === undefined ? {} : { root }),
    ...(rootAt === undefined ? {} : { rootAt }),
  };
}

/** The multiplier of a derived type is its period; a count type's follows from the rate asked for. */
function periodOf(
  { type }: TypedSelection,
  { multiplier }: StackWeights,
  { windows }: SelectionSummary,
): number {
  if (multiplier !== 1) return multiplier;
  const hz = windows?.nominalHz ?? null;
  return hz !== null && type.periodUnit === 'nanoseconds' ? 1e9 / hz : 0;
}

async function diff(
  store: Store,
  pool: TreePool,
  params: DiffParams,
  chosen: { a: FilteredSelection; b: FilteredSelection },
  signal: AbortSignal,
): Promise<Answer> {
  const [selectionA, selectionB] = [chosen.a.selection, chosen.b.selection];
  const [unitA, unitB] = [selectionA.type.sampleUnit, selectionB.type.sampleUnit];
  if (unitA !== unitB) {
    throw new EverflameError('unprocessable', `side A is in ${unitA}, side B in ${unitB}`, {
      field: 'query_b',
      remedy: 'Compare two selections of one profile type.',
    });
  }
  const [a, b] = await Promise.all([
    readSide(store, selectionA, [], signal),
    readSide(store, selectionB, [], signal),
  ]);
  const { type, fromMs, toMs, quality } = a.meta;
  const meta: FlameMeta = { ...b.meta, base: { type, fromMs, toMs, total: 0, quality } };
  const { format, mode } = params;
  const tree = treeParams(params);
  const { filters } = chosen.b;
  const sides = { weights: b.weights, base: a.weights };
  return pool.run({ kind: 'graph', tree, filters, format, by: [], ...sides, mode, meta }, signal);
}

async function functions(
  store: Store,
  pool: TreePool,
  params: FunctionsParams,
  { selection, filters }: FilteredSelection,
  signal: AbortSignal,
): Promise<Answer> {
  const { weights, meta } = await readSide(store, selection, [], signal);
  const { sort, names, search, offset, limit } = params;
  const page = { sort, names, search, offset, limit };
  return pool.run({ kind: 'functions', weights, filters, ...page, meta }, signal);
}

async function sandwich(
  store: Store,
  pool: TreePool,
  params: SandwichParams,
  { selection, filters }: FilteredSelection,
  signal: AbortSignal,
): Promise<Answer> {
  const { weights, meta } = await readSide(store, selection, [], signal);
  const { name, binary, file, format } = params;
  const where: FrameCondition[] = [{ field: 'function', op: '=', value: name }];
  if (binary !== undefined) where.push({ field: 'binary', op: '=', value: binary });
  if (file !== undefined) where.push({ field: 'file', op: '=', value: file });
  const tree = treeParams(params);
  return pool.run({ kind: 'sandwich', tree, filters, where, format, weights, meta }, signal);
}

async function buildWeights(
  store: Store,
  pool: TreePool,
  params: BuildWeightsParams,
  signal: AbortSignal,
): Promise<BuildWeights> {
  const selection = readSelection(params.query, params.range, 'query');
  const weights = await store.merge(selection, [], { signal });
  if (weights.stack.length === 0) return { total: 0, builds: [] };
  const { body } = await pool.run({ kind: 'builds', weights }, signal);
  assert(typeof body === 'string', 'weights by build are JSON');
  return JSON.parse(body) as BuildWeights;
}

async function series(store: Store, params: SeriesParams, signal: AbortSignal): Promise<Answer> {
  const stepMs = chooseStep(params.range, params.stepMs);
  const wide = params.mayAlign === true ? alignToMinute(params.range, stepMs) : params.range;
  const selection = readSelection(params.query, wide, 'query');
  const [groups, coveredMs, summary] = await Promise.all([
    store.timeline(selection, params.by, stepMs, { signal }),
    store.coveredMs(selection, { signal }),
    store.summary(selection, { signal }),
  ]);
  if (summary.profiles === 0) await requireKnownType(store, selection);
  const { type, range } = selection;
  const aggregation = aggregationOf(type);
  const frame = { range, stepMs, aggregation, limit: params.limit };
  const { series: lines, ...frameJson } = await summarizeTimelines(groups, frame);
  const json: Omit<SeriesJson, 'series'> = {
    type: formatProfileType(type),
    unit: type.sampleUnit,
    aggregation,
    from_ms: range.from,
    to_ms: range.to,
    covered_ms: coveredMs,
    ...frameJson,
    quality: qualityOf(summary),
  };
  const series = await joinJson(lines, (line) => line);
  const body = `${JSON.stringify(json).slice(0, -1)},"series":${series}}`;
  return { contentType: 'application/json', body };
}
