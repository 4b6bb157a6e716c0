/** Clients that go away leave nothing behind: what they asked stops, and others are served. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pprofFromText } from '../pprof-text.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const QUERIES = 40;
const STACKS = 20_000;

const folder = mkdtempSync(join(tmpdir(), 'everflame-cancelled-'));
const NOW = Date.now();
let server: ServerProcess;

beforeAll(async () => {
  server = await startServerProcess(folder);
  const folded = Array.from({ length: STACKS }, (_, stack) => {
    const frames = Array.from({ length: 30 }, (_, depth) => `f${depth}_${stack % (depth * 9 + 1)}`);
    return `main;${frames.join(';')};leaf${stack} 1`;
  }).join('\n');
  const query = new URLSearchParams({ name: 'shop', from: String((NOW - 60_000) / 1000) });
  const body = pprofFromText(folded, { timeMs: NOW - 60_000 }) as Uint8Array<ArrayBuffer>;
  const response = await fetch(`${server.url}/ingest?${query}`, { method: 'POST', body });
  expect(`${response.status} ${await response.text()}`).toMatch(/^200/);
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/** A tree of its own for each: none is answered from what another has built. */
function askForTree(signal: AbortSignal): Promise<Response> {
  const parameters = { query: CPU, from: 'now-1h', granularity: 'line', format: 'json' };
  return fetch(`${server.url}/api/v1/merge?${new URLSearchParams(parameters)}`, { signal });
}

/** The sum over a metric's rows that have this text. */
async function readMetric(name: string, having = ''): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const rows = text.split('\n').filter((row) => row.startsWith(`${name}{`) && row.includes(having));
  return rows.reduce(
    (sum, row) => sum + Number(row.slice(row.lastIndexOf('}') + 1).split(' ')[1]),
    0,
  );
}

async function underWay(): Promise<number> {
  return (
    (await readMetric('everflame_queries_running')) +
    (await readMetric('everflame_queries_waiting'))
  );
}

test('queries of closed connections stop', async () => {
  const control = new AbortController();
  const asked = Array.from({ length: QUERIES }, () => askForTree(control.signal));
  const ends = Promise.allSettled(asked);
  await expect.poll(underWay, { timeout: 30_000, interval: 20 }).toBeGreaterThan(QUERIES / 2);
  control.abort();
  await ends;
  await expect.poll(underWay, { timeout: 30_000, interval: 20 }).toBe(0);
  const cancelled = await readMetric('everflame_http_refused_total', 'reason="cancelled"');
  expect(cancelled).toBeGreaterThan(QUERIES / 2);
  const answer = await askForTree(new AbortController().signal);
  expect(answer.status).toBe(200);
  await answer.arrayBuffer();
});
