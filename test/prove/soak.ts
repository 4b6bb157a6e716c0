/**
 * A fleet of 100 hosts at the rate it lives, questions all the time, sealing, merging and retention
 * at work: memory, files and latency stay level. Before it begins, the store is given as much
 * history as retention leaves it and every stack that the fleet has, so that it is in its steady
 * state from the first row on.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createFleet, WINDOW_MS } from '../../bench/fleet.ts';
import { type FleetPush, startFleetPush } from '../../bench/fleet-push.ts';
import { FleetEncoder } from '../../bench/fleet-request.ts';
import { placeSymbolFiles } from '../../bench/fleet-symbols.ts';
import { cpuSeconds, diskBytes, memoryMb, percentile } from '../../bench/process-usage.ts';
import { type ServerProcess, startServerProcess, withFolder } from '../e2e/server-process.ts';
import type { ProofOptions } from './proof.ts';
import { relativeGrowth } from './slope.ts';

const MINUTE_MS = 60_000;
/** Rows of the table. */
const INTERVALS = 12;
/** Of the length, what retention leaves: the steady state is reached when it has passed. */
const RETENTION_PART = 0.25;
/** Rows of the table that are not judged: retention's part, and as much for caches to fill. */
const WARM_UP = 4;
/** Seals in the time that retention leaves; a day at the store's own pace has 24. */
const SEALS = 60;
const QUERY_PAUSE_MS = 1_000;
const FLEET_REQUESTS_PER_SECOND = 10;
const CLIENTS = 16;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const MAINTENANCE = pathToFileURL('test/e2e/busy-maintenance.mjs').href;

/**
 * How much each may gain over the judged rows, as part of its mean. Files of dictionaries come one
 * by one and go by the dozen, when they are merged.
 */
const ALLOWED = { memoryMb: 0.1, files: 0.5, storedMb: 0.15, p50Ms: 0.5 };

const QUESTIONS = [
  ['merge', { query: `${TYPE}{service_name="svc-3",host="host-004"}`, format: 'fg1' }],
  ['merge', { query: `${TYPE}{service_name="svc-0"}`, format: 'fg1' }],
  ['series', { query: `${TYPE}{}`, by: 'service_name' }],
  ['merge', { query: `${TYPE}{}`, format: 'fg1' }],
  ['labels/host/values', { query: '{}' }],
] as const;

interface Interval {
  minute: number;
  memoryMb: number;
  /** Of a CPU, %. */
  cpu: number;
  files: number;
  /** Without the log, which grows and shrinks as it is checkpointed. */
  storedMb: number;
  logMb: number;
  questions: number;
  p50Ms: number;
  p95Ms: number;
  requests: number;
}

/** Asks one question after the other until `endMs`; returns how long each took. */
async function ask(url: string, endMs: number, spanMs: number): Promise<number[]> {
  const times: number[] = [];
  for (let number = 0; performance.now() < endMs; number++) {
    const [path, more] = QUESTIONS[number % QUESTIONS.length] ?? QUESTIONS[0];
    const now = Date.now();
    const range = { from: String(now - spanMs), to: String(now) };
    const start = performance.now();
    const response = await fetch(
      `${url}/api/v1/${path}?${new URLSearchParams({ ...more, ...range })}`,
    );
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
    times.push(performance.now() - start);
    await sleep(QUERY_PAUSE_MS);
  }
  return times;
}

/** Files of the store itself; symbol files do not change. */
function countFiles(dataDir: string): number {
  const entries = readdirSync(dataDir, { withFileTypes: true, recursive: true });
  const debuginfo = join(dataDir, 'debuginfo');
  return entries.filter((entry) => entry.isFile() && !entry.parentPath.startsWith(debuginfo))
    .length;
}

function storedBytes(dataDir: string): { storedMb: number; logMb: number } {
  const log = join(dataDir, 'everflame.duckdb.wal');
  const logBytes = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  const bytes = diskBytes(dataDir) - diskBytes(join(dataDir, 'debuginfo')) - logBytes;
  return { storedMb: bytes / 1e6, logMb: logBytes / 1e6 };
}

async function measure(
  server: ServerProcess,
  dataDir: string,
  push: FleetPush,
  minutes: number,
): Promise<Interval[]> {
  const lengthMs = (minutes * MINUTE_MS) / INTERVALS;
  const intervals: Interval[] = [];
  const begin = performance.now();
  let sent = push.requests;
  for (let number = 1; number <= INTERVALS; number++) {
    const cpu = cpuSeconds(server.pid);
    const start = performance.now();
    const times = await ask(
      server.url,
      begin + number * lengthMs,
      minutes * MINUTE_MS * RETENTION_PART,
    );
    const seconds = (performance.now() - start) / 1_000;
    intervals.push({
      minute: (number * minutes) / INTERVALS,
      memoryMb: memoryMb(server.pid, 'VmRSS'),
      cpu: (100 * (cpuSeconds(server.pid) - cpu)) / seconds,
      files: countFiles(dataDir),
      ...storedBytes(dataDir),
      questions: times.length,
      p50Ms: percentile(times, 0.5),
      p95Ms: percentile(times, 0.95),
      requests: push.requests - sent,
    });
    sent = push.requests;
  }
  return intervals;
}

function drawTable(intervals: readonly Interval[]): string {
  const rows = intervals.map((interval) => {
    const cells = [
      interval.minute.toFixed(1),
      interval.requests,
      interval.memoryMb.toFixed(0),
      interval.cpu.toFixed(0),
      interval.files,
      interval.storedMb.toFixed(1),
      interval.logMb.toFixed(1),
      interval.questions,
      interval.p50Ms.toFixed(1),
      interval.p95Ms.toFixed(1),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| minute | requests | memory MB | CPU % | files | stored MB | log MB | questions | p50 ms | p95 ms |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** What grew too much, in words. */
function judge(intervals: readonly Interval[]): { growths: string; faults: string[] } {
  const judged = intervals.slice(WARM_UP);
  const faults: string[] = [];
  const growths = Object.entries(ALLOWED).map(([name, allowed]) => {
    const growth = relativeGrowth(judged.map((row) => row[name as keyof typeof ALLOWED]));
    const text = `${name} ${(100 * growth).toFixed(1)} %`;
    if (growth > allowed) faults.push(`${text}, allowed ${100 * allowed} %`);
    return text;
  });
  return { growths: growths.join(', '), faults };
}

/** `runs` is the length in minutes. */
export async function proveSoak({ runs: minutes, log }: ProofOptions): Promise<string> {
  return withFolder(async (dataDir) => {
    placeSymbolFiles(dataDir, createFleet());
    const retentionMs = minutes * MINUTE_MS * RETENTION_PART;
    const server = await startServerProcess(dataDir, '127.0.0.1:0', {
      env: {
        NODE_OPTIONS: `--import ${MAINTENANCE}`,
        MAINTENANCE_PAUSE_MS: String(retentionMs / SEALS),
        MAINTENANCE_HOT_MS: String(retentionMs / SEALS),
        MAINTENANCE_RETENTION_MS: String(retentionMs),
      },
    });
    try {
      return await soak(server, dataDir, minutes, log);
    } finally {
      await server.kill();
    }
  });
}

async function sendAllStacks(url: string, encoder: FleetEncoder): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
  for (const body of encoder.encodeAllStacks()) {
    const request = { method: 'POST', headers, body: Uint8Array.from(body) };
    const response = await fetch(`${url}/api/profiles/writeraw`, request);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }
}

async function soak(
  server: ServerProcess,
  dataDir: string,
  minutes: number,
  log: (line: string) => void,
): Promise<string> {
  const job = { url: server.url, run: `soak-${Date.now()}`, clients: CLIENTS };
  // What gets too old before it is sent is refused, so that the history ends where it has to.
  const startMs = Date.now() - minutes * MINUTE_MS * RETENTION_PART;
  const windows = Math.floor((minutes * MINUTE_MS) / WINDOW_MS);
  const toWindow = Math.floor(windows * RETENTION_PART);
  log(`sending all stacks, and a history of ${toWindow} windows`);
  await sendAllStacks(server.url, new FleetEncoder(createFleet(), job.run, Date.now()));
  const history = { ...job, startMs, fromWindow: 0, toWindow, requestsPerSecond: 0 };
  await startFleetPush(history).done;
  // The time that this took has passed meanwhile: the fleet goes on where it is now.
  const fromWindow = Math.ceil((Date.now() - startMs) / WINDOW_MS);
  const push = startFleetPush({
    ...job,
    startMs,
    fromWindow,
    toWindow: fromWindow + windows + 1,
    requestsPerSecond: FLEET_REQUESTS_PER_SECOND,
  });
  const intervals = await measure(server, dataDir, push, minutes);
  const sums = await push.stop();
  const code = await server.stop();
  const table = drawTable(intervals);
  log(table);
  const { growths, faults } = judge(intervals);
  if (code !== 0) faults.push(`the server ended with ${code}: ${server.output().slice(-2_000)}`);
  if (sums.tooOld > 0) faults.push(`${sums.tooOld} requests were too old when they came`);
  if (faults.length > 0) throw new Error(`not level: ${faults.join('; ')}`);
  return (
    `\n\n${table}\n\n${minutes} minutes, ${sums.requests} requests, ${sums.rows} rows, ` +
    `${sums.refused} refused for a while; growth from minute ` +
    `${intervals[WARM_UP - 1]?.minute} to the end: ${growths}`
  );
}
