/**
 * The peers' corpus through HTTP into an empty store, then the three merges: how many samples a CPU
 * second of the server takes in durably, how long senders wait, what it costs in bytes and memory.
 * Then how long senders wait at half the speed, and what other shapes of input cost.
 */
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServerProcess, startServerProcess, withFolder } from '../test/e2e/server-process.ts';
import type { MergeJson } from '../wire/http.ts';
import { type CorpusFile, generateNewStacks, PERIOD_NS, WINDOW_MS } from './corpus.ts';
import { type CachedCorpus, CORPUS_START_MS, openCorpus } from './corpus-cache.ts';
import { startFleetPush } from './fleet-push.ts';
import { cpuSeconds, diskBytes, memoryMb, percentile } from './process-usage.ts';
import { CLIENTS, drawLatencies, type Push, pushAll } from './push-load.ts';

const MERGE_RUNS = 15;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SELECTIONS = [
  ['one pod', '{service_name="service-3",host="host-4"}'],
  ['one service', '{service_name="service-3"}'],
  ['everything', '{}'],
] as const;

/** Pushes of this part of the corpus make the code warm before the rate is halved. */
const WARM_PART = 1 / 3;
/** Windows of 100 hosts that the fleet's agents send. */
const FLEET_WINDOWS = 10;
const NEW_STACK_PROFILES = 1_000;

const SEAL_TIMEOUT_MS = 180_000;
/** The corpus is of a fixed day. */
const KEEP_ALL = { args: ['--retention-age', '3650d'] };

type PushAt = (i: number) => Push;

function corpusPush(corpus: CachedCorpus): PushAt {
  return (i) => {
    const entry = corpus.files[i] as CachedCorpus['files'][number];
    const { service, host, startMs } = entry;
    return { service, host, startMs, endMs: startMs + WINDOW_MS, body: corpus.read(entry) };
  };
}

async function timeMerge(url: string, pid: number, matchers: string, windows: number) {
  const to = String(CORPUS_START_MS + windows * WINDOW_MS);
  const query = new URLSearchParams({ query: TYPE + matchers, from: String(CORPUS_START_MS), to });
  const times: number[] = [];
  let bytes = 0;
  const before = cpuSeconds(pid);
  for (let run = 0; run <= MERGE_RUNS; run++) {
    const start = performance.now();
    const response = await fetch(`${url}/api/v1/merge?${query}&format=fg1`);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    bytes = (await response.arrayBuffer()).byteLength;
    if (run > 0) times.push(performance.now() - start);
  }
  const cpuMs = ((cpuSeconds(pid) - before) * 1000) / (MERGE_RUNS + 1);
  return { medianMs: percentile(times, 0.5), cpuMs, bytes };
}

async function checkTotal(url: string, corpus: CachedCorpus, windows: number): Promise<void> {
  const to = String(CORPUS_START_MS + windows * WINDOW_MS);
  const query = new URLSearchParams({ query: `${TYPE}{}`, from: String(CORPUS_START_MS), to });
  const response = await fetch(`${url}/api/v1/merge?${query}&max_nodes=10&format=json`);
  const { total } = (await response.json()) as MergeJson;
  const pushed = corpus.files.reduce((sum, file) => sum + file.totalNs, 0);
  if (total !== pushed) throw new Error(`stored ${total} ns, pushed ${pushed} ns`);
}

function sampleSum(files: CachedCorpus['files'], from: number, to: number): number {
  return files.slice(from, to).reduce((sum, file) => sum + file.samples, 0);
}

async function timeMerges(server: ServerProcess, state: string, windows: number) {
  const rows: string[] = [];
  for (const [name, matchers] of SELECTIONS) {
    const { medianMs, cpuMs, bytes } = await timeMerge(server.url, server.pid, matchers, windows);
    rows.push(
      `| merge ${name} ${state}, fg1 over HTTP, untruncated, median ms (CPU ms; MB) | ` +
        `${medianMs.toFixed(1)} (${cpuMs.toFixed(0)}; ${(bytes / 1e6).toFixed(1)}) |`,
    );
  }
  return rows;
}

/** The merges again when a server has sealed what is older than the hour, as each soon does. */
async function benchSealed(dataDir: string, windows: number): Promise<string[]> {
  const server = await startServerProcess(dataDir, undefined, KEEP_ALL);
  const deadline = Date.now() + SEAL_TIMEOUT_MS;
  for (;;) {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    if (/^everflame_store_hot_samples 0$/m.test(metrics)) break;
    if (Date.now() > deadline) throw new Error('the server does not seal');
    await sleep(500);
  }
  const rows = await timeMerges(server, 'sealed', windows);
  await server.stop();
  return rows;
}

/** The corpus at full speed into an empty store, then the merges. Returns rows and the rate. */
async function benchPeak(corpus: CachedCorpus, windows: number) {
  const { files } = corpus;
  const samples = sampleSum(files, 0, files.length);
  return withFolder(async (dataDir) => {
    const server = await startServerProcess(dataDir, undefined, KEEP_ALL);
    const idleCpu = cpuSeconds(server.pid);
    const warm = Math.floor(files.length * WARM_PART);
    const pushAt = corpusPush(corpus);
    const cold = await pushAll(server.url, warm, pushAt);
    const warmCpu = cpuSeconds(server.pid);
    const rest = files.length - warm;
    const pushed = await pushAll(server.url, rest, (i) => pushAt(warm + i));
    const endCpu = cpuSeconds(server.pid);
    const seconds = cold.seconds + pushed.seconds;
    const latenciesMs = [...cold.latenciesMs, ...pushed.latenciesMs];
    const warmRate = sampleSum(files, warm, files.length) / (endCpu - warmCpu);
    const peakMb = memoryMb(server.pid, 'VmHWM');
    await checkTotal(server.url, corpus, windows);
    const merges = await timeMerges(server, 'while hot', windows);
    await server.stop();
    const sealed = await benchSealed(dataDir, windows);
    const rows = [
      `| profiles, samples | ${files.length}, ${samples} |`,
      `| samples per CPU second of the server, durable | ${Math.round(samples / (endCpu - idleCpu))} |`,
      `| the same without the first third, in which the program gets compiled | ${Math.round(warmRate)} |`,
      `| samples per second, ${CLIENTS} clients on the same machine | ${Math.round(samples / seconds)} |`,
      `| acknowledgement p50 / p95 / p99 ms at that rate | ${drawLatencies(latenciesMs)} |`,
      `| peak memory while ingesting, MB | ${peakMb.toFixed(0)} |`,
      ...merges,
      ...sealed,
      `| stored bytes per sample, sealed, all files after a clean stop | ${(diskBytes(dataDir) / samples).toFixed(1)} |`,
      `| total of everything | as pushed: ${files.length * 380} ticks of ${PERIOD_NS} ns |`,
    ];
    return { rows, pushesPerSecond: files.length / seconds };
  });
}

/** Half of the full speed by a schedule, after a part of the corpus at full speed. */
async function benchHalf(corpus: CachedCorpus, peakPerSecond: number): Promise<string[]> {
  const { files } = corpus;
  const warm = Math.floor(files.length * WARM_PART);
  const pushAt = corpusPush(corpus);
  return withFolder(async (dataDir) => {
    const server = await startServerProcess(dataDir, undefined, KEEP_ALL);
    await pushAll(server.url, warm, pushAt);
    const before = cpuSeconds(server.pid);
    const rate = peakPerSecond / 2;
    const rest = files.length - warm;
    const { latenciesMs } = await pushAll(server.url, rest, (i) => pushAt(warm + i), rate);
    const cpu = cpuSeconds(server.pid) - before;
    await server.stop();
    const samples = sampleSum(files, warm, files.length);
    return [
      `| acknowledgement p50 / p95 / p99 ms at half of it, ${rate.toFixed(0)} pushes/s by schedule | ${drawLatencies(latenciesMs)} |`,
      `| samples per CPU second there, warm | ${Math.round(samples / cpu)} |`,
    ];
  });
}

/** Every sample a stack that was never seen; and what our agents send. */
async function benchShapes(): Promise<string[]> {
  return withFolder(async (dataDir) => {
    const server = await startServerProcess(dataDir, undefined, KEEP_ALL);
    const files = [...generateNewStacks(NEW_STACK_PROFILES, CORPUS_START_MS)];
    const pushAt: PushAt = (i) => {
      const { gzip, ...rest } = files[i] as CorpusFile;
      return { ...rest, endMs: rest.startMs + WINDOW_MS, body: Uint8Array.from(gzip) };
    };
    const start = cpuSeconds(server.pid);
    await pushAll(server.url, files.length, pushAt);
    const middle = cpuSeconds(server.pid);
    const { rows, latenciesMs } = await startFleetPush({
      url: server.url,
      run: 'ingest',
      startMs: CORPUS_START_MS,
      fromWindow: 0,
      toWindow: FLEET_WINDOWS,
      clients: CLIENTS,
      requestsPerSecond: 0,
    }).done;
    const end = cpuSeconds(server.pid);
    await server.stop();
    const samples = files.reduce((sum, file) => sum + file.samples, 0);
    return [
      `| samples per CPU second where each is a new stack | ${Math.round(samples / (middle - start))} |`,
      `| the same of ${latenciesMs.length} WriteRaw requests of our agents, cold | ${Math.round(rows / (end - middle))} |`,
    ];
  });
}

/** `windows` 60 is the peers' corpus: 6,000 files. */
export async function benchIngest(windows: number): Promise<string> {
  const corpus = openCorpus(windows);
  const load = () => loadavg()[0]?.toFixed(1) ?? '?';
  const before = load();
  const peak = await benchPeak(corpus, windows);
  const half = await benchHalf(corpus, peak.pushesPerSecond);
  const shapes = await benchShapes();
  return [
    '| figure | value |',
    '|---|---|',
    ...peak.rows,
    ...half,
    ...shapes,
    `| load of the machine before and after | ${before}, ${load()} |`,
  ].join('\n');
}
