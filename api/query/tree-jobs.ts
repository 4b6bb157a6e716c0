/**
 * What a tree worker does: weights by stack in, an encoded answer out. Holds the tree of known
 * stacks between jobs; everything else is made for one job.
 */

import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { assert, EverflameError, toErrorRecord } from '../../profile/errors.ts';
import { Arena, type ColumnSource } from '../../profile/flame/arena.ts';
import { type DiffMode, scaleOf, sidesOf } from '../../profile/flame/diff.ts';
import { encodeFg1, FG1_MEDIA_TYPE } from '../../profile/flame/fg1.ts';
import type { FlameGraph, FlameMeta } from '../../profile/flame/flame-graph.ts';
import { flattenTree } from '../../profile/flame/flatten.ts';
import { formatFolded } from '../../profile/flame/folded.ts';
import { formatPlace, ROOT_FRAME } from '../../profile/flame/frame-table.ts';
import { pruneTree } from '../../profile/flame/prune.ts';
import type { LeafWeights, WeightedTree } from '../../profile/flame/weighted-tree.ts';
import { gatherTree } from '../../profile/flame/weighted-tree.ts';
import { sumByBuild } from './build-weights.ts';
import { formatFunctionsJson } from './functions-json.ts';
import { formatGraphJson } from './graph-json.ts';
import { gatherGroups } from './grouped-tree.ts';
import { LocationFrames } from './location-frames.ts';
import type { Answer, Granularity } from './params.ts';
import { buildPprof } from './pprof-answer.ts';
import { StackTree } from './stack-tree.ts';
import { StopFlag } from './stop-flag.ts';
import { type Demangle, type OpenSymbolFile, SymbolNames } from './symbol-names.ts';
import type {
  BuildsJob,
  FunctionsJob,
  GraphJob,
  PprofJob,
  StackWeights,
  TreeJob,
  TreeReply,
  TreeRequest,
} from './tree-messages.ts';

const JSON_MEDIA_TYPE = 'application/json';

export class TreeJobs {
  readonly #symbols: SymbolNames;
  /** Columns of the job at hand; nothing of them outlives it. */
  readonly #columns = new Arena();
  #dictionary: DictionaryColumns | null = null;
  #stop = new StopFlag();
  /** Between the parts of a job, and in those that may be long. */
  readonly #checkStop = () => this.#stop.check();
  #known: StackTree | null = null;

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
    }
    if (request.symbolFiles !== undefined) {
      const changed = this.#symbols.update(request.symbolFiles);
      if (changed.size > 0) this.#known?.forget(changed);
    }
  }

  #run(job: TreeJob): Answer {
    switch (job.kind) {
      case 'graph':
        return this.#answerGraph(job);
      case 'functions':
        return this.#answerFunctions(job);
      case 'pprof':
        return this.#answerPprof(job);
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

  #answerGraph(job: GraphJob): Answer {
    const stacks = this.#stackTree(job.tree.granularity);
    const columns = this.#columns;
    const tree = weigh(stacks, job, job.base, job.by, columns, this.#checkStop);
    const frames = stacks.frames.table;
    const names = {
      nameOf: (row: number) => frames.frames[row]?.name ?? '',
      placeOf: (row: number) => formatPlace(frames.frames[row] ?? ROOT_FRAME),
    };
    const keep = pruneTree(tree, names, job.tree);
    this.#checkStop();
    const graph = flattenTree(tree, {
      frames,
      keep,
      multiplier: job.weights.multiplier,
      multiplierBase: job.base?.multiplier ?? job.weights.multiplier,
      meta: job.meta,
      columns,
    });
    stateTruncated(graph);
    this.#checkStop();
    return encodeGraph(graph, job.format, job.base === null ? 'absolute' : job.mode);
  }

  #answerFunctions(job: FunctionsJob): Answer {
    const stacks = this.#stackTree('function');
    const columns = this.#columns;
    const tree = weigh(stacks, job, null, [], columns, this.#checkStop);
    const { multiplier } = job.weights;
    const frames = stacks.frames.table;
    const graph = flattenTree(tree, { frames, multiplier, meta: job.meta, columns });
    this.#checkStop();
    return { contentType: JSON_MEDIA_TYPE, body: formatFunctionsJson(graph, job) };
  }

  #answerPprof(job: PprofJob): Answer {
    assert(this.#dictionary !== null, 'the first request brings the dictionary');
    const body = buildPprof(this.#dictionary, this.#symbols, job, this.#checkStop);
    return { contentType: 'application/vnd.google.protobuf', body };
  }

  #answerBuilds({ weights }: BuildsJob): Answer {
    const { frames } = this.#stackTree('function');
    assert(this.#dictionary !== null, 'the first request brings the dictionary');
    const builds = sumByBuild(this.#dictionary, frames, weights, this.#checkStop);
    return { contentType: JSON_MEDIA_TYPE, body: JSON.stringify(builds) };
  }
}

/** The tree of the weights; totals and the quality of both sides go into `meta`. */
function weigh(
  stacks: StackTree,
  { weights, meta }: { weights: StackWeights; meta: FlameMeta },
  base: StackWeights | null,
  by: readonly string[],
  columns: ColumnSource,
  checkStop: () => void,
): WeightedTree {
  const sides = base === null ? [weights] : [weights, base];
  const [node, nodeBase] = stacks.leavesOf(
    sides.map((side) => side.stack),
    checkStop,
  );
  assert(node !== undefined, 'there are leaves for each side');
  const { stack, value, multiplier } = weights;
  stacks.addQuality(meta.quality.series, stack, value, multiplier);
  meta.totalBeforeFilters = sum(value) * multiplier;
  meta.totalAfterFilters = meta.totalBeforeFilters;
  const leaves: LeafWeights = { node, value };
  checkStop();
  if (base === null || nodeBase === undefined) {
    return by.length === 0
      ? gatherTree(stacks.tree, leaves, null, columns)
      : gatherGroups(stacks, leaves, weights, by);
  }
  if (meta.base !== undefined) {
    stacks.addQuality(meta.base.quality.series, base.stack, base.value, base.multiplier);
    meta.base.total = sum(base.value) * base.multiplier;
  }
  return gatherTree(stacks.tree, leaves, { node: nodeBase, value: base.value }, columns);
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let row = 0; row < values.length; row++) total += values[row] as number;
  return total;
}

function stateTruncated(graph: FlameGraph): void {
  const { meta } = graph;
  meta.quality.series.truncated = sum(graph.folded) * graph.multiplier;
  if (meta.base !== undefined && graph.foldedBase !== null) {
    meta.base.quality.series.truncated = sum(graph.foldedBase) * graph.multiplierBase;
  }
}

function encodeGraph(graph: FlameGraph, format: GraphJob['format'], mode: DiffMode): Answer {
  switch (format) {
    case 'fg1':
      return { contentType: FG1_MEDIA_TYPE, body: encodeFg1(graph) };
    case 'folded':
      return { contentType: 'text/plain; charset=utf-8', body: formatFolded(graph) };
    case 'json': {
      const sides = sidesOf(graph);
      const scales = { b: scaleOf(sides.b, mode), a: scaleOf(sides.a, mode) };
      return { contentType: JSON_MEDIA_TYPE, body: formatGraphJson(graph, mode, scales) };
    }
  }
}
