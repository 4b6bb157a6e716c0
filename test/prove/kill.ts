/**
 * kill -9 of the server while clients push and the store seals, merges and expires all the time:
 * every acknowledged request that is not too old is there afterwards, once; one whose
 * acknowledgement was lost is there whole or not at all, at most once, also after its retry with
 * the same id; and the totals are those of what is there.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createRandom, type Random } from '../../bench/random.ts';
import { SAMPLED, SENT } from '../../profile/window-counters.ts';
import type { AgentsJson, FunctionsJson, MergeJson } from '../../wire/http.ts';
import { encodeWriteRaw } from '../../wire/write-raw.ts';
import {
  getJson,
  type ServerProcess,
  startServerProcess,
  withFolder,
} from '../e2e/server-process.ts';
import { pprofFromText } from '../pprof-text.ts';
import type { ProofOptions } from './proof.ts';

const CLIENTS = 8;
/** Between two kills. */
const MAX_REQUESTS = 150;
const MAX_ROUND_MS = 10_000;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const HOUR_MS = 3_600_000;
/** Profiles lie in the last days, so that a seal makes several blocks. */
const DAYS = 3;
/** The server's clock goes ahead by this much with each kill, so that what was pushed gets old. */
const ROUND_MS = 6 * HOUR_MS;
const RETENTION_MS = 6 * 24 * HOUR_MS;
/** What is older is refused, or soon will be. */
const RETRY_MS = RETENTION_MS - 12 * HOUR_MS;
const ORPHANS = 'everflame_store_orphans_removed_total';
const CLOCK = resolve('test/e2e/server-clock.cjs');
const BUSY_MAINTENANCE = pathToFileURL('test/e2e/busy-maintenance.mjs').href;

interface Push {
  number: number;
  timeMs: number;
  acknowledged: boolean;
}

const weightOf = (number: number) => 1 + (number % 1_000);
/** Every second push is a window of an agent, with its counters. */
const isWindow = (number: number) => number % 2 === 1;

/** `aheadMs`: of its clock. */
function startServer(dataDir: string, aheadMs: number): Promise<ServerProcess> {
  const clockFile = `${dataDir}.clock`;
  writeFileSync(clockFile, String(aheadMs));
  const env = {
    NODE_OPTIONS: `--require ${CLOCK} --import ${BUSY_MAINTENANCE}`,
    CLOCK_FILE: clockFile,
    MAINTENANCE_RETENTION_MS: String(RETENTION_MS),
  };
  return startServerProcess(dataDir, '127.0.0.1:0', { env });
}

/** Each profile has functions of its own names, so that the answer tells it from every other. */
function profileOf({ number, timeMs }: Push): Uint8Array<ArrayBuffer> {
  const weight = weightOf(number);
  const text = `main;work;profile_${number} ${weight}\nmain;wait;second_${number} ${weight}`;
  return pprofFromText(text, { timeMs }) as Uint8Array<ArrayBuffer>;
}

async function send(url: string, push: Push): Promise<void> {
  const { number, timeMs } = push;
  const [service, host] = [`service-${number % 5}`, `host-${number % 7}`];
  const query = new URLSearchParams({
    name: `${service}{host="${host}"}`,
    from: String(timeMs / 1000),
    until: String(timeMs / 1000 + 10),
  });
  const response = isWindow(number)
    ? await fetch(`${url}/api/profiles/writeraw`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: windowOf(push, service, host),
      })
    : await fetch(`${url}/ingest?${query}`, {
        method: 'POST',
        headers: { 'idempotency-key': `push-${number}` },
        body: profileOf(push),
      });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

function windowOf(push: Push, service: string, host: string): Uint8Array<ArrayBuffer> {
  const { number, timeMs } = push;
  const samples = weightOf(number);
  return encodeWriteRaw({
    tenant: '',
    normalized: true,
    series: [
      {
        labels: [
          { name: 'service_name', value: service },
          { name: 'host', value: host },
        ],
        profiles: [profileOf(push)],
      },
    ],
    report: {
      batchId: `window-${number}`,
      agentId: 'killed-agent',
      agentVersion: '1',
      host,
      kernel: '6',
      windows: [
        {
          seq: number,
          startMs: timeMs,
          lengthMs: 10_000,
          frequencyHz: 19,
          counters: { [SAMPLED]: samples, [SENT]: samples },
        },
      ],
    },
  }) as Uint8Array<ArrayBuffer>;
}

/** Until a random number of requests is acknowledged, so that slow machines see as much work. */
async function runClients(server: ServerProcess, pushes: Push[], random: Random, nowMs: number) {
  let running = true;
  let acknowledged = 0;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      // Half of what went unacknowledged is sent again with its id, as a client would.
      const isOpen = (push: Push) => !push.acknowledged && push.timeMs > nowMs - RETRY_MS;
      const retry = random.fraction() < 0.5 ? pushes.find(isOpen) : undefined;
      const timeMs = nowMs - random.between(1, DAYS * 24 * 3_600) * 1_000;
      const mine = retry ?? { number: pushes.length, timeMs, acknowledged: false };
      if (retry === undefined) pushes.push(mine);
      try {
        await send(server.url, mine);
        mine.acknowledged = true;
        acknowledged++;
      } catch (error) {
        if (running) throw error;
      }
    }
  });
  const wanted = random.between(0, MAX_REQUESTS);
  const deadline = performance.now() + MAX_ROUND_MS;
  while (acknowledged < wanted && performance.now() < deadline) await sleep(5);
  await sleep(random.between(0, 100));
  running = false;
  await server.kill();
  await Promise.all(clients);
}

interface Stored {
  /** By function, its value. */
  self: Map<string, number>;
  total: number;
  /** What the windows' counters say was sent. */
  sent: number;
}

async function readStored(url: string, fromMs: number, nowMs: number): Promise<Stored> {
  const range = { from: String(fromMs), to: String(nowMs + HOUR_MS) };
  const query = `${TYPE}{}`;
  const merge = { query, ...range, max_nodes: '10' };
  const { total } = await getJson<MergeJson>(url, '/api/v1/merge', merge);
  const { agents } = await getJson<AgentsJson>(url, '/api/v1/agents', range);
  const sent = agents.reduce((sum, { counters }) => sum + (counters[SENT] ?? 0), 0);
  const self = new Map<string, number>();
  const page = 1_000;
  for (let offset = 0; ; offset += page) {
    const answer = await getJson<FunctionsJson>(url, '/api/v1/functions', {
      query,
      ...range,
      search: '^(profile|second)_',
      sort: 'name',
      limit: String(page),
      offset: String(offset),
    });
    for (const fn of answer.functions) self.set(fn.name, fn.self);
    if (answer.functions.length < page) return { self, total, sent };
  }
}

/** Returns how many of the pushes are stored; throws where one is lost, doubled or in part. */
function check(pushes: readonly Push[], { self, total, sent }: Stored, keptMs: number): number {
  let stored = 0;
  let weight = 0;
  let windows = 0;
  for (const { number, timeMs, acknowledged } of pushes) {
    const parts = [self.get(`profile_${number}`) ?? 0, self.get(`second_${number}`) ?? 0];
    const wanted = weightOf(number);
    if (parts.every((part) => part === 0)) {
      if (acknowledged && timeMs >= keptMs)
        throw new Error(`profile ${number} was acknowledged and lost`);
      continue;
    }
    if (parts.some((part) => part !== wanted)) {
      throw new Error(`profile ${number}: ${parts.join(' and ')} stored, ${wanted} each pushed`);
    }
    stored++;
    weight += 2 * wanted;
    if (isWindow(number)) windows += wanted;
  }
  if (total !== weight) throw new Error(`the total is ${total}, of what is there ${weight}`);
  if (sent !== windows) throw new Error(`windows say ${sent}, of what is there ${windows}`);
  return stored;
}

async function readMetric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);
}

/** `runs` kills over one data directory. */
export async function proveKill({ seed, runs, log }: ProofOptions): Promise<string> {
  const random = createRandom(seed);
  const startMs = Date.now() - 120_000;
  return withFolder(async (folder) => {
    const dataDir = join(folder, 'data');
    const pushes: Push[] = [];
    let orphans = 0;
    for (let round = 0; round < runs; round++) {
      const server = await startServer(dataDir, round * ROUND_MS);
      orphans += await readMetric(server.url, ORPHANS);
      await runClients(server, pushes, random, startMs + round * ROUND_MS);
      log(`kill ${round + 1}: ${pushes.filter((p) => p.acknowledged).length} acknowledged`);
    }
    const nowMs = startMs + runs * ROUND_MS;
    const server = await startServer(dataDir, runs * ROUND_MS);
    orphans += await readMetric(server.url, ORPHANS);
    const answer = await readStored(server.url, startMs - (DAYS + 1) * 24 * HOUR_MS, nowMs);
    const keptMs = Date.now() + runs * ROUND_MS - RETENTION_MS;
    const expired = pushes.filter((push) => push.timeMs < keptMs).length;
    const stored = check(pushes, answer, keptMs);
    const blocks = await readMetric(server.url, 'everflame_store_blocks');
    await server.stop();
    const acknowledged = pushes.filter((p) => p.acknowledged).length;
    return (
      `${runs} kills: ${acknowledged} of ${pushes.length} requests acknowledged, ${stored} stored, ` +
      `${expired} too old, none lost, none doubled, totals as pushed; ${blocks} blocks, ` +
      `${orphans} files of work that was killed`
    );
  });
}
