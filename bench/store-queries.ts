/** The queries that a fleet's store is judged by, asked over HTTP and timed. */
import { createFleet, incarnationOf, WINDOW_MS, WINDOWS_PER_HOUR } from './fleet.ts';
import { processLabels } from './fleet-request.ts';
import { cpuSeconds, percentile } from './process-usage.ts';

export const CPU_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export interface TimedQuery {
  name: string;
  p50Ms: number;
  p95Ms: number;
  /** Of the server's process, per run. */
  cpuMs: number;
  bytes: number;
}

export interface StoreQuery {
  name: string;
  /** As the contract has it, p95. */
  aimMs: number;
  path: string;
  query: string;
  hours: number;
  more: Record<string, string>;
}

/** The pod of a process that is neither idle nor busy, in the last hour. */
function typicalPod(windows: number): string {
  const host = 4;
  const processes = createFleet().processes[host] ?? [];
  const row = processes.findIndex(({ samples }) => samples > 1.5 && samples < 3);
  const process = processes[row];
  if (process === undefined) throw new Error(`host ${host} has no such process`);
  return processLabels(process, row, incarnationOf(windows - 1)).pod;
}

/** For a store that holds that many windows. */
export function storeQueries(windows: number): StoreQuery[] {
  const merge = { path: '/api/v1/merge', more: { format: 'fg1' } };
  const all = Math.max(1, Math.round(windows / WINDOWS_PER_HOUR));
  const pod = typicalPod(windows);
  return [
    { ...merge, name: 'merge 1 series 1 h', aimMs: 30, query: `{pod="${pod}"}`, hours: 1 },
    {
      ...merge,
      name: 'merge 1 service on 100 hosts 1 h',
      aimMs: 120,
      query: '{service_name="svc-0"}',
      hours: 1,
    },
    { ...merge, name: `merge everything ${all} h`, aimMs: 900, query: '{}', hours: all },
    {
      name: `series ${all} h by service`,
      aimMs: 100,
      path: '/api/v1/series',
      query: '{}',
      hours: all,
      more: { by: 'service_name' },
    },
  ];
}

/** `endMs`: the end of all ranges. The first run of each query does not count. */
export async function timeQueries(
  server: { url: string; pid: number },
  queries: readonly StoreQuery[],
  endMs: number,
  runs: number,
): Promise<TimedQuery[]> {
  const timed: TimedQuery[] = [];
  for (const { name, path, query, hours, more } of queries) {
    const parameters = new URLSearchParams({
      query: CPU_TYPE + query,
      from: String(endMs - hours * HOUR_MS),
      to: String(endMs),
      ...more,
    });
    const url = `${server.url}${path}?${parameters}`;
    const times: number[] = [];
    let bytes = 0;
    let cpu = 0;
    for (let run = 0; run <= runs; run++) {
      if (run === 1) cpu = cpuSeconds(server.pid);
      const start = performance.now();
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
      bytes = (await response.arrayBuffer()).byteLength;
      if (run > 0) times.push(performance.now() - start);
    }
    const cpuMs = ((cpuSeconds(server.pid) - cpu) * 1_000) / runs;
    const [p50Ms, p95Ms] = [percentile(times, 0.5), percentile(times, 0.95)];
    timed.push({ name, p50Ms, p95Ms, cpuMs, bytes });
    console.log(`  ${name}: p50 ${p50Ms.toFixed(1)} ms, p95 ${p95Ms.toFixed(1)} ms`);
  }
  return timed;
}

/**
 * The whole minute in which the profiles of that many windows are over, all hosts' included: the UI
 * asks for ranges of whole minutes.
 */
export function endOf(startMs: number, windows: number): number {
  const endMs = startMs + (windows + 1) * WINDOW_MS;
  return Math.floor(endMs / MINUTE_MS) * MINUTE_MS;
}
