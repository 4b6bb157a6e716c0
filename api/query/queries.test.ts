/** The queries over a real store and a real worker thread. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startThread } from '../../cli/thread.ts';
import type { EverflameError } from '../../profile/errors.ts';
import { decodeFg1 } from '../../profile/flame/fg1.ts';
import { MAX_MATCHERS } from '../../profile/limits.ts';
import { formatGraphText } from '../../profile/text.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import { openDuckStore } from '../../store/duckdb/open-store.ts';
import type { Store } from '../../store/store.ts';
import { drawBatch } from '../../test/conformance/drawn-batch.ts';
import type {
  AgentsJson,
  FunctionsJson,
  MergeJson,
  NamesJson,
  ProfilesJson,
  ProfileTypesJson,
  SeriesJson,
} from '../../wire/http.ts';
import type { Answer, MergeParams, Queries } from './params.ts';
import { createQueries } from './queries.ts';
import { QueryLanes } from './query-lanes.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const GOROUTINES = 'goroutines:goroutines:count::';
const T0 = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;
const caller = { client: 'test', signal: new AbortController().signal };

const directory = mkdtempSync(join(tmpdir(), 'everflame-queries-'));
let store: Store;
let queries: Queries;

const range = (from: number, to: number): TimeRange => ({
  from: (T0 + from) as EpochMs,
  to: (T0 + to) as EpochMs,
});
const json = <T>(answer: Answer): T => JSON.parse(answer.body as string) as T;

function mergeParams(more: Partial<MergeParams> = {}): MergeParams {
  const base = { query: CPU, range: range(0, 60_000), format: 'fg1', by: [] } as const;
  return { ...base, filters: [], granularity: 'function', ...more };
}

async function drawn(more: Partial<MergeParams> = {}): Promise<string> {
  const answer = await queries.merge(mergeParams(more), caller);
  return formatGraphText(decodeFg1(answer.body as Uint8Array));
}

async function failure(run: Promise<unknown>): Promise<EverflameError> {
  return run.then(
    () => Promise.reject(new Error('it answered')),
    (error: unknown) => error as EverflameError,
  );
}

beforeAll(async () => {
  store = await openDuckStore({ dataDir: directory, threads: 1 });
  queries = createQueries({
    store,
    symbolizer: { symbolFiles: () => [], missingSymbolFiles: () => [] },
    createWorker: () => startThread('tree-worker'),
    workers: 1,
    lanes: new QueryLanes({ light: 2, heavy: 1 }),
  });
  const cpu = `${SAMPLES}=>${CPU}`;
  const period = 10;
  await store.write(
    drawBatch(store.idKey, {
      id: '01',
      agent: { id: 'agent-1', host: 'h1', version: '0.1.0', kernel: '6.1' },
      windows: [
        {
          seq: 1,
          startMs: T0 as EpochMs,
          lengthMs: 10_000,
          frequencyHz: 19,
          counters: { sampled: 40, excluded: 1, sent: 36, lost_ring_full: 3, busy_cpu_ns: 2e9 },
        },
      ],
      profiles: [
        {
          labels: { service_name: 'a', host: 'h1' },
          tsMs: T0,
          period,
          seq: 1,
          comments: ['first'],
          types: { [cpu]: 'main;parse 20\nmain;eval+apply 6' },
        },
        {
          labels: { service_name: 'b', host: 'h1' },
          tsMs: T0,
          period,
          seq: 1,
          types: { [cpu]: 'main;parse 10', [GOROUTINES]: 'main;wait 5' },
        },
        {
          labels: { service_name: 'a', host: 'h1' },
          tsMs: T0 + 30_000,
          period,
          types: { [cpu]: 'main;parse 1\nmain;fresh 9' },
        },
      ],
    }),
  );
});

afterAll(async () => {
  await queries?.close();
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('merge', () => {
  test('fg1: counts and their multiplier', async () => {
    expect(await drawn()).toBe(`total 0/46
  main@app 0/46
    eval@app 0/6
      ~apply@app 6/6
    fresh@app 9/9
    parse@app 31/31
`);
    const answer = await queries.merge(mergeParams(), caller);
    const graph = decodeFg1(answer.body as Uint8Array);
    expect([graph.multiplier, graph.meta.unit, graph.meta.totalAfterFilters]).toEqual([
      10,
      'nanoseconds',
      460,
    ]);
    expect(graph.meta.quality.series).toMatchObject({ profiles: 3, series: 2, samples: 46 });
    expect(graph.meta.quality.hosts).toMatchObject({
      hosts: 1,
      sampled: 40,
      excluded: 1,
      sent: 36,
      lost: { ring_full: 3 },
      nominalHz: 19,
      effectiveHz: 20,
    });
  });

  test('JSON in units, with the weights conserved', async () => {
    const answer = json<MergeJson>(await queries.merge(mergeParams({ format: 'json' }), caller));
    expect(answer.total).toBe(460);
    expect(answer.nodes.self.reduce((sum, value) => sum + value)).toBe(460);
    expect(answer.nodes.total[0]).toBe(460);
  });

  test('selected by labels and time, grouped', async () => {
    expect(await drawn({ query: `${SAMPLES}{service_name="b"}` })).toContain('total 0/10\n');
    expect(await drawn({ range: range(20_000, 60_000) })).toContain('total 0/10\n');
    expect(await drawn({ by: ['service_name'], maxNodes: 3 })).toBe(`total 0/46 [10 left out]
  a 0/36
    main@app 0/36 [36 left out]
`);
  });

  test('folded', async () => {
    const answer = await queries.merge(mergeParams({ format: 'folded' }), caller);
    expect((answer.body as string).split('\n').sort()).toEqual([
      '',
      'main;eval;apply 60',
      'main;fresh 90',
      'main;parse 310',
    ]);
  });

  test('a gauge is a mean over time, not an integer', async () => {
    const query = GOROUTINES;
    const answer = await queries.merge(mergeParams({ query, range: range(0, 15_000) }), caller);
    const graph = decodeFg1(answer.body as Uint8Array);
    expect(graph.nodeCount).toBe(3);
    expect(graph.meta.totalAfterFilters).toBeGreaterThan(0);
    expect(graph.meta.totalAfterFilters).toBeLessThanOrEqual(5);
  });

  test('a selection without data is an empty graph', async () => {
    expect(await drawn({ query: `${CPU}{service_name="none"}` })).toBe('total 0/0\n');
  });
});

test('diff: both sides of each node', async () => {
  const answer = await queries.diff(
    {
      queryA: `${CPU}{service_name="a"}`,
      rangeA: range(0, 20_000),
      queryB: `${CPU}{service_name="a"}`,
      rangeB: range(20_000, 40_000),
      filters: [],
      mode: 'share',
      format: 'fg1',
      granularity: 'function',
    },
    caller,
  );
  expect(formatGraphText(decodeFg1(answer.body as Uint8Array))).toBe(`total 0/26 -> 0/10
  main@app 0/26 -> 0/10
    eval@app 0/6 -> 0/0
      ~apply@app 6/6 -> 0/0
    fresh@app 0/0 -> 9/9
    parse@app 20/20 -> 1/1
`);
});

test('functions', async () => {
  const page = { sort: 'total', names: 'full', search: 'a', offset: 0, limit: 2 } as const;
  const params = { query: CPU, range: range(0, 60_000), filters: [], ...page };
  const answer = json<FunctionsJson>(await queries.functions(params, caller));
  expect([answer.count, answer.total]).toEqual([4, 460]);
  expect(answer.functions.map((row) => `${row.name} ${row.self}/${row.total}`)).toEqual([
    'main 0/460',
    'parse 310/310',
  ]);
});

test('weights by build: none has an id here, and none is stored of another type', async () => {
  const all = range(0, 60_000);
  const cpu = await queries.buildWeights({ query: CPU, range: all }, caller);
  expect(cpu).toEqual({ total: 460, builds: [] });
  const other = await queries.buildWeights({ query: 'a:b:c:d:e', range: all }, caller);
  expect(other).toEqual({ total: 0, builds: [] });
});

describe('series', () => {
  const params = { query: CPU, range: range(0, 60_000), stepMs: 30_000 };
  test('the whole', async () => {
    const answer = json<SeriesJson>(await queries.series({ ...params, by: [], limit: 10 }, caller));
    expect(answer.ts_ms).toEqual([T0, T0 + 30_000]);
    expect(answer.covered_ms).toBe(20_000);
    expect(answer.series).toMatchObject([{ total: 460, value: [360, 100], samples: [36, 10] }]);
    expect(answer.series[0]?.rate).toEqual([12, 100 / 30]);
    expect(answer.rest).toBeNull();
  });

  test('the largest, and the rest as one', async () => {
    const by = ['service_name'];
    const answer = json<SeriesJson>(await queries.series({ ...params, by, limit: 1 }, caller));
    expect(answer.series).toMatchObject([{ labels: { service_name: 'a' }, total: 360 }]);
    expect(answer.rest).toMatchObject({ count: 1, total: 100 });
  });
});

describe('what is stored', () => {
  test('profile types', async () => {
    const answer = json<ProfileTypesJson>(await queries.profileTypes({}, caller));
    expect(answer.profile_types.map((row) => `${row.type} ${row.aggregation}`)).toEqual([
      `${GOROUTINES} gauge`,
      `${CPU} delta`,
      `${SAMPLES} delta`,
    ]);
  });

  test('label names and values, a page of them', async () => {
    const page = { prefix: '', limit: 1 };
    expect(json<NamesJson>(await queries.labels(page, caller))).toEqual({
      values: ['host'],
      omitted: 1,
    });
    const values = { name: 'service_name', prefix: 'b', limit: 9, query: CPU };
    expect(json<NamesJson>(await queries.labelValues(values, caller)).values).toEqual(['b']);
  });

  test('single profiles', async () => {
    const params = { query: `${CPU}{service_name="a"}`, range: range(0, 20_000), limit: 10 };
    const { profiles } = json<ProfilesJson>(await queries.profiles(params, caller));
    expect(profiles).toMatchObject([
      { ts_ms: T0, labels: { service_name: 'a' }, comments: ['first'] },
    ]);
  });

  test('agents', async () => {
    const { agents } = json<AgentsJson>(await queries.agents({ range: range(0, 60_000) }, caller));
    expect(agents).toMatchObject([{ id: 'agent-1', host: 'h1', windows: 1 }]);
  });
});

describe('refused', () => {
  test('a type that was never stored, with those that are', async () => {
    const query = 'process_cpu:cpu:nanosecond:cpu:nanoseconds';
    const error = await failure(queries.merge(mergeParams({ query }), caller));
    expect(error).toMatchObject({ kind: 'not-found', field: 'query' });
    expect(error.remedy).toContain(`Stored types: ${CPU}`);
  });

  test('a selector with a fault, in the parameter that has it', async () => {
    const sides = { rangeA: range(0, 1), rangeB: range(0, 1), queryA: CPU, queryB: `${CPU}{a=}` };
    const more = { filters: [], mode: 'share', format: 'json', granularity: 'function' } as const;
    const error = await failure(queries.diff({ ...sides, ...more }, caller));
    expect(error).toMatchObject({ kind: 'invalid', field: 'query_b' });
    expect(error.position).toBeGreaterThan(CPU.length);
  });

  test.each([
    ['no type', { query: '{service_name="a"}' }, 'names no profile type'],
    ['a root that is not there', { root: ['parse'] }, 'no stack begins with parse'],
  ])('%s', async (_, more, message) => {
    const error = await failure(queries.merge(mergeParams(more), caller));
    expect(error.message).toContain(message);
  });

  test('two units in one diff', async () => {
    const sides = { rangeA: range(0, 1), rangeB: range(0, 1), queryA: CPU, queryB: SAMPLES };
    const more = { filters: [], mode: 'share', format: 'json', granularity: 'function' } as const;
    const error = await failure(queries.diff({ ...sides, ...more }, caller));
    expect(error).toMatchObject({ kind: 'unprocessable', field: 'query_b' });
  });

  test('a query that is given up', async () => {
    const error = await failure(
      queries.merge(mergeParams(), { client: 'test', signal: AbortSignal.abort() }),
    );
    expect(error).toMatchObject({ kind: 'cancelled' });
  });
});

describe('filters on labels narrow the selection', () => {
  const REQUESTS = 'requests:requests:count::';
  beforeAll(async () => {
    const batch = drawBatch(store.idKey, {
      id: '77',
      profiles: [
        {
          labels: { service_name: 'a', host: 'h1' },
          tsMs: T0,
          types: { [REQUESTS]: '[req=x] a;b 1\n[req=y] a;c 2\na;d 4' },
        },
        { labels: { service_name: 'b' }, tsMs: T0, types: { [REQUESTS]: '[req=x] a;e 8' } },
      ],
    });
    await store.write(batch);
  });

  test.each([
    ['of the series', ['show:label.host=h1'], 'a;b 1\na;c 2\na;d 4\n', 7],
    ['of the series, absent', ['hide:label.host~.'], 'a;e 8\n', 8],
    ['of the sample', ['show:label.req=x'], 'a;b 1\na;e 8\n', 9],
    ['of the sample, absent too', ['hide:label.req=x'], 'a;c 2\na;d 4\n', 6],
    ['of both', ['show:label.req~x|y', 'hide:label.service_name=b'], 'a;b 1\na;c 2\n', 3],
    ['before those on frames', ['show:function=b', 'show:label.host=h1'], 'a;b 1\n', 7],
  ])('%s', async (_, filters, left, before) => {
    const params = mergeParams({ query: REQUESTS, filters, range: range(0, 10) });
    const folded = await queries.merge({ ...params, format: 'folded' }, caller);
    const lines = (folded.body as string).split('\n').filter((line) => line !== '');
    expect(
      lines
        .sort()
        .map((line) => `${line}\n`)
        .join(''),
    ).toBe(left);
    const whole = json<MergeJson>(await queries.merge({ ...params, format: 'json' }, caller));
    expect(whole.total_before_filters).toBe(before);
  });

  test('one more than there may be matchers', async () => {
    const query = `${REQUESTS}{${'a="b",'.repeat(MAX_MATCHERS)}}`;
    const filters = ['show:label.host=h1'];
    const error = await failure(queries.merge(mergeParams({ query, filters }), caller));
    expect(error).toMatchObject({ kind: 'too-large', field: 'filter' });
  });
});
