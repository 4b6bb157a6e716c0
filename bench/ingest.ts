/**
 * The peers' corpus through HTTP into an empty store, then the three merges: how many samples a CPU
 * second of the server takes in durably, how long senders wait, what it costs in bytes and memory.
 */
import { startServerProcess, withFolder } from '../test/e2e/server-process.ts';
import type { MergeJson } from '../wire/http.ts';
import { PERIOD_NS, WINDOW_MS } from './corpus.ts';
import { type CachedCorpus, CORPUS_START_MS, openCorpus } from './corpus-cache.ts';
import { cpuSeconds, diskBytes, memoryMb, percentile } from './process-usage.ts';

const CLIENTS = 64;
const MERGE_RUNS = 15;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SELECTIONS = [
  ['one pod', '{service_name="service-3",host="host-4"}'],
  ['one service', '{service_name="service-3"}'],
  ['everything', '{}'],
] as const;

interface Pushed {
  latenciesMs: number[];
  seconds: number;
}

async function pushAll(url: string, corpus: CachedCorpus): Promise<Pushed> {
  const latenciesMs: number[] = [];
  let next = 0;
  const start = performance.now();
  const client = async () => {
    while (next < corpus.files.length) {
      const entry = corpus.files[next++];
      if (entry === undefined) return;
      const from = String(entry.startMs / 1000);
      const name = `${entry.service}{host="${entry.host}"}`;
      const until = String((entry.startMs + WINDOW_MS) / 1000);
      const query = new URLSearchParams({ name, from, until });
      const body = corpus.read(entry);
      const sent = performance.now();
      const response = await fetch(`${url}/ingest?${query}`, { method: 'POST', body });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      await response.arrayBuffer();
      latenciesMs.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return { latenciesMs, seconds: (performance.now() - start) / 1000 };
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

/** `windows` 60 is the peers' corpus: 6,000 files. */
export async function benchIngest(windows: number): Promise<string> {
  const corpus = openCorpus(windows);
  const samples = corpus.files.reduce((sum, file) => sum + file.samples, 0);
  return withFolder(async (dataDir) => {
    const server = await startServerProcess(dataDir);
    const idleCpu = cpuSeconds(server.pid);
    const { latenciesMs, seconds } = await pushAll(server.url, corpus);
    const cpu = cpuSeconds(server.pid) - idleCpu;
    const peakMb = memoryMb(server.pid, 'VmHWM');
    await checkTotal(server.url, corpus, windows);
    const merges = [];
    for (const [name, matchers] of SELECTIONS) {
      const { medianMs, cpuMs, bytes } = await timeMerge(server.url, server.pid, matchers, windows);
      merges.push(
        `| merge ${name}, fg1 over HTTP, untruncated, median ms (CPU ms; MB) | ` +
          `${medianMs.toFixed(1)} (${cpuMs.toFixed(0)}; ${(bytes / 1e6).toFixed(1)}) |`,
      );
    }
    await server.stop();
    const bytesPerSample = diskBytes(dataDir) / samples;
    return [
      '| figure | value |',
      '|---|---|',
      `| profiles, samples | ${corpus.files.length}, ${samples} |`,
      `| samples per CPU second of the server, durable | ${Math.round(samples / cpu)} |`,
      `| samples per second, ${CLIENTS} clients on the same machine | ${Math.round(samples / seconds)} |`,
      `| acknowledgement p50 / p95 / p99 ms at that rate | ${[0.5, 0.95, 0.99]
        .map((p) => percentile(latenciesMs, p).toFixed(0))
        .join(' / ')} |`,
      `| stored bytes per sample, all files after a clean stop | ${bytesPerSample.toFixed(1)} |`,
      `| peak memory while ingesting, MB | ${peakMb.toFixed(0)} |`,
      ...merges,
      `| total of everything | as pushed: ${corpus.files.length * 380} ticks of ${PERIOD_NS} ns |`,
    ].join('\n');
  });
}
