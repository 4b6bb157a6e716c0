/**
 * The store under a fleet: 100 hosts as our agent ships them, through HTTP. How many rows a CPU
 * second takes in durably, what they cost in bytes and memory, how long questions take: alone,
 * while the fleet sends ten times as fast as it lives, and with ten times the history beside them;
 * and how long a start takes after kill -9.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  getJson,
  type ServerProcess,
  startServerProcess,
  withFolder,
} from '../test/e2e/server-process.ts';
import type { MergeJson } from '../wire/http.ts';
import { createFleet, PERIOD_NS, WINDOW_MS, WINDOWS_PER_HOUR } from './fleet.ts';
import { copyHistory } from './fleet-history.ts';
import { type FleetSums, startFleetPush } from './fleet-push.ts';
import { placeSymbolFiles } from './fleet-symbols.ts';
import { cpuSeconds, diskBytes, memoryMb, percentile } from './process-usage.ts';
import {
  CPU_TYPE,
  endOf,
  type StoreQuery,
  storeQueries,
  type TimedQuery,
  timeQueries,
} from './store-queries.ts';

const CLIENTS = 32;
/** The fleet lives at 10 requests a second. */
const TENFOLD = 100;
/** What is left of the past for the windows that are sent while questions are asked. */
const ROOM_MS = 2 * 3_600_000;
const RESTARTS = 3;
const RUNS = 30;
const WINDOWS_BEFORE_KILL = 2;
/** When a server has begun to look after its blocks. */
const FIRST_UPKEEP_MS = 35_000;
/** Of two seconds. */
const SETTLE_ROUNDS = 450;

/** What was sent to a data directory; kept beside it, so that a long load is done once. */
interface Loaded {
  run: string;
  startMs: number;
  /** Of the load that all questions are about. */
  windows: number;
  /** The next one to send. */
  nextWindow: number;
  rows: number;
  cpuSamples: number;
  offCpuNs: number;
  /** Rows of the figures' table. */
  figures: string[];
}

export interface StoreBenchOptions {
  hours: number;
  /** Times that the blocks are copied for the questions with history beside them. */
  copies: number;
  /** Of each question, warm. */
  runs: number;
  /** Filled by an earlier run, or empty; a folder of its own that goes when there is none. */
  dataDir?: string;
}

export function readStoreOptions(args: readonly string[]): StoreBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      hours: { type: 'string', default: '24' },
      copies: { type: 'string', default: '10' },
      data: { type: 'string' },
    },
  });
  const dataDir = values.data === undefined ? {} : { dataDir: values.data };
  const [hours, copies] = [Number(values.hours), Number(values.copies)];
  return { hours, copies, runs: RUNS, ...dataDir };
}

export async function benchStore(options: StoreBenchOptions): Promise<string> {
  const { dataDir } = options;
  if (dataDir !== undefined) return benchFolder(dataDir, options);
  return withFolder((folder) => benchFolder(folder, options));
}

async function benchFolder(folder: string, options: StoreBenchOptions): Promise<string> {
  const { hours, runs } = options;
  const dataDir = join(folder, 'data');
  const state = join(folder, 'fleet.json');
  const load = loadavg().map((value) => value.toFixed(1));
  const loaded = existsSync(state)
    ? (JSON.parse(readFileSync(state, 'utf8')) as Loaded)
    : await loadFleet(dataDir, hours);
  writeFileSync(state, JSON.stringify(loaded));
  const queries = storeQueries(loaded.windows);
  const endMs = endOf(loaded.startMs, loaded.windows);

  const server = await startServerProcess(dataDir);
  await settle(server);
  console.log('questions, nothing else');
  const idle = await timeQueries(server, queries, endMs, runs);
  console.log('questions, while ten fleets live');
  const push = startPush(server, loaded, { requestsPerSecond: TENFOLD });
  const busy = await timeQueries(server, queries, endMs, runs);
  book(loaded, await push.stop());
  const peakMb = memoryMb(server.pid, 'VmHWM');
  const restartMs = await timeRestarts(server, dataDir, loaded);
  writeFileSync(state, JSON.stringify(loaded));
  const { times: long, rows: longRows } = await timeHistory(folder, options, queries, endMs);

  return [
    `Load of the machine at the start: ${load.join(' ')}. A question's figures are those of ${runs} runs.`,
    '',
    '| figure | value |',
    '|---|---|',
    ...loaded.figures,
    `| start after kill -9 to ready, ms, ${RESTARTS} times | ${restartMs.map(Math.round).join(', ')} |`,
    `| peak memory while questions are asked and ten fleets live, MB | ${peakMb.toFixed(0)} |`,
    '',
    `Other columns: while the fleet sends ten times as fast as it lives; with ${longRows} older rows of the same series beside them. In parentheses: times that of the question alone.`,
    '',
    '| question, HTTP to fg1 or JSON, untruncated | alone, p50 / p95 ms (CPU ms; kB) | aim, p95 | tenfold ingest, p50 / p95 ms | long history, p50 / p95 ms |',
    '|---|---|---|---|---|',
    ...idle.map((query, row) => queryRow(query, busy[row], long[row], queries[row]?.aimMs ?? 0)),
  ].join('\n');
}

/** The questions of a copy of the store that has more history. */
async function timeHistory(
  folder: string,
  { copies, runs }: StoreBenchOptions,
  queries: readonly StoreQuery[],
  endMs: number,
): Promise<{ times: TimedQuery[]; rows: number }> {
  const [dataDir, history] = [join(folder, 'data'), join(folder, 'history')];
  rmSync(history, { recursive: true, force: true });
  // Blocks never change, so that links do; the database file does.
  execFileSync('cp', ['-al', dataDir, history]);
  const database = 'everflame.duckdb';
  execFileSync('cp', ['--remove-destination', join(dataDir, database), join(history, database)]);
  console.log(`copying ${copies} times what is there`);
  const rows = await copyHistory(history, copies);
  const server = await startServerProcess(history);
  try {
    await settle(server);
    console.log('questions, with more history');
    return { times: await timeQueries(server, queries, endMs, runs), rows };
  } finally {
    await server.stop();
    rmSync(history, { recursive: true });
  }
}

/** Waits until the server has nothing to do: blocks may be merged after a start. */
async function settle({ pid }: ServerProcess): Promise<void> {
  await new Promise((done) => setTimeout(done, FIRST_UPKEEP_MS));
  let quiet = 0;
  for (let round = 0; quiet < 3 && round < SETTLE_ROUNDS; round++) {
    const cpu = cpuSeconds(pid);
    await new Promise((done) => setTimeout(done, 2_000));
    quiet = cpuSeconds(pid) - cpu < 0.1 ? quiet + 1 : 0;
  }
}

function queryRow(
  idle: TimedQuery,
  busy: TimedQuery | undefined,
  long: TimedQuery | undefined,
  aimMs: number,
): string {
  const ms = (value: number) => value.toFixed(1);
  const beside = (other: TimedQuery | undefined) => {
    if (other === undefined) return '';
    const [p50, p95] = [other.p50Ms / idle.p50Ms, other.p95Ms / idle.p95Ms];
    return `${ms(other.p50Ms)} / ${ms(other.p95Ms)} (${p50.toFixed(2)} / ${p95.toFixed(2)})`;
  };
  const cells = [
    idle.name,
    `${ms(idle.p50Ms)} / ${ms(idle.p95Ms)} (${ms(idle.cpuMs)}; ${(idle.bytes / 1e3).toFixed(0)})`,
    `${aimMs}`,
    beside(busy),
    beside(long),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Sends windows on from where the last ones ended. */
function startPush(
  server: ServerProcess,
  { run, startMs, nextWindow }: Loaded,
  { windows = Infinity, requestsPerSecond = 0 },
) {
  const room = Math.floor((Date.now() - startMs) / WINDOW_MS) - 1;
  const toWindow = Math.min(room, nextWindow + windows);
  const clients = CLIENTS;
  const job = { url: server.url, run, startMs, fromWindow: nextWindow, toWindow, clients };
  return startFleetPush({ ...job, requestsPerSecond });
}

function book(loaded: Loaded, sums: FleetSums): void {
  loaded.nextWindow = sums.endWindow;
  loaded.rows += sums.rows;
  loaded.cpuSamples += sums.cpuSamples;
  loaded.offCpuNs += sums.offCpuNs;
}

async function loadFleet(dataDir: string, hours: number): Promise<Loaded> {
  mkdirSync(dataDir, { recursive: true });
  placeSymbolFiles(dataDir, createFleet());
  const symbolBytes = diskBytes(dataDir);
  const windows = Math.round(hours * WINDOWS_PER_HOUR);
  const startMs = Date.now() - ROOM_MS - windows * WINDOW_MS;
  const loaded: Loaded = {
    run: `fleet-${startMs}`,
    startMs,
    windows,
    nextWindow: 0,
    rows: 0,
    cpuSamples: 0,
    offCpuNs: 0,
    figures: [],
  };
  const server = await startServerProcess(dataDir);
  console.log(`sending ${windows} windows`);
  const [startCpu, start] = [cpuSeconds(server.pid), performance.now()];
  const sums = await startPush(server, loaded, { windows }).done;
  const cpu = cpuSeconds(server.pid) - startCpu;
  const seconds = (performance.now() - start) / 1_000;
  book(loaded, sums);
  await checkTotals(server.url, loaded);
  const peakMb = memoryMb(server.pid, 'VmHWM');
  const stopStart = performance.now();
  await server.stop();
  const stopMs = performance.now() - stopStart;
  const bytes = diskBytes(dataDir) - symbolBytes;
  const latency = [0.5, 0.95, 0.99].map((p) => percentile(sums.latenciesMs, p).toFixed(0));
  loaded.figures = [
    `| requests, profiles, rows | ${sums.requests}, ${sums.profiles}, ${sums.rows} |`,
    `| body, bytes per row | ${(sums.bytes / sums.rows).toFixed(0)} |`,
    `| rows per CPU second of the server, durable | ${Math.round(sums.rows / cpu)} |`,
    `| requests per CPU second of the server | ${Math.round(sums.requests / cpu)} |`,
    `| rows per second, ${CLIENTS} clients on the same machine | ${Math.round(sums.rows / seconds)} |`,
    `| acknowledgement p50 / p95 / p99 ms at that rate | ${latency.join(' / ')} |`,
    `| requests refused for a while and sent again | ${sums.refused} |`,
    `| stored bytes per row, all files but symbols, after a clean stop | ${(bytes / sums.rows).toFixed(2)} |`,
    `| clean stop, ms | ${stopMs.toFixed(0)} |`,
    `| peak memory while ingesting, MB | ${peakMb.toFixed(0)} |`,
    `| totals of both types | as pushed |`,
  ];
  return loaded;
}

async function checkTotals(url: string, loaded: Loaded): Promise<void> {
  const range = { from: String(loaded.startMs), to: String(Date.now()) };
  const totals: [string, number][] = [
    [CPU_TYPE, loaded.cpuSamples * PERIOD_NS],
    ['off_cpu:off_cpu:nanoseconds:off_cpu:nanoseconds', loaded.offCpuNs],
  ];
  for (const [type, pushed] of totals) {
    const parameters = { query: `${type}{}`, ...range, max_nodes: '10' };
    const { total } = await getJson<MergeJson>(url, '/api/v1/merge', parameters);
    if (total !== pushed) throw new Error(`${type}: stored ${total}, pushed ${pushed}`);
  }
}

/** Each time after windows that went in as fast as they could; what was sent is there again. */
async function timeRestarts(
  running: ServerProcess,
  dataDir: string,
  loaded: Loaded,
): Promise<number[]> {
  const times: number[] = [];
  let server = running;
  for (let restart = 0; restart < RESTARTS; restart++) {
    book(loaded, await startPush(server, loaded, { windows: WINDOWS_BEFORE_KILL }).done);
    await server.kill();
    const start = performance.now();
    server = await startServerProcess(dataDir);
    times.push(performance.now() - start);
    await checkTotals(server.url, loaded);
  }
  await server.stop();
  return times;
}
