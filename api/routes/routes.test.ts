/** The routes over the real store, workers and symbolizer. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServerApp } from '../../cli/server-app.ts';
import { openServerApp } from '../../cli/server-app.ts';
import { decodeFg1 } from '../../profile/flame/fg1.ts';
import { encodePprof } from '../../profile/pprof/encode.ts';
import { formatGraphText } from '../../profile/text.ts';
import { openByteSource } from '../../symbolizer/elf/byte-reader.ts';
import { planStrip } from '../../symbolizer/elf/strip.ts';
import { pprofFromText } from '../../test/pprof-text.ts';
import type {
  DebuginfoJson,
  DebuginfoStateJson,
  FunctionsJson,
  MergeJson,
  NamesJson,
  Problem,
  ProfileTypesJson,
  PushJson,
  SandwichJson,
  SeriesJson,
  WantedJson,
} from '../../wire/http.ts';
import { encodeWriteRaw } from '../../wire/write-raw.ts';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const NOW = Date.now();
const FROM = String(NOW - 3_600_000);
const TO = String(NOW + 60_000);
const SHOP = `${TYPE}{service_name="shop"}`;
const BASE = 'main;parse 60\nmain;write 40';
const NEXT = 'main;parse 90\nmain;write 10';

const folder = mkdtempSync(join(tmpdir(), 'everflame-routes-'));
const logged: string[] = [];
let server: ServerApp;

beforeAll(async () => {
  server = await openServerApp({
    dataDir: folder,
    debuginfoBytes: 1e9,
    pathPrefix: '',
    insecure: false,
    log: (line) => logged.push(line),
  });
  await pushRaw({ service_name: 'shop', version: '1' }, BASE, NOW - 60_000);
  await pushRaw({ service_name: 'shop', version: '2' }, NEXT, NOW - 30_000);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
  expect(logged).toEqual([]);
});

type Labels = Record<string, string>;

function writeRaw(labels: Labels, profiles: Uint8Array[]): Uint8Array {
  const pairs = Object.entries(labels).map(([name, value]) => ({ name, value }));
  const series = [{ labels: pairs, profiles }];
  return encodeWriteRaw({ tenant: '', series, normalized: false, report: null });
}

async function pushRaw(
  labels: Labels,
  folded: string,
  timeMs: number,
  key = '',
): Promise<PushJson> {
  const response = await post(
    '/api/profiles/writeraw',
    writeRaw(labels, [pprofFromText(folded, { timeMs })]),
    { 'content-type': 'application/x-protobuf', 'idempotency-key': key },
  );
  expect(response.status).toBe(200);
  return (await response.json()) as PushJson;
}

async function get(path: string, parameters: Labels = {}, headers: Labels = {}) {
  return server.app.request(`${path}?${new URLSearchParams(parameters)}`, { headers });
}

async function post(path: string, body: Uint8Array | string, headers: Labels = {}) {
  const bytes = typeof body === 'string' ? body : (body as Uint8Array<ArrayBuffer>);
  return server.app.request(path, { method: 'POST', body: bytes, headers });
}

async function getJson<T>(path: string, parameters: Labels): Promise<T> {
  const response = await get(path, parameters);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text) as T;
}

describe('pushing', () => {
  test('the same key twice is one write', async () => {
    const labels = { service_name: 'twice' };
    await pushRaw(labels, 'a 7', NOW - 60_000, 'key-1');
    await pushRaw(labels, 'a 7', NOW - 60_000, 'key-1');
    const query = `${TYPE}{service_name="twice"}`;
    const { total } = await getJson<MergeJson>('/api/v1/merge', { query, from: FROM, to: TO });
    expect(total).toBe(7);
  });

  test.each([
    ['seconds', (ms: number) => String(ms / 1000)],
    ['milliseconds', (ms: number) => String(ms)],
    ['nanoseconds', (ms: number) => `${ms}000000`],
  ])("Pyroscope's /ingest with times in %s", async (unit, write) => {
    const startMs = Math.floor(NOW / 1000) * 1000 - 120_000;
    const parameters = new URLSearchParams({
      name: `pyro{unit=${unit}}`,
      from: write(startMs),
      until: write(startMs + 10_000),
      spyName: 'gospy',
      sampleRate: '100',
    });
    const body = pprofFromText('main;run 5', { timeMs: 0 });
    const response = await post(`/ingest?${parameters}`, body);
    expect(response.status, await response.text()).toBe(200);
    const query = `${TYPE}{service_name="pyro",unit="${unit}"}`;
    const range = { from: String(startMs), to: String(startMs + 1) };
    expect((await getJson<MergeJson>('/api/v1/merge', { query, ...range })).total).toBe(5);
  });
});

describe('reading', () => {
  test('types, labels and values', async () => {
    const { profile_types: types } = await getJson<ProfileTypesJson>('/api/v1/profile_types', {});
    expect(types.map(({ type }) => type)).toContain(TYPE);
    const names = await getJson<NamesJson>('/api/v1/labels', { query: SHOP });
    expect(names).toEqual({ values: ['service_name', 'version'], omitted: 0 });
    const values = await getJson<NamesJson>('/api/v1/labels/version/values', {
      query: SHOP,
      limit: '1',
    });
    expect(values).toEqual({ values: ['1'], omitted: 1 });
  });

  test('POST with the same in JSON is the same', async () => {
    const rows: [path: string, parameters: Record<string, unknown>][] = [
      ['/api/v1/profile_types', { query: SHOP }],
      ['/api/v1/labels', { query: SHOP, limit: 5 }],
      ['/api/v1/labels/version/values', { prefix: '1' }],
      ['/api/v1/series', { query: SHOP, from: FROM, to: TO, step: '5m', by: ['version'] }],
      ['/api/v1/profiles', { query: SHOP, from: FROM, to: TO, limit: 1 }],
      ['/api/v1/merge', { query: SHOP, from: FROM, to: TO, max_nodes: 2 }],
      ['/api/v1/merge', { query: SHOP, from: FROM, to: TO, filter: ['hide:function~^[pw],r'] }],
      ['/api/v1/functions', { query: SHOP, from: FROM, to: TO, search: '^p' }],
      ['/api/v1/sandwich', { query: SHOP, from: FROM, to: TO, function: 'parse', max_nodes: 9 }],
      [
        '/api/v1/diff',
        { query_a: SHOP, from_a: FROM, to_a: TO, query_b: SHOP, from_b: FROM, to_b: TO },
      ],
      ['/api/v1/agents', { from: FROM, to: TO }],
      ['/api/v1/debuginfo', { from: FROM, to: TO }],
    ];
    for (const [path, parameters] of rows) {
      const texts = Object.entries(parameters).map(([name, value]) => [name, String(value)]);
      const got = await get(path, Object.fromEntries(texts));
      const posted = await post(path, JSON.stringify(parameters));
      const text = await got.text();
      expect([got.status, text], path).toEqual([posted.status, await posted.text()]);
      expect(got.status, text).toBe(200);
    }
  });

  test('series by label', async () => {
    const { series } = await getJson<SeriesJson>('/api/v1/series', {
      query: SHOP,
      from: FROM,
      to: TO,
      by: 'version',
    });
    expect(series.map(({ labels, total }) => [labels.version, total]).sort()).toEqual([
      ['1', 100],
      ['2', 100],
    ]);
  });

  test('a series begins with a whole minute where its caller names no moment', async () => {
    const moment = String(Math.floor(Date.now() / 60_000) * 60_000 - 5_400_001);
    const asked = [
      ['now-90m', '1m'],
      [moment, '1m'],
      [moment, '90s'],
    ] as const;
    const froms: boolean[] = [];
    for (const [from, step] of asked) {
      const { from_ms } = await getJson<SeriesJson>('/api/v1/series', { query: SHOP, from, step });
      froms.push(from_ms % 60_000 === 0);
    }
    expect(froms).toEqual([true, false, false]);
  });

  test('functions', async () => {
    const { functions, total } = await getJson<FunctionsJson>('/api/v1/functions', {
      query: SHOP,
      from: FROM,
      to: TO,
    });
    expect(functions.map((row) => [row.name, row.self, row.total])).toEqual([
      ['parse', 150, 150],
      ['write', 50, 50],
      ['main', 0, 200],
    ]);
    expect(total).toBe(200);
  });

  test('a diff holds both sides', async () => {
    const response = await get('/api/v1/diff', {
      query_a: `${TYPE}{version="1"}`,
      from_a: FROM,
      to_a: TO,
      query_b: `${TYPE}{version="2"}`,
      from_b: FROM,
      to_b: TO,
      format: 'fg1',
    });
    const graph = decodeFg1(new Uint8Array(await response.arrayBuffer()));
    expect([...(graph.selfBase ?? [])].sort()).toEqual([0, 0, 40, 60]);
    expect([...graph.self].sort()).toEqual([0, 0, 10, 90]);
  });
});

describe('filters', () => {
  const selection = { query: SHOP, from: FROM, to: TO };

  test('repeated, they apply one after the other', async () => {
    const parameters = new URLSearchParams({ ...selection, format: 'folded' });
    parameters.append('filter', 'show:label.version=2');
    parameters.append('filter', 'show-from:function~^p');
    const response = await server.app.request(`/api/v1/merge?${parameters}`);
    expect(await response.text()).toBe('parse 90\n');
  });

  test('of functions, with both totals', async () => {
    const parameters = { ...selection, filter: 'hide:function=write' };
    const answer = await getJson<FunctionsJson>('/api/v1/functions', parameters);
    expect(answer.functions.map((row) => [row.name, row.self, row.total])).toEqual([
      ['parse', 150, 150],
      ['main', 0, 150],
    ]);
    expect([answer.total, answer.total_before_filters]).toEqual([150, 200]);
  });

  test('of both sides of a diff', async () => {
    const answer = await getJson<MergeJson>('/api/v1/diff', {
      query_a: `${TYPE}{version="1"}`,
      from_a: FROM,
      to_a: TO,
      query_b: `${TYPE}{version="2"}`,
      from_b: FROM,
      to_b: TO,
      mode: 'absolute',
      filter: 'hide:function=write',
    });
    expect([answer.total, answer.total_before_filters]).toEqual([90, 100]);
    expect([answer.base?.total, answer.base?.total_before_filters]).toEqual([60, 100]);
  });

  test('a fault is told with its place', async () => {
    const response = await get('/api/v1/merge', { ...selection, filter: 'hide:function~(' });
    expect(response.status).toBe(400);
    const problem = (await response.json()) as Problem;
    expect([problem.parameter, problem.position]).toEqual(['filter', 14]);
  });
});

test('sandwich', async () => {
  const parameters = { query: SHOP, from: FROM, to: TO, function: 'parse' };
  const answer = await getJson<SandwichJson>('/api/v1/sandwich', parameters);
  expect(answer.function).toEqual({ self: 150, total: 150 });
  expect([answer.total, answer.callers.nodes.total]).toEqual([200, [150, 150, 150]]);
  const accept = 'application/vnd.everflame.fg1-pair';
  const pair = await get('/api/v1/sandwich', parameters, { accept });
  expect(pair.headers.get('content-type')).toBe(accept);
  const missing = await get('/api/v1/sandwich', { query: SHOP, from: FROM, to: TO });
  expect(await missing.text()).toContain('the parameter function is missing');
});

describe('formats', () => {
  const selection = { query: SHOP, from: FROM, to: TO };
  const FG1 = 'application/vnd.everflame.fg1';
  test.each([
    ['', '', 'application/json'],
    ['json', FG1, 'application/json'],
    ['fg1', '', FG1],
    ['folded', '', 'text/plain; charset=utf-8'],
    ['pprof', '', 'application/octet-stream'],
    ['speedscope', '', 'application/x-speedscope+json'],
    ['svg', '', 'image/svg+xml; charset=utf-8'],
    ['dot', '', 'text/vnd.graphviz; charset=utf-8'],
    ['', 'image/svg+xml', 'image/svg+xml; charset=utf-8'],
    ['', FG1, FG1],
    ['', `text/html, ${FG1};q=0.9, */*;q=0.1`, FG1],
    ['', 'text/plain', 'text/plain; charset=utf-8'],
    ['', '*/*', 'application/json'],
  ])('format=%s, Accept: %s -> %s', async (format, accept, contentType) => {
    const parameters = format === '' ? selection : { ...selection, format };
    const response = await get('/api/v1/merge', parameters, accept === '' ? {} : { accept });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(contentType);
  });

  test('each holds the same', async () => {
    const bytesOf = async (format: string) =>
      new Uint8Array(await (await get('/api/v1/merge', { ...selection, format })).arrayBuffer());
    const textOf = async (format: string) => Buffer.from(await bytesOf(format)).toString();
    expect(await textOf('speedscope')).toContain('"weights":[150,50]');
    expect(await textOf('svg')).toContain('<title>parse (app): 150 ns, 75.0 %; own 150 ns</title>');
    expect(await textOf('dot')).toContain('own 150 ns (75.0 %)');
    expect(await textOf('folded')).toBe('main;parse 150\nmain;write 50\n');
    expect(formatGraphText(decodeFg1(await bytesOf('fg1')))).toContain('parse@app 150/150');
    const pprof = Profile.decode(gunzipSync(await bytesOf('pprof')));
    expect(pprof.sample.map(({ value }) => Number(value[0])).sort()).toEqual([150, 50]);
  });

  test('what other programs open has a name; a picture runs nothing', async () => {
    const headersOf = async (format: string) =>
      (await get('/api/v1/merge', { ...selection, format })).headers;
    const names = ['pprof', 'speedscope', 'svg', 'dot'].map(async (format) =>
      (await headersOf(format)).get('content-disposition'),
    );
    expect(await Promise.all(names)).toEqual([
      'attachment; filename="profile.pb.gz"',
      'attachment; filename="profile.speedscope.json"',
      'inline; filename="profile.svg"',
      'attachment; filename="profile.gv"',
    ]);
    const policy = (await headersOf('svg')).get('content-security-policy');
    expect(policy).toBe("default-src 'none'; sandbox");
  });

  test('large answers are compressed for those who take it', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `main;function_number_${i} 1`);
    await pushRaw({ service_name: 'wide' }, names.join('\n'), NOW - 60_000);
    const parameters = { ...selection, query: `${TYPE}{service_name="wide"}` };
    const headers = { 'accept-encoding': 'gzip' };
    const packed = await get('/api/v1/merge', parameters, headers);
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    const body = gunzipSync(new Uint8Array(await packed.arrayBuffer())).toString();
    expect(body).toBe(await (await get('/api/v1/merge', parameters)).text());
  });
});

describe('debuginfo', () => {
  const path = '/bin/true';
  const source = openByteSource(path);
  const plan = planStrip(source);
  source.close();
  const original = readFileSync(path);
  if (plan === null) throw new Error(`${path} has no symbols`);

  async function stripped(): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = [];
    const read = async (offset: number, length: number) =>
      original.subarray(offset, offset + length);
    for await (const chunk of plan!.chunks(read, 0)) chunks.push(Uint8Array.from(chunk));
    return Uint8Array.from(Buffer.concat(chunks));
  }

  const ask = async () => {
    const { buildId, kind, sizeBytes } = plan;
    const question = [{ build_id: buildId, kind, file: 'true', size: sizeBytes }];
    const response = await post('/api/v1/debuginfo/wanted', JSON.stringify(question));
    return ((await response.json()) as WantedJson).wanted[0];
  };

  const put = async (body: Uint8Array<ArrayBuffer>, lease: string, range: string) => {
    const parameters = new URLSearchParams({ kind: plan.kind, file: 'true', lease });
    const url = `/api/v1/debuginfo/${encodeURIComponent(plan.buildId)}?${parameters}`;
    const headers = { 'content-range': range };
    return server.app.request(url, { method: 'PUT', body, headers });
  };

  test('wanted, sent in two parts, there', async () => {
    const body = await stripped();
    const total = body.length;
    const wanted = await ask();
    expect(wanted).toMatchObject({ build_id: plan.buildId, wanted: plan.kind, offset: 0 });
    const lease = wanted?.lease ?? '';
    const first = await put(body.slice(0, 1000), lease, `bytes 0-999/${total}`);
    expect(await first.json()).toMatchObject({ received_bytes: 1000, complete: false });
    const second = await put(body.slice(1000), lease, `bytes 1000-${total - 1}/${total}`);
    expect(await second.json()).toMatchObject({ received_bytes: total, complete: true });
    expect((await ask())?.wanted).toBe('no');
    const { debuginfo } = await getJson<DebuginfoJson>('/api/v1/debuginfo', {});
    expect(debuginfo).toMatchObject([
      { build_id: plan.buildId, file: 'true', state: 'ready', sources: [{ origin: 'upload' }] },
    ]);
  });

  test('one row, again, and no more', async () => {
    const path = `/api/v1/debuginfo/${plan.buildId}`;
    const row = await getJson<DebuginfoStateJson>(path, {});
    expect(row).toMatchObject({ build_id: plan.buildId, file: 'true', state: 'ready' });
    const retry = await post(`${path}/retry`, '');
    expect(await retry.json()).toEqual({ done: true });
    const removed = () => server.app.request(path, { method: 'DELETE' });
    expect([(await removed()).status, (await removed()).status]).toEqual([200, 404]);
    expect((await get(path, {})).status).toBe(404);
    expect((await get(`/buildid/${plan.buildId}/debuginfo`, {})).status).toBe(404);
  });

  test('binaries without a build id have rows: the names missed are those that graphs miss', async () => {
    const lines = (address: bigint, mapping: number) => ({ mapping, address, lines: [] });
    const mapping = { start: 0x400000n, limit: 0x500000n, offset: 0n, buildId: '' };
    const pprof = encodePprof({
      sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
      periodType: { type: 'cpu', unit: 'nanoseconds' },
      period: 1,
      timeNanos: BigInt(NOW - 60_000) * 1_000_000n,
      durationNanos: 10_000_000_000n,
      comments: [],
      mappings: [
        { ...mapping, file: '/srv/old/app' },
        { ...mapping, start: 0x500000n, limit: 0x600000n, file: '/srv/new/app' },
      ],
      functions: [],
      locations: [lines(0x401000n, 0), lines(0x501000n, 1), lines(0x601000n, -1)],
      samples: {
        count: 3,
        offsets: Uint32Array.of(0, 1, 3, 4),
        locations: Uint32Array.of(0, 1, 0, 2),
        values: Float64Array.of(3, 5, 2),
      },
    });
    const body = writeRaw({ service_name: 'no-id' }, [pprof]);
    const headers = { 'content-type': 'application/x-protobuf' };
    expect((await post('/api/profiles/writeraw', body, headers)).status).toBe(200);
    const parameters = { query: `${TYPE}{service_name="no-id"}`, from: FROM, to: TO };
    const { debuginfo } = await getJson<DebuginfoJson>('/api/v1/debuginfo', parameters);
    const rows = debuginfo.filter(({ total }) => total > 0);
    const { quality } = await getJson<MergeJson>('/api/v1/merge', parameters);
    expect(quality.series.unsymbolized).toEqual({ 'no build id': 8 });
    expect(rows).toMatchObject([
      { build_id: '', file: 'app', state: 'absent', self: 8, unsymbolized: { 'no build id': 8 } },
    ]);
    expect(rows[0]?.remedy).toContain('-Wl,--build-id');
  });

  test.each([
    ['', 'Content-Range'],
    ['bytes 0-9', 'Content-Range'],
    ['bytes 5-4/10', 'Content-Range'],
    ['bytes 0-10/10', 'Content-Range'],
    ['bytes 0-9/99999999999', 'Content-Range'],
    ['bytes 0-4/10', 'body'],
  ])('Content-Range %j', async (range, parameter) => {
    const response = await put(new Uint8Array(10), 'x', range);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    const problem = (await response.json()) as { parameter?: string };
    if (parameter === 'Content-Range') expect(problem.parameter).toBe(parameter);
  });
});

test('what happened is in the metrics', async () => {
  const counters = { sampled: 19, sent: 12, lost_ring_full: 7, incomplete_user_stack_failed: 2 };
  const window = { seq: 1, startMs: NOW - 60_000, lengthMs: 10_000, frequencyHz: 19, counters };
  const report = {
    ...{ batchId: 'b1', agentId: 'a1', agentVersion: '1', host: 'h1', kernel: '6.1' },
    windows: [window],
  };
  const pushed = encodeWriteRaw({ tenant: '', series: [], normalized: false, report });
  const headers = { 'content-type': 'application/x-protobuf' };
  expect((await post('/api/profiles/writeraw', pushed, headers)).status).toBe(200);
  const text = await (await get('/metrics')).text();
  const figure = (name: string) =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  expect(figure('everflame_ingested_profiles_total')).toBeGreaterThanOrEqual(6);
  expect(figure('everflame_ingested_samples_total')).toBeGreaterThan(300);
  expect(figure('everflame_agent_samples_total')).toBe(19);
  expect(text).toContain('\neverflame_agent_samples_lost_total{reason="ring_full"} 7\n');
  expect(figure('everflame_agent_samples_incomplete_total')).toBe(2);
  expect(figure('everflame_duplicate_batches_total')).toBe(1);
  expect(figure('everflame_store_samples')).toBeGreaterThan(300);
  expect(figure('everflame_debuginfo_files_total')).toBe(1);
  expect(figure('everflame_decode_queued_requests')).toBe(0);
  expect(figure('everflame_decode_worker_restarts_total')).toBe(0);
  expect(figure('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(figure('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(text).toMatch(/everflame_received_bytes_total\{route="\/ingest"\} \d+/);
});

test('a body that is packed is unpacked once, whoever says so', async () => {
  const raw = writeRaw({ service_name: 'packed' }, [
    pprofFromText('a 3', { timeMs: NOW - 60_000 }),
  ]);
  const response = await post('/api/profiles/writeraw', gzipSync(raw), {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'gzip',
  });
  expect(response.status).toBe(200);
});
