/**
 * What a tree worker does: weights by stack in, an encoded answer out. Holds the tree of known
 * stacks between jobs; everything else is made for one job.
 */

import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { assert, EverflameError, toErrorRecord } from '../../profile/errors.ts';
import { Arena } from '../../profile/flame/arena.ts';
import type { FlameGraph } from '../../profile/flame/flame-graph.ts';
import { ANSWER_LIMIT, flattenTree, SUMMED_LIMIT } from '../../profile/flame/flatten.ts';
import { type FrameTable, formatPlace, ROOT_FRAME } from '../../profile/flame/frame-table.ts';
import { type PrunedFrames, pruneTree } from '../../profile/flame/prune.ts';
import type { FilterStep } from '../../profile/flame/stack-filters.ts';
import { sumByBuild } from './build-weights.ts';
import { FilteredStacks } from './filtered-stacks.ts';
import { formatFunctionsJson } from './functions-json.ts';
import { encodeGraph, limitsOf } from './graph-answer.ts';
import { buildGraphPprof } from './graph-pprof.ts';
import { LocationFrames } from './location-frames.ts';
import type { Answer, Granularity, TreeParams } from './params.ts';
import { buildPprof } from './pprof-answer.ts';
import { buildProfilePprof } from './profile-pprof.ts';
import {
  encodeSandwich,
  formatSandwichJson,
  SANDWICH_MEDIA_TYPE,
  selfOfFunction,
} from './sandwich.ts';
import { StackTree } from './stack-tree.ts';
import { StopFlag } from './stop-flag.ts';
import { type Demangle, type OpenSymbolFile, SymbolNames } from './symbol-names.ts';
import type {
  BuildsJob,
  FunctionsJob,
  GraphJob,
  PprofJob,
  ProfileJob,
  SandwichJob,
  TreeJob,
  TreeReply,
  TreeRequest,
} from './tree-messages.ts';
import { type FramedWeights, sum, type Weighing, weigh } from './weigh.ts';

const JSON_MEDIA_TYPE = 'application/json';
const PPROF_MEDIA_TYPE = 'application/vnd.google.protobuf';

export class TreeJobs {
  readonly #symbols: SymbolNames;
  /** Columns of the job at hand; nothing of them outlives it. */
  readonly #columns = new Arena();
  #dictionary: DictionaryColumns | null = null;
  #stop = new StopFlag();
  /** Between the parts of a job, and in those that may be long. */
  readonly #checkStop = () => this.#stop.check();
  #known: StackTree | null = null;
  /** What filters look at, without lines and addresses. */
  #texts: LocationFrames | null = null;

  constructor(openSymbolFile: OpenSymbolFile, demangle: Demangle) {
    this.#symbols = new SymbolNames(openSymbolFile, demangle);
  }

  /** Answers a request; an EverflameError becomes a reply, anything else is thrown. */
  reply(request: TreeRequest): TreeReply {
    try {
      this.#columns.reset();
      this.#update(request);
      return { id: request.id, answer: this.#run(request.job) };
    } catch (error) {
      if (error instanceof EverflameError) return { id: request.id, error: toErrorRecord(error) };
      throw error;
    }
  }

  #update(request: TreeRequest): void {
    if (request.stop !== undefined) this.#stop = new StopFlag(request.stop);
    if (request.dictionary !== undefined) {
      this.#dictionary = request.dictionary;
      this.#known?.setDictionary(request.dictionary);
      this.#texts?.setDictionary(request.dictionary);
    }
    if (request.symbolFiles !== undefined) {
      const changed = this.#symbols.update(request.symbolFiles);
      if (changed.size > 0) {
        this.#known?.forget(changed);
        this.#texts?.forget(changed);
      }
    }
  }

  #run(job: TreeJob): Answer {
    switch (job.kind) {
      case 'graph':
        return this.#answerGraph(job);
      case 'functions':
        return this.#answerFunctions(job);
      case 'sandwich':
        return this.#answerSandwich(job);
      case 'pprof':
        return this.#answerPprof(job);
      case 'profile':
        return this.#answerProfile(job);
      case 'builds':
        return this.#answerBuilds(job);
    }
  }

  #stackTree(granularity: Granularity): StackTree {
    const dictionary = this.#dictionary;
    assert(dictionary !== null, 'the first request brings the dictionary');
    if (granularity === 'function' && this.#known !== null) return this.#known;
    const frames = new LocationFrames(granularity, this.#symbols, dictionary);
    const stacks = new StackTree(frames, dictionary);
    if (granularity === 'function') this.#known = stacks;
    return stacks;
  }

  /** Stacks after the steps; null where there are none. */
  #filter(steps: readonly FilterStep[], granularity: Granularity): FilteredStacks | null {
    if (steps.length === 0) return null;
    const dictionary = this.#dictionary;
    assert(dictionary !== null, 'the first request brings the dictionary');
    const frames = this.#textFrames(granularity, dictionary);
    return new FilteredStacks(steps, frames, granularity, dictionary, this.#columns);
  }

  /** Those without lines are kept between jobs; with lines and addresses they are too many. */
  #textFrames(granularity: Granularity, dictionary: DictionaryColumns): LocationFrames {
    const make = (finest: Granularity) =>
      new LocationFrames(finest, this.#symbols, dictionary, 'text');
    if (granularity === 'line' || granularity === 'address') return make(granularity);
    this.#texts ??= make('file');
    return this.#texts;
  }

  #weigh(job: Weighing, steps: readonly FilterStep[], granularity: Granularity): FramedWeights {
    // Quality is told of all stacks, for which any granularity will do.
    const stacks = this.#stackTree(steps.length === 0 ? granularity : 'function');
    const tools = { columns: this.#columns, checkStop: this.#checkStop };
    return weigh(stacks, this.#filter(steps, granularity), job, tools);
  }

  /** What the parameters want of a tree. */
  #flatten(
    { tree, table }: FramedWeights,
    job: Weighing,
    params: TreeParams,
    limit = ANSWER_LIMIT,
  ): FlameGraph {
    const keep = pruneTree(tree, namesOf(table), params);
    this.#checkStop();
    const graph = flattenTree(tree, {
      frames: table,
      keep,
      multiplier: job.weights.multiplier,
      multiplierBase: job.base?.multiplier ?? job.weights.multiplier,
      meta: job.meta,
      columns: this.#columns,
      limit,
    });
    stateTruncated(graph);
    this.#checkStop();
    return graph;
  }

  #answerGraph(job: GraphJob): Answer {
    const weighed = this.#weigh(job, job.filters, job.tree.granularity);
    const limit = job.format === 'dot' ? SUMMED_LIMIT : ANSWER_LIMIT;
    const graph = this.#flatten(weighed, job, limitsOf(job), limit);
    return encodeGraph(graph, job);
  }

  #answerFunctions(job: FunctionsJob): Answer {
    const weighing = { ...job, base: null, by: [] };
    const weighed = this.#weigh(weighing, job.filters, 'function');
    const graph = this.#flatten(weighed, weighing, { granularity: 'function' }, SUMMED_LIMIT);
    return { contentType: JSON_MEDIA_TYPE, body: formatFunctionsJson(graph, job) };
  }

  /** Of filters alone comes the total, of the function's stacks come the graphs. */
  #answerSandwich(job: SandwichJob): Answer {
    const { filters, where, tree } = job;
    const nodes = new Int32Array(job.weights.stack.length);
    const kept = this.#filter(filters, 'function')?.leavesOf(job.weights, nodes, this.#checkStop);
    const total = sum((kept?.leaves ?? job.weights).value) * job.weights.multiplier;
    const side = (action: 'show-from' | 'pivot') => {
      const meta = structuredClone(job.meta);
      const weighing = { weights: job.weights, base: null, by: [], meta };
      const weighed = this.#weigh(weighing, [...filters, { action, where }], tree.granularity);
      meta.totalAfterFilters = total;
      return {
        self: selfOfFunction(weighed, where),
        graph: this.#flatten(weighed, weighing, tree),
      };
    };
    const callees = side('show-from');
    const sandwich = { callers: side('pivot').graph, callees: callees.graph, self: callees.self };
    return job.format === 'fg1'
      ? { contentType: SANDWICH_MEDIA_TYPE, body: encodeSandwich(sandwich) }
      : { contentType: JSON_MEDIA_TYPE, body: formatSandwichJson(sandwich) };
  }

  /** Whole, with all that the writers said; or what filters and limits leave of it. */
  #answerPprof(job: PprofJob): Answer {
    assert(this.#dictionary !== null, 'the first request brings the dictionary');
    const contentType = PPROF_MEDIA_TYPE;
    const { granularity, maxNodes, minFraction, root } = job.tree;
    const whole = maxNodes === undefined && minFraction === undefined && root === undefined;
    if (whole && job.filters.length === 0) {
      const body = buildPprof(this.#dictionary, this.#symbols, job, this.#checkStop);
      return { contentType, body };
    }
    // A pprof has lines and addresses, unless others are asked for.
    const finest = granularity === 'function' ? 'address' : granularity;
    const weighing = { ...job, base: null };
    const weighed = this.#weigh(weighing, job.filters, finest);
    const graph = this.#flatten(weighed, weighing, job.tree);
    return { contentType, body: buildGraphPprof(graph, job) };
  }

  #answerProfile(job: ProfileJob): Answer {
    assert(this.#dictionary !== null, 'the first request brings the dictionary');
    const body = buildProfilePprof(this.#dictionary, this.#symbols, job, this.#checkStop);
    return { contentType: PPROF_MEDIA_TYPE, body };
  }

  #answerBuilds({ weights }: BuildsJob): Answer {
    const { frames } = this.#stackTree('function');
    assert(this.#dictionary !== null, 'the first request brings the dictionary');
    const builds = sumByBuild(this.#dictionary, frames, weights, this.#checkStop);
    return { contentType: JSON_MEDIA_TYPE, body: JSON.stringify(builds) };
  }
}

function namesOf({ frames }: FrameTable): PrunedFrames {
  return {
    nameOf: (row) => frames[row]?.name ?? '',
    placeOf: (row) => formatPlace(frames[row] ?? ROOT_FRAME),
  };
}

function stateTruncated(graph: FlameGraph): void {
  const { meta } = graph;
  meta.quality.series.truncated = sum(graph.folded) * graph.multiplier;
  if (meta.base !== undefined && graph.foldedBase !== null) {
    meta.base.quality.series.truncated = sum(graph.foldedBase) * graph.multiplierBase;
  }
}
