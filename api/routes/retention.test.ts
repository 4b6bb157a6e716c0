import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openServerApp, type ServerApp } from '../../cli/server-app.ts';
import { pprofFromText } from '../../test/pprof-text.ts';

const DAY_MS = 86_400_000;
const NOW = Date.now();
const folder = mkdtempSync(join(tmpdir(), 'everflame-retention-'));
let server: ServerApp;

beforeAll(async () => {
  server = await openServerApp({
    dataDir: folder,
    debuginfoBytes: 1e9,
    pathPrefix: '',
    insecure: false,
    retentionAgeMs: 10 * DAY_MS,
    log: () => undefined,
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function push(name: string, timeMs: number): Promise<Response> {
  const body = Uint8Array.from(pprofFromText('main;work 1\nmain;rest 2', { timeMs }));
  return server.app.request(`/ingest?name=${name}`, { method: 'POST', body });
}

async function ask(path: string, body?: object): Promise<[status: number, answer: unknown]> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json' };
  const answer = await server.app.request(path, { ...init, headers });
  return [answer.status, await answer.json()];
}

test('what is kept is told, and what is too old is refused', async () => {
  expect((await push('shop', NOW - 2 * DAY_MS)).status).toBe(200);
  const refused = await push('shop', NOW - 11 * DAY_MS);
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({ limit: '--retention-age' });
  expect(await ask('/api/v1/store')).toEqual([
    200,
    {
      bytes: expect.any(Number),
      blocks: 0,
      retention: {
        age_ms: 10 * DAY_MS,
        bytes: null,
        oldest_ms: NOW - 2 * DAY_MS,
        limited_by: 'nothing',
      },
      damaged: [],
    },
  ]);
});

test.each([
  [{ query: '{service_name="shop"}' }, 400, 'from'],
  [{ query: '{service_name="shop"}', from: 'now-1d' }, 400, 'from'],
  [{ query: '{}', from: 'now-1d', to: 'now', all: true }, 400, 'from'],
  [{ query: 'cpu:a:b:c:d{}', all: true }, 422, 'query'],
  [{ query: '{', all: true }, 400, 'query'],
  [{ all: true }, 400, 'query'],
])('%j is not deleted: %d', async (body, status, parameter) => {
  expect(await ask('/api/v1/delete', body)).toMatchObject([status, { parameter }]);
});

test('what the URL says is refused, not ignored', async () => {
  const body = { query: '{}', all: true };
  const refused = { parameter: 'dry_run', remedy: expect.stringContaining('JSON body') };
  expect(await ask('/api/v1/delete?dry_run=true', body)).toMatchObject([400, refused]);
});

test('a selection is counted, then deleted', async () => {
  for (const name of ['old', 'kept']) await push(name, NOW - DAY_MS);
  const query = '{service_name="old"}';
  const found = { profiles: 1, samples: 2, blocks: 0 };
  expect(await ask('/api/v1/delete', { query, all: true, dry_run: true })).toEqual([
    200,
    { ...found, dry_run: true },
  ]);
  const range = { from: NOW - 2 * DAY_MS, to: 'now' };
  expect(await ask('/api/v1/delete', { query, ...range })).toEqual([
    200,
    { ...found, dry_run: false },
  ]);
  expect(await ask('/api/v1/labels/service_name/values')).toMatchObject([
    200,
    expect.objectContaining({ values: ['kept', 'shop'] }),
  ]);
});
