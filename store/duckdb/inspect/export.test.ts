import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { expect, onTestFinished, test } from 'vitest';
import { drawBatch } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import { openDuckStore } from '../open-store.ts';
import { openMemoryDatabase } from '../sql/database.ts';
import { ResultColumns } from '../sql/result-columns.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = 1_700_000_000_000;
/** All of them with all their frames would not fit into an export's memory. */
const STACKS = 40_000;
const MEMORY_BYTES = 160e6;
const signal = new AbortController().signal;

/** What another DuckDB reads from exported files, a line per row. */
async function read(dir: string, sql: string): Promise<string[]> {
  const database = await openMemoryDatabase({});
  const connection = await duckdb.connect(database);
  const place = sql.replaceAll(/(\w+)\.parquet/g, `'${dir}/$1.parquet'`);
  const lines = new ResultColumns(await duckdb.query(connection, place)).texts(0);
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
  return lines;
}

test('sealed and hot rows of a selection, with their series and stacks, and no others', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-export-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const store = await openDuckStore({ dataDir, threads: 2 });
  for (const [hour, service] of ['shop', 'other', 'shop'].entries()) {
    const labels = { service_name: service };
    const types = { [CPU]: `main;f${hour} ${hour + 1}` };
    const profile = { labels, tsMs: T0 + hour * 3_600_000, types };
    await store.write(drawBatch(store.idKey, { id: `b${hour}`, profiles: [profile] }));
    if (hour < 2) await store.seal();
  }
  const selection = select(`${CPU}{service_name="shop"}`, 0, 100 * 3_600_000);
  const { dir, release } = await store.export(selection, MEMORY_BYTES, signal);
  expect((await readdir(dir)).sort()).toEqual([
    'samples.parquet',
    'series.parquet',
    'stacks.parquet',
  ]);
  const joined = `SELECT concat_ws(' ', ts_ms - ${T0}, service_name, value, functions) FROM
    samples.parquet JOIN series.parquet USING (series) JOIN stacks.parquet USING (stack) ORDER BY 1`;
  expect(await read(dir, joined)).toEqual(['0 shop 1 [f0, main]', '7200000 shop 3 [f2, main]']);
  const frames = `SELECT concat_ws(' ', frames[1].function, frames[1].kind, frames[1].inlined)
    FROM stacks.parquet ORDER BY 1`;
  expect(await read(dir, frames)).toEqual(['f0 native false', 'f2 native false']);
  await release();
  await store.close();
  expect(await readdir(join(dataDir, 'export'))).toEqual([]);
});

test('more stacks than fit into its memory at a time, in two files', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-export-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const store = await openDuckStore({ dataDir, threads: 2 });
  for (const [hour, stacks] of [STACKS, 40].entries()) {
    const lines = Array.from({ length: stacks }, (_, i) => `main;a${hour}_${i};b${hour}_${i} 1`);
    const labels = { service_name: 'shop' };
    const profile = { labels, tsMs: T0 + hour, types: { [CPU]: lines.join('\n') } };
    await store.write(drawBatch(store.idKey, { id: `b${hour}`, profiles: [profile] }));
    await store.seal();
  }
  const { dir } = await store.export(select(`${CPU}{}`, 0, 3_600_000), MEMORY_BYTES, signal);
  const told =
    "SELECT concat_ws(' ', count(*), sum(len(functions)), sum(len(frames))) FROM stacks.parquet";
  expect(await read(dir, told)).toEqual(['40040 120120 120120']);
  await store.close();
});
