import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startThread } from '../../cli/thread.ts';
import { refs, stringAt } from '../../profile/dictionary.ts';
import { MAX_QUEUED_INGESTS } from '../../profile/limits.ts';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import type { EpochMs } from '../../profile/units.ts';
import { openDuckStore } from '../../store/duckdb/open-store.ts';
import type { Store } from '../../store/store.ts';
import { pprofFromText } from '../../test/pprof-text.ts';
import { type AgentReport, encodeWriteRaw, type ReportWindow } from '../../wire/write-raw.ts';
import { DecodePool } from './decode-pool.ts';
import { createIngest } from './ingest.ts';
import type { Ingest, PyroscopePush, WriteRawPush } from './ingest-request.ts';

const NOW = 1_780_000_000_000 as EpochMs;
const HOUR = { from: (NOW - 3_600_000) as EpochMs, to: (NOW + 1) as EpochMs };
let store: Store;
let ingest: Ingest;
let dataDir: string;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'everflame-ingest-'));
  store = await openDuckStore({ dataDir });
  ingest = createIngest({
    store,
    createWorker: () => startThread('../api/ingest/decode-worker'),
    workers: 1,
    clock: () => NOW,
  });
});

afterAll(async () => {
  await ingest.close();
  await store.close();
  rmSync(dataDir, { recursive: true });
});

function profile(folded: string): Uint8Array {
  return pprofFromText(folded, { timeMs: NOW - 10_000 });
}

function push(fields: Partial<PyroscopePush>): PyroscopePush {
  return {
    kind: 'ingest',
    body: profile('main;work 3\nmain;idle 1'),
    contentType: '',
    contentEncoding: '',
    idempotencyKey: '',
    name: 'shop',
    fromMs: NOW,
    untilMs: null,
    format: 'pprof',
    ...fields,
  };
}

function writeRaw(
  series: { labels: Record<string, string>; profiles: Uint8Array[] }[],
  report: AgentReport | null,
): WriteRawPush {
  const rows = series.map(({ labels, profiles }) => ({
    labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
    profiles,
  }));
  const body = encodeWriteRaw({ tenant: '', series: rows, normalized: true, report });
  const contentType = 'application/x-protobuf';
  return { kind: 'writeraw', body, contentType, contentEncoding: '', idempotencyKey: '' };
}

/** `labels: leaf<-caller value` of every stack that is stored for a service. */
async function stored(service: string): Promise<string[]> {
  const type = parseProfileType('process_cpu:cpu:nanoseconds:cpu:nanoseconds');
  const matchers = [{ name: 'service_name', op: '=' as const, value: service }];
  const merged = await store.merge({ type, matchers, range: HOUR }, ['region']);
  const { strings, functions, locations, stacks } = store.snapshot();
  const name = (location: number) => {
    const row = locations.lineFunction[locations.lineOffsets[location] as number] as number;
    return stringAt(strings, refs.string(functions.name[row] as number));
  };
  const lines = Array.from(merged.stack, (stack, i) => {
    const names = [];
    for (let j = stacks.offsets[stack] ?? 0; j < (stacks.offsets[stack + 1] ?? 0); j++) {
      names.push(name(stacks.locations[j] as number));
    }
    const region = merged.groups[merged.group[i] as number]?.region ?? '';
    return `${region}: ${names.join('<-')} ${(merged.value[i] as number) * merged.multiplier}`;
  });
  return lines.sort();
}

describe('a push', () => {
  test('is stored with the labels of its name and reads back', async () => {
    const answer = await ingest.accept(push({ name: 'a{region=eu}', idempotencyKey: 'key-1' }));
    expect(answer).toMatchObject({ batchId: 'key-1', profiles: 1, samples: 2 });
    expect(await stored('a')).toEqual(['eu: idle<-main 1', 'eu: work<-main 3']);
  });

  test('with the same key again is not stored again; stacks that are known add up', async () => {
    await ingest.accept(push({ name: 'b', idempotencyKey: 'key-2' }));
    await ingest.accept(push({ name: 'b', idempotencyKey: 'key-2' }));
    await ingest.accept(push({ name: 'b', idempotencyKey: 'key-3' }));
    expect(await stored('b')).toEqual([': idle<-main 2', ': work<-main 6']);
  });

  test('many at once go through one worker', async () => {
    const pushes = Array.from({ length: 40 }, (_, i) =>
      ingest.accept(push({ name: 'c', body: profile(`main;f${i % 4} 1`) })),
    );
    expect(ingest.stats().queuedRequests).toBe(40);
    await Promise.all(pushes);
    expect(ingest.stats()).toEqual({ queuedRequests: 0, queuedBytes: 0, workerRestarts: 0 });
    expect(await stored('c')).toEqual([0, 1, 2, 3].map((i) => `: f${i}<-main 10`));
  });

  test('that is refused leaves nothing behind', async () => {
    const before = store.stats();
    const cut = profile('main 1').slice(0, -20);
    await expect(ingest.accept(push({ name: 'd', body: cut }))).rejects.toMatchObject({
      kind: 'invalid',
    });
    expect(store.stats()).toEqual(before);
  });
});

test("an agent's windows arrive with its profiles", async () => {
  const window = { startMs: NOW - 10_000, lengthMs: 10_000, frequencyHz: 19 };
  const report: AgentReport = {
    batchId: 'f'.repeat(32),
    agentId: 'agent-1',
    agentVersion: '0.1',
    host: 'h1',
    kernel: '6.1',
    windows: [
      { ...window, seq: 6, startMs: NOW - 20_000, counters: { sampled: 2, lost_spool: 2 } },
      { ...window, seq: 7, counters: { sampled: 4, sent: 4 } },
    ],
  };
  const labels = { __name__: 'process_cpu', service_name: 'e', region: 'us' };
  const profiles = [profile('main;work 4')];
  const answer = await ingest.accept(writeRaw([{ labels, profiles }], report));
  expect(answer).toMatchObject({ batchId: report.batchId, profiles: 1, samples: 1 });
  expect(await stored('e')).toEqual(['us: work<-main 4']);
  const [agent] = await store.agents(HOUR);
  expect(agent).toMatchObject({ id: 'agent-1', host: 'h1', lastSeq: 7 });
  expect(agent?.totals.counters).toMatchObject({ sampled: 6, lost_spool: 2, sent: 4 });
});

const WINDOW = { seq: 1, startMs: NOW - 10_000, lengthMs: 10_000, frequencyHz: 19, counters: {} };

test.each<[string, Partial<ReportWindow>]>([
  ['counters', { counters: { 'a b': 1 } }],
  ['counters', { counters: { ['x'.repeat(65)]: 1 } }],
  ['length_ms', { lengthMs: 3_600_000 }],
  ['start_ms', { startMs: NOW + 3_600_000 }],
  ['frequency_hz', { frequencyHz: Number.NaN }],
])('a window with impossible %s is refused', async (name, fault) => {
  const windows = [{ ...WINDOW, ...fault }];
  const report = { batchId: 'w', agentId: 'a', agentVersion: '', host: '', kernel: '', windows };
  const labels = { __name__: 'process_cpu', service_name: 'w' };
  await expect(
    ingest.accept(writeRaw([{ labels, profiles: [profile('main 1')] }], report)),
  ).rejects.toMatchObject({ kind: 'unprocessable', field: `report.windows[0].${name}` });
});

test('a counter that is called as a property of every object is a number like others', async () => {
  const windows = [{ ...WINDOW, counters: { constructor: 3 } as Record<string, number> }];
  const report = { batchId: 'c', agentId: 'c', agentVersion: '', host: '', kernel: '', windows };
  await ingest.accept(writeRaw([], report));
  const agent = (await store.agents(HOUR)).find(({ id }) => id === 'c');
  expect(Object.entries(agent?.totals.counters ?? {})).toContainEqual(['constructor', 3]);
});

test('requests beyond the queue are told to come again', async () => {
  const createWorker = () => new Worker('setInterval(() => {}, 1e6)', { eval: true });
  const pool = new DecodePool({
    createWorker,
    workers: 1,
    key: store.idKey,
    knownWords: () => store.snapshot().knownStacks.words,
  });
  const body = () => push({ body: new Uint8Array(10) });
  const waiting = Array.from({ length: MAX_QUEUED_INGESTS }, () => pool.decode(body(), NOW));
  expect([pool.queuedRequests, pool.queuedBytes]).toEqual([2000, 20_000]);
  expect(() => pool.decode(body(), NOW)).toThrow(
    expect.objectContaining({ kind: 'overloaded', limit: 'MAX_QUEUED_INGESTS = 2000' }),
  );
  const ends = Promise.allSettled(waiting);
  await pool.close();
  expect(new Set((await ends).map((end) => end.status))).toEqual(new Set(['rejected']));
});

test('a worker that dies fails its jobs, and the next request gets a new one', async () => {
  const code = `const { parentPort } = require('node:worker_threads');
    parentPort.on('message', ({ kind }) => { if (kind === 'decode') process.exit(3); });`;
  let started = 0;
  const createWorker = () =>
    started++ === 0 ? new Worker(code, { eval: true }) : startThread('../api/ingest/decode-worker');
  const own = createIngest({ store, createWorker, workers: 1, clock: () => NOW });
  await expect(own.accept(push({ name: 'f' }))).rejects.toMatchObject({ kind: 'unavailable' });
  expect(own.stats()).toEqual({ queuedRequests: 0, queuedBytes: 0, workerRestarts: 1 });
  await own.accept(push({ name: 'f' }));
  expect(await stored('f')).toEqual([': idle<-main 1', ': work<-main 3']);
  await own.close();
  await expect(own.accept(push({}))).rejects.toMatchObject({ kind: 'unavailable' });
});
