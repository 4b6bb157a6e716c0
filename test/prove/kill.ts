/**
 * kill -9 of the server while clients push and the store seals all the time: every acknowledged
 * request is there afterwards, once; one whose acknowledgement was lost is there whole or not at
 * all, at most once, also after its retry with the same id; and the totals are those pushed.
 */
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
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const HOUR_MS = 3_600_000;
/** Profiles lie in the last days, so that a seal makes several blocks. */
const DAYS = 3;
const BUSY_MAINTENANCE = pathToFileURL('test/e2e/busy-maintenance.mjs').href;

interface Push {
  number: number;
  timeMs: number;
  acknowledged: boolean;
}

const weightOf = (number: number) => 1 + (number % 1_000);
/** Every second push is a window of an agent, with its counters. */
const isWindow = (number: number) => number % 2 === 1;

function startServer(dataDir: string): Promise<ServerProcess> {
  const env = { NODE_OPTIONS: `--import ${BUSY_MAINTENANCE}` };
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

async function runClients(server: ServerProcess, pushes: Push[], random: Random, nowMs: number) {
  let running = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      // Half of what went unacknowledged is sent again with its id, as a client would.
      const retry = random.fraction() < 0.5 ? pushes.find((p) => !p.acknowledged) : undefined;
      const timeMs = nowMs - random.between(1, DAYS * 24 * 3_600) * 1_000;
      const mine = retry ?? { number: pushes.length, timeMs, acknowledged: false };
      if (retry === undefined) pushes.push(mine);
      try {
        await send(server.url, mine);
        mine.acknowledged = true;
      } catch (error) {
        if (running) throw error;
      }
    }
  });
  await sleep(random.between(50, 2_500));
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

async function readStored(url: string, nowMs: number): Promise<Stored> {
  const range = {
    from: String(nowMs - (DAYS * 24 + 1) * HOUR_MS),
    to: String(nowMs + HOUR_MS),
  };
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
function check(pushes: readonly Push[], { self, total, sent }: Stored): number {
  let stored = 0;
  let weight = 0;
  let windows = 0;
  for (const { number, acknowledged } of pushes) {
    const parts = [self.get(`profile_${number}`) ?? 0, self.get(`second_${number}`) ?? 0];
    const wanted = weightOf(number);
    if (parts.every((part) => part === 0)) {
      if (acknowledged) throw new Error(`profile ${number} was acknowledged and lost`);
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
  const nowMs = Date.now() - 120_000;
  return withFolder(async (dataDir) => {
    const pushes: Push[] = [];
    let orphans = 0;
    for (let round = 0; round < runs; round++) {
      const server = await startServer(dataDir);
      orphans += await readMetric(server.url, 'everflame_store_orphans_removed(?:_total)?');
      await runClients(server, pushes, random, nowMs);
      log(`kill ${round + 1}: ${pushes.filter((p) => p.acknowledged).length} acknowledged`);
    }
    const server = await startServer(dataDir);
    const stored = check(pushes, await readStored(server.url, nowMs));
    const blocks = await readMetric(server.url, 'everflame_store_blocks');
    await server.stop();
    const acknowledged = pushes.filter((p) => p.acknowledged).length;
    return (
      `${runs} kills: ${acknowledged} of ${pushes.length} requests acknowledged, ${stored} stored, ` +
      `none lost, none doubled, totals as pushed; ${blocks} blocks, ${orphans} files of seals that ` +
      'were killed'
    );
  });
}
