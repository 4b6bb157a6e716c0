/** How long a start takes where there are many stacks, or many series: to ready, and its memory. */
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseProfileType } from '../profile/select/profile-type.ts';
import type { EpochMs } from '../profile/units.ts';
import { openDuckStore } from '../store/duckdb/open-store.ts';
import type { WriteBatch } from '../store/store.ts';
import { startServerProcess } from '../test/e2e/server-process.ts';
import { memoryMb } from './process-usage.ts';

const BATCH_ROWS = 50_000;
const LOCATIONS = 50_000;
const DEPTH = 26;
const RUNS = 5;
const TYPE = parseProfileType('process_cpu:cpu:nanoseconds:cpu:nanoseconds');

export interface StartSize {
  stacks: number;
  series: number;
}

/** A table with a row for each size. */
export async function benchStoreStart(sizes: readonly StartSize[]): Promise<string> {
  const lines = [
    '| stacks | series | ready, median of 5 (ms) | memory when ready (MB) | a second later (MB) |',
    '|---|---|---|---|---|',
  ];
  for (const size of sizes) {
    const dataDir = mkdtempSync(join(tmpdir(), 'everflame-start-'));
    try {
      await fill(dataDir, size);
      lines.push(await measure(dataDir, size));
    } finally {
      rmSync(dataDir, { recursive: true });
    }
  }
  return lines.join('\n');
}

async function measure(dataDir: string, { stacks, series }: StartSize): Promise<string> {
  const runs: { ms: number; readyMb: number; laterMb: number }[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startMs = performance.now();
    const server = await startServerProcess(dataDir, undefined, {
      args: ['--memory-limit', '8GB'],
    });
    const ms = performance.now() - startMs;
    const readyMb = memoryMb(server.pid, 'VmRSS');
    await new Promise((done) => setTimeout(done, 1000));
    runs.push({ ms, readyMb, laterMb: memoryMb(server.pid, 'VmRSS') });
    await server.kill();
  }
  runs.sort((a, b) => a.ms - b.ms);
  const { ms = 0, readyMb = 0, laterMb = 0 } = runs[Math.floor(RUNS / 2)] ?? {};
  const figures = [stacks, series, Math.round(ms), Math.round(readyMb), Math.round(laterMb)];
  return `| ${figures.map((figure) => figure.toLocaleString('en')).join(' | ')} |`;
}

/** Stacks over the same locations, each in one sample; series with 13 labels, a profile each. */
async function fill(dataDir: string, { stacks, series }: StartSize): Promise<void> {
  const store = await openDuckStore({ dataDir });
  const locationIds = randomIds(LOCATIONS);
  const rows = Math.max(stacks, series);
  for (let from = 0; from < rows; from += BATCH_ROWS) {
    const count = (all: number) => Math.max(0, Math.min(BATCH_ROWS, all - from));
    await store.write(batchOf(from, count(stacks), Math.max(1, count(series)), locationIds));
  }
  await store.seal();
  await store.close();
}

function randomIds(rows: number): Int32Array {
  return randomFillSync(new Int32Array(2 * rows));
}

function batchOf(
  from: number,
  stacks: number,
  series: number,
  locationIds: Int32Array,
): WriteBatch {
  const nowMs = (Date.now() - 3_600_000) as EpochMs;
  const stackIds = randomIds(stacks);
  const frames = new Uint32Array(stacks * DEPTH);
  for (let at = 0; at < frames.length; at++) frames[at] = Math.floor(Math.random() * LOCATIONS);
  const functionIds = randomIds(1);
  const stringIds = randomIds(1);
  const empty = new Uint32Array(LOCATIONS);
  const value = new Int32Array(2 * stacks);
  for (let row = 0; row < stacks; row++) value[2 * row] = 1;
  return {
    batchId: `fill ${from}`,
    agent: null,
    windows: [],
    types: [{ type: TYPE, derived: null }],
    series: Array.from({ length: series }, (_, row) => ({
      id: [...randomIds(1)] as [number, number],
      labels: labelsOf(from + row),
      period: 1,
    })),
    profiles: Array.from({ length: series }, (_, row) => ({
      ...{ series: row, tsMs: nowMs, durationMs: 10_000, types: [0], comments: [], seq: null },
    })),
    samples: {
      count: stacks,
      type: new Uint16Array(stacks),
      profile: new Uint32Array(stacks),
      tsMs: new Float64Array(stacks).fill(nowMs),
      stack: stackIds,
      labelset: new Uint32Array(stacks),
      value,
    },
    labelsets: [[]],
    labelsetIds: new Int32Array(2),
    strings: { ids: stringIds, offsets: Uint32Array.of(0, 1), bytes: Uint8Array.of(0x61) },
    functions: {
      ids: functionIds,
      ...{ name: Uint32Array.of(0), systemName: Uint32Array.of(0), file: Uint32Array.of(0) },
      startLine: Uint32Array.of(1),
    },
    locations: {
      ids: locationIds,
      ...{ binary: empty, buildId: empty },
      ...{ space: new Uint8Array(LOCATIONS), kind: new Uint8Array(LOCATIONS) },
      ...{ flags: new Uint8Array(LOCATIONS), address: new Uint32Array(2 * LOCATIONS) },
      lineOffsets: Uint32Array.from({ length: LOCATIONS + 1 }, (_, row) => row),
      ...{ lineFunction: empty, lineNumber: empty, lineColumn: empty },
    },
    stacks: {
      ids: stackIds,
      offsets: Uint32Array.from({ length: stacks + 1 }, (_, row) => row * DEPTH),
      locations: frames,
    },
  };
}

/** As a pod of Kubernetes has them: two of the values are its own. */
function labelsOf(series: number): Record<string, string> {
  const shared = [
    'comm',
    'container',
    'exe',
    'host',
    'namespace',
    'team',
    'tier',
    'version',
    'zone',
  ];
  const labels = Object.fromEntries(
    shared.map((name, at) => [name, `${name}-${series % (at + 3)}`]),
  );
  const own = series.toString(16).padStart(64, '0');
  return Object.fromEntries(
    Object.entries({
      ...labels,
      ...{ container_id: own, pod: `checkout-${own.slice(-16)}`, service_name: `s${series % 30}` },
    }).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
