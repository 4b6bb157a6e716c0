import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { drawBatch } from '../../../test/conformance/drawn-batch.ts';
import type { SqlFiles } from '../../store.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';
import { runJob } from './run-job.ts';

const DAY_MS = 86_400_000;
const CPU = 'process_cpu:samples:count:cpu:nanoseconds';
const LIMITS = {
  rows: 100,
  answerBytes: 2 ** 20,
  memoryBytes: 2 ** 28,
  threads: 1,
  timeoutMs: 1e4,
};

let dataDir = '';
let store: EmbeddedStore;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'snapshots-'));
  mkdirSync(join(dataDir, 'sql', '7'), { recursive: true });
  writeFileSync(join(dataDir, 'sql', '7', 'samples.parquet'), 'left by a server that was killed');
  store = await openDuckStore({ dataDir, nowMs: () => 10 * DAY_MS });
});
afterEach(async () => {
  await store.close();
  expect(existsSync(join(dataDir, 'sql'))).toBe(false);
  rmSync(dataDir, { recursive: true });
});

async function put(id: string, tsMs: number, stacks: string): Promise<void> {
  const profile = { labels: { service_name: 'web' }, tsMs, types: { [CPU]: stacks } };
  await store.write(drawBatch(store.idKey, { id, profiles: [profile] }));
}

/** Sums by leaf, of the samples that the files hold. */
async function sums(files: SqlFiles): Promise<string[]> {
  const sql =
    'SELECT leaf, sum(value) FROM samples JOIN stacks USING (stack) GROUP BY 1 ORDER BY 1';
  const job = { sql, format: 'csv' as const, files, hotAgeMs: 0, damaged: null, limits: LIMITS };
  const text = Buffer.concat((await runJob(job)).body).toString();
  return text.trim().split('\r\n').slice(1);
}

test('what another server left is gone', () => {
  expect(existsSync(join(dataDir, 'sql'))).toBe(false);
});

test('statements in a row share a copy, which later rows are not in', async () => {
  await put('a', 1000, 'main;work 5');
  const [first, second] = await Promise.all([store.sqlSnapshot(), store.sqlSnapshot()]);
  await put('b', 2000, 'main;later 1');
  const third = await store.sqlSnapshot();
  expect([second.files, third.files]).toEqual([first.files, first.files]);
  expect(readdirSync(join(dataDir, 'sql'))).toHaveLength(1);
  expect(await sums(third.files)).toEqual(['work,5']);
  for (const { release } of [first, second, third]) release();
});

test('its blocks stay until it is released, though others take their place', async () => {
  for (const [id, hour] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const) {
    await put(id, DAY_MS + hour * 3_600_000, `main;work${hour} ${hour}`);
    await store.seal();
  }
  await put('d', 2 * DAY_MS, 'main;hot 4');
  const { files, release } = await store.sqlSnapshot();
  const before = await sums(files);
  expect(before).toEqual(['hot,4', 'work1,1', 'work2,2', 'work3,3']);
  const blocks = (files.samples ?? []).filter((path) => path.includes('/blocks/'));
  expect(blocks).toHaveLength(3);
  await store.maintain();
  await store.seal();
  const names = readdirSync(join(dataDir, 'blocks')).filter((name) => name.includes('.samples.'));
  expect(names.length).toBeGreaterThan(3);
  expect(blocks.every((path) => existsSync(path))).toBe(true);
  expect(await sums(files)).toEqual(before);
  release();
});
