/**
 * The main thread answers at once whatever goes on: heavy queries, regular expressions over many
 * label values and ingest at the same time. The bound is generous, since tests share their machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeWriteRaw, type RawSeries } from '../../wire/write-raw.ts';
import { pprofFromText } from '../pprof-text.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const MAX_DELAY_S = 1;
const LOAD_MS = 5_000;
const REQUESTS = 40;
const SERIES_PER_REQUEST = 500;
const STACKS = 20_000;

const folder = mkdtempSync(join(tmpdir(), 'everflame-main-thread-'));
const NOW = Date.now();
let server: ServerProcess;

beforeAll(async () => {
  server = await startServerProcess(folder);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** Requests of many series, and one of many stacks. */
function* requestBodies(): Generator<Uint8Array> {
  const small = pprofFromText('main;work 10', { timeMs: NOW - 60_000 });
  for (let request = 0; request < REQUESTS; request++) {
    const series = Array.from({ length: SERIES_PER_REQUEST }, (_, row): RawSeries => {
      const pod = `checkout-${(request * SERIES_PER_REQUEST + row).toString(36).padStart(8, 'x')}`;
      const labels = { service_name: 'checkout', pod, host: `host-${row % 50}` };
      return { labels: listLabels(labels), profiles: [small] };
    });
    yield encodeWriteRaw({ tenant: '', series, normalized: false, report: null });
  }
  const folded = Array.from({ length: STACKS }, (_, stack) => {
    const frames = Array.from(
      { length: 20 },
      (_, depth) => `f${depth}_${stack % (depth * 97 + 1)}`,
    );
    return `main;${frames.join(';')};leaf${stack} ${stack + 1}`;
  }).join('\n');
  const labels = listLabels({ service_name: 'search', host: 'host-1' });
  const profiles = [pprofFromText(folded, { timeMs: NOW - 60_000 })];
  const series = [{ labels, profiles }];
  yield encodeWriteRaw({ tenant: '', series, normalized: false, report: null });
}

const listLabels = (labels: Record<string, string>) =>
  Object.entries(labels).map(([name, value]) => ({ name, value }));

async function send(body: Uint8Array): Promise<number> {
  const headers = { 'Content-Type': 'application/x-protobuf' };
  const response = await fetch(`${server.url}/api/profiles/writeraw`, {
    method: 'POST',
    headers,
    body: body as Uint8Array<ArrayBuffer>,
  });
  await response.arrayBuffer();
  return response.status;
}

async function ask(path: string, parameters: Record<string, string>): Promise<number> {
  const response = await fetch(`${server.url}${path}?${new URLSearchParams(parameters)}`);
  await response.arrayBuffer();
  return response.status;
}

/** The longest delay since this was last asked. */
async function readDelayS(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const found = /^everflame_event_loop_delay_seconds\{[^}]*quantile="1"[^}]*\} (\S+)/m.exec(text);
  return Number(found?.[1]);
}

test('no stall under queries and ingest', { timeout: 120_000 }, async () => {
  const bodies = [...requestBodies()];
  for (const body of bodies) expect(await send(body)).toBe(200);
  const words = Array.from({ length: 12 }, (_, at) => `.*${at.toString(36)}[a-f]+x?`).join('|');
  const regex = `${CPU}{pod=~"checkout-(${words}).*"}`;
  const times = { from: String(NOW - 3_600_000), to: String(NOW) };
  const loads: (() => Promise<number>)[] = [
    () => ask('/api/v1/merge', { query: CPU, ...times, format: 'fg1' }),
    () => ask('/api/v1/merge', { query: regex, ...times, format: 'json' }),
    () => ask('/api/v1/labels/pod/values', { query: regex, ...times, limit: '10000' }),
    () => ask('/api/v1/labels/pod/values', { ...times, prefix: 'checkout-xxx1' }),
    () => ask('/api/v1/series', { query: CPU, ...times, by: 'pod', step: '1m' }),
    () => ask('/api/v1/profiles', { query: CPU, ...times, limit: '10000' }),
    () => ask('/api/v1/functions', { query: CPU, ...times, search: 'f1.*9', limit: '10000' }),
    () => send(bodies[0] as Uint8Array),
  ];
  await readDelayS();
  const endMs = Date.now() + LOAD_MS;
  const statuses = await Promise.all(
    loads.map(async (load) => {
      const seen = new Set<number>();
      while (Date.now() < endMs) seen.add(await load());
      return [...seen].join();
    }),
  );
  expect(statuses).toEqual(loads.map(() => '200'));
  const delayS = await readDelayS();
  console.log(`longest delay of the main thread: ${Math.round(delayS * 1000)} ms`);
  expect(delayS).toBeLessThan(MAX_DELAY_S);
});
