import { describe, expect, test } from 'vitest';
import { createSelfMetrics } from '../cli/self-metrics.ts';
import type { StoreUpkeep } from '../store/store.ts';
import type { Symbolizer } from '../symbolizer/symbolizer.ts';
import type { Problem } from '../wire/http.ts';
import { createApp } from './app.ts';
import { BodyBudget } from './body.ts';
import type { Ingest } from './ingest/ingest-request.ts';
import { createMetrics } from './metrics.ts';
import type { OpenApiDocument } from './openapi.ts';
import type { Queries } from './query/params.ts';
import type { WebFile } from './routes/pages.ts';
import type { SelfProfiler } from './self-profile/self-profile.ts';
import type { SqlRunner } from './sql/sql-runner.ts';

const page = (text: string, contentType: string, cacheControl: string): WebFile => ({
  body: new TextEncoder().encode(text),
  contentType,
  cacheControl,
});

/** What these tests do not reach; server-app.test.ts has the real ones. */
const ELSEWHERE = {
  ingest: {} as Ingest,
  memory: { checkPush: () => undefined, reserve: async () => () => undefined },
  exportBytes: 0,
  queries: {} as Queries,
  symbolizer: {} as Symbolizer,
  selfProfiler: {} as SelfProfiler,
  upkeep: { refusal: () => null } as unknown as StoreUpkeep,
  debuginfoDir: '',
  sql: {} as SqlRunner,
};

function createBareApp({ pathPrefix = '', checkHost = true, ready = true } = {}) {
  const self = createSelfMetrics('0');
  const logged: string[] = [];
  const app = createApp({
    version: '1.2.3',
    pathPrefix,
    webFiles: new Map([
      ['index.html', page('<!doctype html>', 'text/html; charset=utf-8', 'no-cache')],
      ['assets/a.js', page('1'.repeat(5000), 'text/javascript', 'public, immutable')],
    ]),
    metrics: createMetrics(self.meter),
    bodies: new BodyBudget(),
    doors: { checkHost },
    log: (line) => logged.push(line),
    store: { ready: async () => ready },
    renderMetrics: self.render,
    clock: Date.now,
    ...ELSEWHERE,
  });
  return { app, logged };
}

describe('health', () => {
  test('live, ready, and not ready with a problem document', async () => {
    const { app } = createBareApp();
    expect((await app.request('/healthz')).status).toBe(200);
    expect(await (await app.request('/readyz')).json()).toEqual({
      status: 'ok',
      refused_pushes: null,
    });
    const refused = await createBareApp({ ready: false }).app.request('/readyz');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(refused.headers.get('retry-after')).toBe('5');
  });

  test('requests are counted by route', async () => {
    const { app } = createBareApp();
    await app.request('/healthz');
    const text = await (await app.request('/metrics')).text();
    expect(text).toContain(
      'everflame_http_requests_total{route="/healthz",method="GET",status="200"} 1',
    );
  });
});

describe('request ids', () => {
  test.each([
    ['abc-1', /^abc-1$/],
    ['', /^[0-9a-f-]{36}$/],
    ['a b', /^[0-9a-f-]{36}$/],
    ['x'.repeat(65), /^[0-9a-f-]{36}$/],
  ])('%j', async (sent, expected) => {
    const { app } = createBareApp();
    const response = await app.request('/healthz', { headers: { 'x-request-id': sent } });
    expect(response.headers.get('x-request-id')).toMatch(expected);
  });
});

describe('what is not there', () => {
  test.each([
    ['GET', '/api/v1/nothing', 404],
    ['GET', '/assets/b.js', 404],
    ['GET', '/favicon.ico', 404],
    ['GET', '/a/b', 404],
    ['POST', '/', 404],
    ['POST', '/healthz', 405],
    ['DELETE', '/api/openapi.json', 405],
  ])('%s %s -> %i', async (method, path, status) => {
    const response = await createBareApp().app.request(path, { method });
    const problem = (await response.json()) as Problem;
    expect([response.status, problem.status]).toEqual([status, status]);
    expect(problem.request_id).toBe(response.headers.get('x-request-id'));
    if (status === 405) expect(response.headers.get('allow')).toBe('GET');
  });
});

describe('the document', () => {
  test('lists exactly the routes that are mounted', async () => {
    const { app } = createBareApp();
    const document = (await (await app.request('/api/openapi.json')).json()) as OpenApiDocument;
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const mounted = app.routes
      .filter(({ method, path }) => method !== 'ALL' && path !== '/*')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(described.sort()).toEqual(mounted.sort());
    expect(described.length).toBeGreaterThan(30);
  });

  test('parameters and answers are described', async () => {
    const { app } = createBareApp();
    const document = (await (await app.request('/api/openapi.json')).json()) as OpenApiDocument;
    const merge = document.paths['/api/v1/merge'] as Record<string, Record<string, unknown>>;
    const parameters = merge.get?.parameters as { name: string; required: boolean }[];
    expect(parameters.map(({ name, required }) => `${name}${required ? '!' : ''}`).join(' ')).toBe(
      'query! from to profile format by filter granularity max_nodes min_fraction root root_at',
    );
    expect(JSON.stringify(merge.post?.requestBody)).toContain('"required":["query"]');
    expect(JSON.stringify(merge.get?.responses)).toContain('#/components/schemas/Problem');
  });
});

describe('pages', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', 'no-cache'],
    ['/explore', 'text/html; charset=utf-8', 'no-cache'],
    ['/assets/a.js', 'text/javascript', 'public, immutable'],
  ])('%s', async (path, contentType, cacheControl) => {
    const response = await createBareApp().app.request(path);
    expect(response.headers.get('content-type')).toBe(contentType);
    expect(response.headers.get('cache-control')).toBe(cacheControl);
    expect(response.headers.get('content-security-policy')).toContain("script-src 'self'");
  });

  test('large files are compressed for those who take it', async () => {
    const headers = { 'accept-encoding': 'br, gzip;q=0.5' };
    const packed = await createBareApp().app.request('/assets/a.js', { headers });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    const refusing = { 'accept-encoding': 'gzip;q=0' };
    const plain = await createBareApp().app.request('/assets/a.js', { headers: refusing });
    expect((await plain.text()).length).toBe(5000);
  });

  test('a dot in the prefix is a dot', async () => {
    const { app } = createBareApp({ pathPrefix: '/a.b' });
    const statusOf = async (path: string) => (await app.request(path)).status;
    expect([await statusOf('/a.b/healthz'), await statusOf('/axb/healthz')]).toEqual([200, 404]);
  });

  test('everything lies below the prefix', async () => {
    const { app } = createBareApp({ pathPrefix: '/x' });
    expect((await app.request('/x/healthz')).status).toBe(200);
    expect((await app.request('/x/explore')).status).toBe(200);
    expect((await app.request('/x')).headers.get('location')).toBe('/x/');
    expect((await app.request('/healthz')).status).toBe(404);
    const document = (await (await app.request('/x/api/openapi.json')).json()) as OpenApiDocument;
    expect(document.servers).toEqual([{ url: '/x' }]);
  });
});

describe('doors', () => {
  const own = { host: '127.0.0.1:7070' };
  const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  test.each<[string, Record<string, string>, number, string?]>([
    ['curl', own, 200],
    ['localhost', { host: 'localhost:7070' }, 200],
    ['IPv6', { host: '[::1]:7070' }, 200],
    ['an address of this machine', { host: '192.168.1.5' }, 200],
    ['own page', { ...own, origin: 'http://127.0.0.1:7070', 'sec-fetch-site': 'same-origin' }, 200],
    ['behind TLS', { host: 'localhost', origin: 'https://localhost:443' }, 200],
    ['typed address', { ...own, 'sec-fetch-site': 'none', ...navigation }, 200],
    ['a link elsewhere', { ...own, 'sec-fetch-site': 'cross-site', ...navigation }, 200],
    ['a rebound name', { host: 'evil.example:7070' }, 403, 'Host'],
    ['a name that looks like an address', { host: '127.0.0.1.evil.example' }, 403, 'Host'],
    ['a name that ends like localhost', { host: 'evillocalhost' }, 403, 'Host'],
    ['another page', { ...own, origin: 'http://evil.example' }, 403, 'Origin'],
    ['another port', { ...own, origin: 'http://127.0.0.1:3000' }, 403, 'Origin'],
    ['a sandboxed frame', { ...own, origin: 'null' }, 403, 'Origin'],
    ['an image on a page', { ...own, 'sec-fetch-site': 'cross-site' }, 403, 'Sec-Fetch-Site'],
    ['a page on another port', { ...own, 'sec-fetch-site': 'same-site' }, 403, 'Sec-Fetch-Site'],
    [
      'a frame on a page',
      { ...own, 'sec-fetch-site': 'cross-site', ...navigation, 'sec-fetch-dest': 'iframe' },
      403,
      'Sec-Fetch-Site',
    ],
  ])('%s', async (_, headers, status, parameter) => {
    const response = await createBareApp().app.request('/healthz', { headers });
    expect(response.status).toBe(status);
    if (parameter === undefined) return;
    const problem = (await response.json()) as Problem;
    expect(problem.parameter).toBe(parameter);
    expect(problem.remedy).toMatch(/\.$/);
  });

  test('a navigation may not send', async () => {
    const headers = { ...own, 'sec-fetch-site': 'cross-site', ...navigation };
    const response = await createBareApp().app.request('/healthz', { method: 'POST', headers });
    expect(response.status).toBe(403);
  });

  test('a server opened to its network takes any name, but no foreign page', async () => {
    const { app } = createBareApp({ checkHost: false });
    const host = 'everflame.example:7070';
    expect((await app.request('/healthz', { headers: { host } })).status).toBe(200);
    const origin = 'http://evil.example';
    expect((await app.request('/healthz', { headers: { host, origin } })).status).toBe(403);
  });
});
