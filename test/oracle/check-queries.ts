/** The queries of /api/v1 over the embedded store, beside plain sums over the store in memory. */
import fc from 'fast-check';
import { Profile } from 'pprof-format';
import type { Answer, Caller, Queries, TreeParams } from '../../api/query/params.ts';
import { createQueries } from '../../api/query/queries.ts';
import { QueryLanes } from '../../api/query/query-lanes.ts';
import { startThread } from '../../cli/thread.ts';
import { EverflameError } from '../../profile/errors.ts';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import { formatSelector } from '../../profile/select/selector.ts';
import type { Selection, Store } from '../../store/store.ts';
import type { FunctionsJson, MergeJson, SandwichJson } from '../../wire/http.ts';
import { checkSeries } from './check-series.ts';
import { inWorld, type StorePair } from './check-stores.ts';
import { type Cut, checkGraph, checkNumber, readGraph } from './graph-answers.ts';
import { type QueryQuestion, queryQuestion } from './query-questions.ts';
import { filterStacks, labelMatchers } from './stack-filters.ts';
import { type OracleFrame, type WeighedStack, weighedStacks } from './stacks.ts';
import { type Question, questionText } from './store-questions.ts';
import { growTree, listNodes, sumFunctions, type TreeNode } from './trees.ts';
import { type Step, world } from './worlds.ts';

const CALLER: Caller = { client: 'oracle', signal: new AbortController().signal };
const ALL_FUNCTIONS = 10_000;

interface Asked {
  queries: Queries;
  expected: Store;
  asked: QueryQuestion;
}

/** Throws with the smallest world and question whose answers differ. */
export async function checkQueries(options: { seed: number; runs: number }): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      world,
      fc.array(queryQuestion, { minLength: 6, maxLength: 12 }),
      (steps: Step[], questions: QueryQuestion[]) =>
        inWorld(steps, (pair) => checkWorld(pair, questions)),
    ),
    { seed: options.seed, numRuns: options.runs },
  );
}

export async function checkWorld(
  { found, expected }: StorePair,
  questions: readonly QueryQuestion[],
): Promise<void> {
  const queries = createQueries({
    store: found,
    symbolizer: { symbolFiles: () => [], missingSymbolFiles: () => [] },
    createWorker: () => startThread('tree-worker'),
    workers: 1,
    lanes: new QueryLanes({ light: 2, heavy: 1 }),
  });
  try {
    for (const asked of questions) {
      for (const [name, check] of Object.entries(CHECKS)) {
        try {
          await check({ queries, expected, asked });
        } catch (cause) {
          const { filters, granularity, maxNodes, minFraction, rootDepth, mode } = asked;
          const more = { filters, granularity, maxNodes, minFraction, rootDepth, mode };
          const text = `${questionText(asked)} ${JSON.stringify(more)}`;
          throw new Error(`${name}: ${(cause as Error).message}\n${text}`, { cause });
        }
      }
    }
  } finally {
    await queries.close();
  }
}

const CHECKS: Record<string, (asked: Asked) => Promise<void>> = {
  merge: checkMerge,
  laws: checkLaws,
  folded: checkFolded,
  pprof: checkPprof,
  diff: checkDiff,
  functions: checkFunctions,
  sandwich: checkSandwich,
  series: ({ queries, expected, asked }) => checkSeries(queries, expected, asked, CALLER),
};

function queryOf({ type, matchers }: Question): string {
  return formatSelector({ type: parseProfileType(type), matchers });
}

/** Stacks of a question as its filters leave them, and the weight before. */
async function readStacks(
  store: Store,
  { type, matchers, range, by }: Question,
  filters: readonly string[],
): Promise<{ stacks: WeighedStack[]; before: number }> {
  const narrowed = [...matchers, ...labelMatchers(filters)];
  const selection: Selection = { type: parseProfileType(type), matchers: narrowed, range };
  const all = await weighedStacks(store, selection, by);
  return { stacks: filterStacks(all, filters), before: weightOf(all) };
}

function weightOf(stacks: readonly WeighedStack[]): number {
  return stacks.reduce((sum, { weight }) => sum + weight, 0);
}

/** The answer, or null where it is an error because nothing of the type was ever stored. */
async function answerOf<T>(
  run: () => Promise<Answer>,
  store: Store,
  type: string,
): Promise<T | null> {
  try {
    return JSON.parse((await run()).body as string) as T;
  } catch (error) {
    const stored = (await store.profileTypes({ matchers: [] })).map((known) => ({ ...known }));
    const wanted = JSON.stringify(parseProfileType(type));
    const isKnown = stored.some((known) => JSON.stringify(known) === wanted);
    if (!isKnown && error instanceof EverflameError && error.kind === 'not-found') return null;
    throw error;
  }
}

/** What is shown of the tree; `root` leads along the heaviest nodes. */
function cutOf(tree: TreeNode, { maxNodes, minFraction, rootDepth }: QueryQuestion) {
  const path: { key: string; frame: OracleFrame }[] = [];
  let at = tree;
  while (path.length < rootDepth) {
    const [heaviest] = [...at.children].sort(([, a], [, b]) => weighNode(b) - weighNode(a));
    if (heaviest === undefined) break;
    path.push({ key: heaviest[0], frame: heaviest[1].frame });
    at = heaviest[1];
  }
  const limits = {
    ...(maxNodes === null ? {} : { maxNodes }),
    ...(minFraction === 0 ? {} : { minFraction }),
  };
  return { limits, path };
}

function weighNode({ total }: TreeNode): number {
  return total.reduce((sum, side) => sum + side, 0);
}

async function checkMerge({ queries, expected, asked }: Asked): Promise<void> {
  const { granularity, filters, by, range, type } = asked;
  const { stacks, before } = await readStacks(expected, asked, filters);
  const tree = growTree([stacks], granularity, by);
  const { limits, path } = cutOf(tree, asked);
  // Places tell frames of one name apart only in the finer granularities.
  const root = granularity === 'function' && isOneNodePerName(tree) ? path : [];
  const params: TreeParams = { granularity, ...limits };
  if (root.length > 0) params.root = root.map(({ frame }) => nameOfFrame(frame));
  const query = queryOf(asked);
  const json = await answerOf<MergeJson>(
    () => queries.merge({ query, range, format: 'json', filters, by, ...params }, CALLER),
    expected,
    type,
  );
  if (json === null) return;
  checkNumber('total', json.total, weightOf(stacks));
  checkNumber('total before filters', json.total_before_filters, before);
  const cut: Cut = { ...limits, root: root.map(({ key }) => key) };
  const graph = readGraph(json, granularity);
  checkGraph(graph, tree, [1], cut);
  const truncated = [...graph.values()].reduce((sum, [side]) => sum + (side?.folded ?? 0), 0);
  checkNumber('truncated', json.quality.series.truncated, truncated, json.total);
}

/** A label's value is shown without the label's name. */
function nameOfFrame({ name, isLabel }: OracleFrame): string {
  if (!isLabel) return name;
  const [label = '', value = ''] = name.split('=');
  return value === '' ? `(no ${label})` : value;
}

function isOneNodePerName(tree: TreeNode): boolean {
  const names = [...tree.children.values()].map(({ frame }) => nameOfFrame(frame));
  const isOne = new Set(names).size === names.length;
  return isOne && [...tree.children.values()].every(isOneNodePerName);
}

/** What is shown and what is hidden of any condition is the whole, and no filter else drops. */
async function checkLaws({ queries, expected, asked }: Asked): Promise<void> {
  const query = queryOf(asked);
  const { range, type } = asked;
  const totals = async (filter: string): Promise<[total: number, before: number] | null> => {
    const params = { query, range, by: [], filters: [filter], granularity: 'function' } as const;
    const run = () => queries.merge({ ...params, format: 'json', minFraction: 0 }, CALLER);
    const json = await answerOf<MergeJson>(run, expected, type);
    if (json === null) return null;
    const { self, folded } = json.nodes;
    const all = [...self, ...folded].reduce((sum, value) => sum + value, 0);
    checkNumber(`nodes of ${filter}`, all, json.total);
    return [json.total, json.total_before_filters];
  };
  for (const filter of asked.filters.slice(0, 1)) {
    const condition = filter.slice(filter.indexOf(':') + 1);
    if (condition.startsWith('label.')) continue;
    const [shown, hidden] = [await totals(`show:${condition}`), await totals(`hide:${condition}`)];
    if (shown === null || hidden === null) return;
    checkNumber('shown and hidden', shown[0] + hidden[0], shown[1]);
    for (const action of ['hide-frames', 'collapse']) {
      const kept = await totals(`${action}:${condition}`);
      if (kept !== null) checkNumber(action, kept[0], kept[1]);
    }
    for (const action of ['show-from', 'pivot']) {
      checkNumber(action, (await totals(`${action}:${condition}`))?.[0] ?? 0, shown[0]);
    }
  }
}

async function checkFolded({ queries, expected, asked }: Asked): Promise<void> {
  const { range, filters } = asked;
  const { stacks } = await readStacks(expected, { ...asked, by: [] }, filters);
  const params = { query: queryOf(asked), range, filters, by: [], format: 'folded' } as const;
  if (stacks.length === 0) return;
  const answer = await queries.merge({ ...params, granularity: 'function' }, CALLER);
  const found = new Map<string, number>();
  for (const line of (answer.body as string).split('\n').filter((text) => text !== '')) {
    const space = line.lastIndexOf(' ');
    const text = line.slice(0, space);
    found.set(text, (found.get(text) ?? 0) + Number(line.slice(space + 1)));
  }
  const sums = new Map<string, number>();
  for (const { frames, weight } of stacks) {
    const text = frames.map(({ name }) => name).join(';') || '[root]';
    sums.set(text, (sums.get(text) ?? 0) + weight);
  }
  for (const text of new Set([...sums.keys(), ...found.keys()])) {
    checkNumber(`folded ${text}`, found.get(text) ?? 0, sums.get(text) ?? 0);
  }
}

/**
 * Its values are whole numbers: each may be off by half of one where the weight is not. It is refused
 * where one has more than 64 bits; stacks that are one sample may have them together.
 */
async function checkPprof({ queries, expected, asked }: Asked): Promise<void> {
  const { range, filters, by } = asked;
  const { stacks } = await readStacks(expected, asked, filters);
  if (stacks.length === 0) return;
  const params = { query: queryOf(asked), range, filters, by, format: 'pprof' } as const;
  const run = () => queries.merge({ ...params, granularity: 'function' }, CALLER);
  const [given] = await Promise.allSettled([run()]);
  const isOver = stacks.some(({ weight }) => weight >= 2 ** 63);
  if (given.status === 'rejected' || isOver) {
    if (given.status === 'rejected' && isTooHeavy(given.reason, weightOf(stacks))) return;
    throw given.status === 'rejected' ? given.reason : new Error('the pprof has over 64 bits');
  }
  const { body } = given.value;
  const { sample } = Profile.decode(body as Uint8Array);
  const total = sample.reduce((sum, { value }) => sum + Number(value[0]), 0);
  const isWhole = stacks.every(({ weight }) => Number.isInteger(weight));
  const wanted = weightOf(stacks);
  if (isWhole) checkNumber('total of the pprof', total, wanted);
  else if (Math.abs(total - wanted) > stacks.length / 2 + 1e-9 * wanted) {
    throw new Error(`total of the pprof: ${total} for ${wanted}`);
  }
}

function isTooHeavy(error: unknown, total: number): boolean {
  return error instanceof EverflameError && error.kind === 'unprocessable' && total >= 2 ** 63;
}

async function checkDiff({ queries, expected, asked }: Asked): Promise<void> {
  const { filters, granularity, mode, base, type } = asked;
  const a = await readStacks(expected, { ...base, by: [] }, filters);
  const b = await readStacks(expected, { ...asked, by: [] }, filters);
  const tree = growTree([b.stacks, a.stacks], granularity, []);
  const { limits } = cutOf(tree, { ...asked, rootDepth: 0 });
  const params = {
    ...{ queryA: queryOf(base), rangeA: base.range, queryB: queryOf(asked), rangeB: asked.range },
    ...{ mode, filters, granularity, ...limits },
  };
  const run = () => queries.diff({ ...params, format: 'json' }, CALLER);
  const json = await answerOf<MergeJson>(run, expected, type);
  if (json === null) return;
  const [totalB, totalA] = [weightOf(b.stacks), weightOf(a.stacks)];
  const scaleOf = (total: number, { range }: Question): number => {
    if (mode === 'share') return total === 0 ? 0 : 1 / total;
    return mode === 'rate' ? 1000 / (range.to - range.from) : 1;
  };
  const scales = [scaleOf(totalB, asked), scaleOf(totalA, base)];
  checkNumber('total of B', json.total, totalB * (scales[0] as number));
  checkNumber('total of A', json.base?.total ?? -1, totalA * (scales[1] as number));
  checkGraph(readGraph(json, granularity), tree, scales, limits);
}

async function checkFunctions({ queries, expected, asked }: Asked): Promise<void> {
  const { range, filters, type, limit } = asked;
  const { stacks, before } = await readStacks(expected, { ...asked, by: [] }, filters);
  const base = { query: queryOf(asked), range, filters, names: 'full', search: '' } as const;
  const ask = (sort: 'self' | 'total' | 'name', search: string, from: number, count: number) =>
    answerOf<FunctionsJson>(
      () => queries.functions({ ...base, sort, search, offset: from, limit: count }, CALLER),
      expected,
      type,
    );
  const json = await ask('self', '', 0, ALL_FUNCTIONS);
  if (json === null) return;
  checkNumber('total', json.total, weightOf(stacks));
  checkNumber('total before filters', json.total_before_filters, before);
  const sums = sumFunctions(stacks);
  checkNumber('functions', json.count, sums.size);
  let above = Number.POSITIVE_INFINITY;
  for (const { name, binary, self, total, reason } of json.functions) {
    const key = reason === '' ? `${name} in ${binary}` : name;
    checkNumber(`self of ${key}`, self, sums.get(key)?.self ?? -1);
    checkNumber(`total of ${key}`, total, sums.get(key)?.total ?? -1);
    if (self > above) throw new Error(`${key} is out of order`);
    above = self;
  }
  const names = [...sums.values()].map(({ name }) => name).sort();
  const page = await ask('name', '[a-c]', 1, limit);
  const listed = names.filter((name) => /[a-c]/.test(name));
  checkNumber('functions found', page?.count ?? -1, listed.length);
  const shown = page?.functions.map(({ name }) => name).join() ?? '';
  const wanted = listed.slice(1, 1 + limit).join();
  if (shown !== wanted) throw new Error(`page of functions: ${shown} for ${wanted}`);
}

async function checkSandwich({ queries, expected, asked }: Asked): Promise<void> {
  const { range, filters, granularity, type, functionName: name } = asked;
  const { stacks } = await readStacks(expected, { ...asked, by: [] }, filters);
  const params = { query: queryOf(asked), range, filters, name, granularity } as const;
  const run = () => queries.sandwich({ ...params, format: 'json' }, CALLER);
  const json = await answerOf<SandwichJson>(run, expected, type);
  if (json === null) return;
  const callees = filterStacks(stacks, [`show-from:function=${name}`]);
  const callers = filterStacks(stacks, [`pivot:function=${name}`]);
  const tree = growTree([callees], granularity, []);
  checkGraph(readGraph(json.callees, granularity), tree, [1], {});
  checkGraph(readGraph(json.callers, granularity), growTree([callers], granularity, []), [1], {});
  checkNumber('total', json.total, weightOf(stacks));
  checkNumber('total of the function', json.function.total, weightOf(callees));
  const own = listNodes(tree).filter(({ node }) => node.frame.name === name);
  const self = own.reduce((sum, { node }) => sum + (node.self[0] ?? 0), 0);
  checkNumber('self of the function', json.function.self, self);
}
