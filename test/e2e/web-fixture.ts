/**
 * A stand-in for the server in browser tests: canned answers made by the same functions as the
 * real ones, so that every state of a page can be had at will.
 */

import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { formatFunctionsJson } from '../../api/query/functions-json.ts';
import { encodeFg1, FG1_MEDIA_TYPE } from '../../profile/flame/fg1.ts';
import type { FlameGraph, FlameMeta } from '../../profile/flame/flame-graph.ts';
import type { Quality } from '../../profile/flame/quality.ts';
import { parseGraphText } from '../../profile/text.ts';
import type { ProfileTypeJson, SeriesJson } from '../../wire/http.ts';
import { DebuginfoFixture } from './web-fixture-debuginfo.ts';
import { addFacts } from './web-fixture-names.ts';
import { folded, SERVICES } from './web-fixture-stacks.ts';

export type FixtureState = 'ready' | 'empty' | 'nomatch' | 'error' | 'slow' | 'down';

export interface Fixture {
  url: string;
  /** Which answers are given from now on. */
  state: FixtureState;
  /** Requests for answers so far, as `path?query`. */
  requests: string[];
  debuginfo: DebuginfoFixture;
  close: () => Promise<void>;
}

const DIST = join(import.meta.dirname, '../../dist/web');
const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PERIOD_NS = 1e9 / 19;
const RUNNING = 40;

const TYPES: ProfileTypeJson[] = [
  {
    type: TYPE,
    name: 'process_cpu',
    sample_type: 'cpu',
    sample_unit: 'nanoseconds',
    period_type: 'cpu',
    period_unit: 'nanoseconds',
    aggregation: 'delta',
  },
  {
    type: 'off_cpu:off_cpu:nanoseconds:off_cpu:nanoseconds',
    name: 'off_cpu',
    sample_type: 'off_cpu',
    sample_unit: 'nanoseconds',
    period_type: 'off_cpu',
    period_unit: 'nanoseconds',
    aggregation: 'delta',
  },
];

/** Serves the built pages and the canned answers under a path prefix. */
export async function startFixture(prefix = ''): Promise<Fixture> {
  const fixture: Fixture = {
    url: '',
    state: 'ready',
    requests: [],
    debuginfo: new DebuginfoFixture(),
    close: async () => undefined,
  };
  const server = createServer((request, response) => {
    handle(fixture, prefix, request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  fixture.url = `http://127.0.0.1:${port}${prefix}`;
  fixture.close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return fixture;
}

async function handle(
  fixture: Fixture,
  prefix: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://fixture');
  if (!url.pathname.startsWith(`${prefix}/`)) {
    response.writeHead(404).end();
    return;
  }
  const path = url.pathname.slice(prefix.length + 1);
  if (path.startsWith('api/v1/')) {
    fixture.requests.push(path.slice('api/v1/'.length) + url.search);
    const endpoint = path.slice('api/v1/'.length);
    if (request.method !== 'GET') {
      const status = fixture.debuginfo.command(request.method ?? '', endpoint);
      response.writeHead(status).end();
      return;
    }
    await answer(fixture, endpoint, url.searchParams, response);
    return;
  }
  const file = extname(path) === '' ? 'index.html' : path;
  const type = CONTENT_TYPES[extname(file)] ?? 'text/plain';
  response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY });
  response.end(await readFile(join(DIST, file)));
}

/** As strict as the real server's. */
const POLICY = [
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:",
  "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'",
].join('; ');

async function answer(
  { state, debuginfo }: Fixture,
  path: string,
  params: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const json = (body: unknown) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (path === 'profile_types') return json({ profile_types: state === 'empty' ? [] : TYPES });
  if (path === 'labels') return json({ values: ['host', 'namespace', 'service_name'], omitted: 0 });
  if (path.startsWith('labels/')) return json({ values: SERVICES, omitted: 3 });
  if (state === 'down') {
    response.destroy();
    return;
  }
  if (state === 'error') return refuse(params, response);
  if (state === 'slow') return;
  const range = rangeOf(params);
  if (path === 'debuginfo') {
    const whole = state === 'nomatch' ? 0 : 747_838 * PERIOD_NS;
    const body = debuginfo.answer(range, TYPE, whole);
    return json(state === 'nomatch' ? { ...body, debuginfo: [] } : body);
  }
  if (path === 'series') return json(series(params, range, state));
  const graph = graphFor(path, params, range, state);
  if (path === 'functions') {
    const job = {
      search: params.get('search') ?? '',
      names: params.get('names') ?? 'full',
      sort: (params.get('sort') ?? 'self') as 'self' | 'total' | 'name',
      offset: Number(params.get('offset') ?? 0),
      limit: Number(params.get('limit') ?? 100),
      meta: graph.meta,
    };
    const body = formatFunctionsJson(graph, job as Parameters<typeof formatFunctionsJson>[1]);
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    return;
  }
  response.writeHead(200, { 'content-type': FG1_MEDIA_TYPE }).end(encodeFg1(graph));
}

function refuse(params: URLSearchParams, response: ServerResponse): void {
  const query = params.get('query') ?? params.get('query_a') ?? '';
  const problem = {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'missing closing ): web-(a|b',
    parameter: 'query',
    position: Math.max(0, query.indexOf('(')),
    request_id: '7f3a91c2',
  };
  response
    .writeHead(400, { 'content-type': 'application/problem+json' })
    .end(JSON.stringify(problem));
}

interface Span {
  fromMs: number;
  toMs: number;
}

function rangeOf(params: URLSearchParams, suffix = ''): Span {
  return { fromMs: Number(params.get(`from${suffix}`)), toMs: Number(params.get(`to${suffix}`)) };
}

function quality(samples: number, unit: number): Quality {
  return {
    series: {
      profiles: 96,
      series: 4,
      samples,
      incomplete: { 'no unwind table': samples * unit * 0.009, 'too deep': samples * unit * 0.002 },
      unsymbolized: {
        'no debug information': samples * unit * 0.012,
        'not covered': samples * unit * 0.003,
      },
      truncated: 0,
    },
    hosts: {
      hosts: 64,
      windows: 6144,
      missingWindows: 0,
      sampled: samples + 296,
      excluded: 0,
      sent: samples,
      lost: { lost_ring_full: 241, lost_stack_map_full: 55 },
      incomplete: {},
      nominalHz: 19,
      effectiveHz: 18.7,
    },
  };
}

function metaOf({ fromMs, toMs }: Span, counts: number): FlameMeta {
  const total = counts * PERIOD_NS;
  return {
    type: TYPE,
    unit: 'nanoseconds',
    fromMs,
    toMs,
    totalBeforeFilters: total,
    totalAfterFilters: total,
    quality: quality(counts, PERIOD_NS),
  };
}

function graphFor(
  path: string,
  params: URLSearchParams,
  range: Span,
  state: FixtureState,
): FlameGraph {
  const scale = (span: Span) => Math.max(1, Math.round((span.toMs - span.fromMs) / 60_000));
  if (path === 'diff') {
    const [a, b] = [rangeOf(params, '_a'), rangeOf(params, '_b')];
    const empty = state === 'nomatch' ? '' : null;
    const graph = addFacts(
      parseGraphText(empty ?? folded('b', scale(b)), empty ?? folded('a', scale(a))),
    );
    const counts = sum(graph.self);
    const countsBase = sum(graph.selfBase ?? graph.self);
    const side = metaOf(a, countsBase);
    const base = { ...side, total: side.totalAfterFilters };
    const meta = { ...metaOf(b, counts), base };
    return { ...graph, meta, multiplier: PERIOD_NS, multiplierBase: PERIOD_NS };
  }
  const graph = addFacts(parseGraphText(state === 'nomatch' ? '' : folded('b', scale(range))));
  const meta = metaOf(range, sum(graph.self));
  return { ...graph, meta, multiplier: PERIOD_NS, multiplierBase: PERIOD_NS };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A curve that depends on the time only, so that a refresh shows the same past. */
function level(ms: number): number {
  const minutes = ms / 60_000;
  return RUNNING * (0.9 + 0.06 * Math.sin(minutes / 7) + 0.04 * Math.sin(minutes * 1.9));
}

function series(params: URLSearchParams, range: Span, state: FixtureState): SeriesJson {
  const step = Number(params.get('step'));
  const by = params.get('by');
  const starts: number[] = [];
  for (let at = range.fromMs; at < range.toMs; at += step) starts.push(at);
  const shares = by === null ? [1] : [0.376, 0.296, 0.235, 0.093];
  const lines = shares.map((share, index) => {
    const rate = starts.map((ms) => level(ms) * share * 1e9);
    return {
      labels: by === null ? {} : { [by]: SERVICES[index] ?? '' },
      total: rate.reduce((all, value) => all + (value * step) / 1000, 0),
      value: rate.map((value) => (value * step) / 1000),
      rate,
      samples: rate.map((value) => Math.round((value * step) / 1000 / PERIOD_NS)),
    };
  });
  const counts = state === 'nomatch' ? 0 : 747_838;
  const block = quality(counts, PERIOD_NS);
  return {
    type: TYPE,
    unit: 'nanoseconds',
    aggregation: 'delta',
    from_ms: range.fromMs,
    to_ms: range.toMs,
    covered_ms: state === 'nomatch' ? 0 : range.toMs - range.fromMs,
    step_ms: step,
    ts_ms: starts,
    series: state === 'nomatch' ? [] : lines,
    rest: null,
    quality: state === 'nomatch' ? { ...block, series: { ...block.series, profiles: 0 } } : block,
  };
}
