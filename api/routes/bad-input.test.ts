/** Bad input gets a problem document that names the field and the limit, and nothing is stored. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServerApp } from '../../cli/server-app.ts';
import { openServerApp } from '../../cli/server-app.ts';
import { MAX_BODY_BYTES, MAX_STACK_DEPTH } from '../../profile/limits.ts';
import { faultyPprof, gzipBomb, noise } from '../../test/faulty-pprof.ts';
import { pprofFromText } from '../../test/pprof-text.ts';
import type { Problem } from '../../wire/http.ts';
import { encodeWriteRaw } from '../../wire/write-raw.ts';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const NOW = Date.now();
const folder = mkdtempSync(join(tmpdir(), 'everflame-bad-input-'));
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
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
  expect(logged).toEqual([]);
});

const good = () => pprofFromText('main;run 5', { timeMs: NOW - 60_000 });

function writeRaw(profile: Uint8Array, labels = { service_name: 'x' }): Uint8Array {
  const pairs = Object.entries(labels).map(([name, value]) => ({ name, value }));
  const series = [{ labels: pairs, profiles: [profile] }];
  return encodeWriteRaw({ tenant: '', series, normalized: false, report: null });
}

async function send(path: string, body: Uint8Array | string, headers: Record<string, string> = {}) {
  const init = { method: 'POST', body: body as Uint8Array<ArrayBuffer>, headers };
  return problemOf(await server.app.request(path, init));
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  expect(response.headers.get('content-type'), text).toBe('application/problem+json');
  const problem = JSON.parse(text) as Problem;
  expect(problem).toMatchObject({ status: response.status, type: expect.any(String) });
  expect(problem.request_id).toBe(response.headers.get('x-request-id'));
  return problem;
}

describe('pushes', () => {
  afterEach(async () => {
    const metrics = await (await server.app.request('/metrics')).text();
    expect(metrics).toContain('\neverflame_store_samples 0\n');
    expect(metrics).toContain('\neverflame_store_series 0\n');
  });

  const random = noise(4096);
  const rows: [what: string, body: () => Uint8Array, status: number, problem: Partial<Problem>][] =
    [
      ['truncated gzip', () => gzipSync(writeRaw(good())).subarray(0, 100), 400, {}],
      [
        'a gzip bomb',
        gzipBomb,
        413,
        { limit: expect.stringMatching(/^MAX_DECOMPRESSED_BYTES = /) },
      ],
      ['a gzip bomb in a request', () => writeRaw(gzipBomb()), 413, {}],
      ['a truncated request', () => writeRaw(good()).subarray(0, 50), 400, {}],
      ['a truncated profile', () => writeRaw(good().subarray(0, 60)), 400, {}],
      ['random bytes', () => random, 400, {}],
      ['random bytes as a profile', () => writeRaw(random), 400, {}],
      [
        'a location out of range',
        () => writeRaw(faultyPprof({ locationIds: [1, 77] })),
        400,
        { parameter: expect.stringContaining('location_id') },
      ],
      [
        'a function out of range',
        () => writeRaw(faultyPprof({ functionId: 77 })),
        400,
        { parameter: expect.stringContaining('function_id') },
      ],
      [
        'a negative value',
        () => writeRaw(faultyPprof({ values: [-1n] })),
        422,
        { parameter: expect.stringContaining('value') },
      ],
      [
        'values that are not as many as the types',
        () => writeRaw(faultyPprof({ values: [1n, 2n] })),
        400,
        { parameter: expect.stringContaining('value') },
      ],
      [
        'an absurd depth',
        () => writeRaw(faultyPprof({ locationIds: Array(MAX_STACK_DEPTH + 1).fill(1) })),
        413,
        { limit: `MAX_STACK_DEPTH = ${MAX_STACK_DEPTH}` },
      ],
      [
        'an invalid label name',
        () => writeRaw(good(), { 'service-name': 'x' } as never),
        422,
        { parameter: expect.stringContaining('label') },
      ],
      [
        'a profile from the future',
        () => writeRaw(faultyPprof({ timeMs: NOW + 3_600_000 })),
        422,
        { limit: expect.stringContaining('MAX_FUTURE_MS') },
      ],
    ];
  test.each(rows)('%s', async (_, makeBody, status, expected) => {
    const body = makeBody();
    const startedMs = performance.now();
    const problem = await send('/api/profiles/writeraw', body, {
      'content-type': 'application/x-protobuf',
      'content-encoding': body[0] === 0x1f ? 'gzip' : '',
    });
    expect(problem).toMatchObject({ status, ...expected });
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  test('an oversized body, by its declared length', async () => {
    const problem = await send('/ingest?name=x', 'x', {
      'content-length': String(MAX_BODY_BYTES + 1),
    });
    const limit = `MAX_BODY_BYTES = ${MAX_BODY_BYTES}`;
    expect(problem).toMatchObject({ status: 413, parameter: 'body', limit });
  });

  test('an oversized body, by its bytes', async () => {
    const problem = await send('/ingest?name=x', new Uint8Array(MAX_BODY_BYTES + 1));
    expect(problem).toMatchObject({ status: 413, limit: `MAX_BODY_BYTES = ${MAX_BODY_BYTES}` });
  });

  test.each([
    ['/ingest', 400, 'name'],
    ['/ingest?name=x&from=yesterday', 400, 'from'],
    ['/ingest?name=x&format=jfr', 415, 'format'],
    ['/ingest?name=x{a=', 400, 'name'],
    ['/api/profiles/writeraw?query=x', 400, 'query'],
  ])('%s', async (path, status, parameter) => {
    expect(await send(path, good())).toMatchObject({ status, parameter });
  });

  test('an endless idempotency key', async () => {
    const headers = { 'idempotency-key': 'x'.repeat(257) };
    const problem = await send('/ingest?name=x', good(), headers);
    expect(problem).toMatchObject({ status: 400, parameter: 'Idempotency-Key' });
  });
});

describe('questions', () => {
  beforeAll(async () => {
    await server.app.request('/api/profiles/writeraw', {
      method: 'POST',
      body: writeRaw(good()) as Uint8Array<ArrayBuffer>,
      headers: { 'content-type': 'application/x-protobuf' },
    });
  });

  const ask = async (path: string, parameters: Record<string, string>) =>
    problemOf(await server.app.request(`${path}?${new URLSearchParams(parameters)}`));

  const MERGE = '/api/v1/merge';
  const query = `${TYPE}{service_name="x"}`;
  test.each<[string, string, Record<string, string>, Partial<Problem>]>([
    ['a fault in the selector', MERGE, { query: `${TYPE}{a="b"` }, { parameter: 'query' }],
    ['its position', MERGE, { query: `${TYPE}{a="b",}}` }, { position: TYPE.length + 8 }],
    ['no type', MERGE, { query: '{a="b"}' }, { parameter: 'query' }],
    ['a fault in a regex', MERGE, { query: `${TYPE}{a=~"("}` }, { parameter: 'query' }],
    [
      'a regex that grows without end',
      MERGE,
      { query: `${TYPE}{a=~"((x{100}){100}){100}"}` },
      { parameter: 'query' },
    ],
    ['a back reference', MERGE, { query: `${TYPE}{a=~"(x)\\\\1"}` }, { parameter: 'query' }],
    ['a long selector', MERGE, { query: 'x'.repeat(20_000) }, { limit: 'query <= 16384' }],
    ['from > to', MERGE, { query, from: '2000', to: '1000' }, { parameter: 'from' }],
    ['no time', MERGE, { query, from: 'noon' }, { parameter: 'from' }],
    ['an unknown parameter', MERGE, { query, maxnodes: '5' }, { parameter: 'maxnodes' }],
    ['no query', MERGE, {}, { parameter: 'query' }],
    ['an unknown format', MERGE, { query, format: 'svgz' }, { parameter: 'format' }],
    ['no nodes', MERGE, { query, max_nodes: '0' }, { limit: 'max_nodes >= 1' }],
    [
      'places of functions',
      MERGE,
      { query, root: 'a', root_at: 'a.c:1' },
      { parameter: 'root_at' },
    ],
    [
      'places without names',
      MERGE,
      { query, granularity: 'line', root_at: 'a.c:1' },
      { parameter: 'root_at' },
    ],
    ['a wrong label to group by', MERGE, { query, by: 'x,a-b' }, { parameter: 'by.1' }],
    ['a wrong step', '/api/v1/series', { query, step: 'soon' }, { parameter: 'step' }],
    ['too many steps', '/api/v1/series', { query, step: '1' }, { status: 422, parameter: 'step' }],
    ['a wrong search', '/api/v1/functions', { query, search: '(' }, { parameter: 'search' }],
    ['a wrong label name', '/api/v1/labels/a-b/values', {}, { parameter: 'name' }],
    ['a wrong sort', '/api/v1/functions', { query, sort: 'size' }, { parameter: 'sort' }],
    ['a diff without a side', '/api/v1/diff', { query_a: query }, { parameter: 'query_b' }],
    [
      'a side from > to',
      '/api/v1/diff',
      { query_a: query, query_b: query, from_b: '5', to_b: '4' },
      { parameter: 'from_b' },
    ],
  ])('%s', async (_, path, parameters, expected) => {
    expect(await ask(path, parameters)).toMatchObject({ status: 400, ...expected });
  });

  test('an unknown profile type, with those that are near', async () => {
    const problem = await ask(MERGE, { query: `${TYPE.replace('cpu', 'cpv')}{}` });
    expect(problem.parameter).toBe('query');
    expect([404, 422]).toContain(problem.status);
    expect(JSON.stringify(problem)).toContain(TYPE);
  });

  test('a regex that would run for ever elsewhere is matched in no time', async () => {
    const parameters = new URLSearchParams({ query: `${TYPE}{service_name=~"(x+x+)+y"}` });
    const startedMs = performance.now();
    const response = await server.app.request(`${MERGE}?${parameters}`);
    expect(response.status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  test.each([
    ['no JSON', 'query=x', 'body'],
    ['broken text', Uint8Array.of(0x22, 0xff, 0x22), 'body'],
    ['a list', '[]', 'body'],
    ['a number as a selector', '{"query": 7}', 'query'],
    ['text as a number', JSON.stringify({ query, max_nodes: '5' }), 'max_nodes'],
    ['an unknown parameter', JSON.stringify({ query, fromm: 1 }), 'fromm'],
  ])('a POST with %s', async (_, body, parameter) => {
    expect(await send(MERGE, body)).toMatchObject({ status: 400, parameter });
  });

  test('a POST with parameters in its URL too', async () => {
    const problem = await send(`${MERGE}?from=1`, JSON.stringify({ query }));
    expect(problem).toMatchObject({ status: 400, parameter: 'from' });
  });

  test('a POST that is too long', async () => {
    const problem = await send(MERGE, `"${'x'.repeat(2 ** 20)}"`);
    expect(problem).toMatchObject({ status: 413, limit: 'MAX_PARAMETER_BYTES = 1048576' });
  });

  test.each([
    [
      'too many',
      Array(1001).fill({ build_id: 'ab'.repeat(20), kind: 'debuginfo', file: '', size: 1 }),
    ],
    ['a path as a build id', [{ build_id: '../../etc', kind: 'debuginfo', file: '', size: 1 }]],
    ['an unknown kind', [{ build_id: 'ab'.repeat(20), kind: 'x', file: '', size: 1 }]],
    ['no list', {}],
  ])('debuginfo wanted: %s', async (_, questions) => {
    const problem = await send('/api/v1/debuginfo/wanted', JSON.stringify(questions));
    expect(problem).toMatchObject({ status: 400, parameter: expect.stringMatching(/^questions/) });
  });
});
