import { createHash } from 'node:crypto';
import { cpSync, openSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { expect, onTestFinished, test } from 'vitest';
import { drawBatch, mergeText } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';
import { Database } from './database.ts';
import { ResultColumns } from './result-columns.ts';
import { isWorthShrinking, SHRINK_STEPS } from './shrink-file.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = 1_700_000_000_000;
const MIB = 2 ** 20;
const FILE = 'everflame.duckdb';

async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-shrink-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  return dataDir;
}

async function put(store: EmbeddedStore, id: string, stacks: string, tsMs = T0): Promise<void> {
  const profile = { labels: { service_name: 's' }, tsMs, types: { [CPU]: stacks } };
  await store.write(drawBatch(store.idKey, { id, profiles: [profile] }));
}

async function merge(store: EmbeddedStore): Promise<string[]> {
  return mergeText(store.snapshot(), await store.merge(select(CPU, 0, 10), []));
}

async function runSql(dataDir: string, statements: readonly string[]): Promise<ResultColumns> {
  const database = await duckdb.open(join(dataDir, FILE));
  const connection = await duckdb.connect(database);
  let result: duckdb.Result | null = null;
  for (const sql of statements) result = await duckdb.query(connection, sql);
  const columns = new ResultColumns(result as duckdb.Result);
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
  return columns;
}

/** A store with a sealed and a hot row, in a file of 8 MiB that are nearly all free, not at its end. */
async function makeBloated(): Promise<string> {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir });
  await put(store, 'sealed', 'a;b 1');
  await store.seal();
  await store.close();
  await runSql(dataDir, [`CREATE TABLE filler AS SELECT hash(i) FROM range(${MIB}) r(i)`]);
  const again = await openDuckStore({ dataDir });
  await put(again, 'hot', 'a;c 2');
  // More than fits before the filler, at another time than is asked about.
  const many = Array.from({ length: 20_000 }, (_, number) => `a;x${number} 1`).join('\n');
  await put(again, 'later hour', many, T0 + 3_600_000);
  await again.close();
  await runSql(dataDir, ['DROP TABLE filler', 'CHECKPOINT']);
  expect(sizeOf(dataDir)).toBeGreaterThan(8 * MIB);
  return dataDir;
}

function sizeOf(dataDir: string): number {
  return statSync(join(dataDir, FILE)).size;
}

test.each([
  ['mostly free', { bytes: 5 * MIB, usedBytes: 2 * MIB, logBytes: 0 }, true],
  ['small', { bytes: MIB, usedBytes: 0, logBytes: 0 }, false],
  ['half free', { bytes: 6 * MIB, usedBytes: 3 * MIB, logBytes: 0 }, false],
  ['much to copy', { bytes: 100 * MIB, usedBytes: 17 * MIB, logBytes: 0 }, false],
  [
    'after a crash in full flow',
    { bytes: 100 * MIB, usedBytes: 4 * MIB, logBytes: 3 * MIB },
    false,
  ],
])('whether it is worth it: %s', (_, size, answer) => {
  expect(isWorthShrinking(size)).toBe(answer);
});

test('a file of free blocks is small after a start, with the same tables and rows in it', async () => {
  const dataDir = await makeBloated();
  const SCHEMA = [
    `SELECT string_agg(line, '\n' ORDER BY line) FROM (
      SELECT concat_ws(' ', table_name, column_index, column_name, data_type, is_nullable,
        column_default) AS line FROM duckdb_columns() WHERE NOT internal
      UNION ALL SELECT concat_ws(' ', table_name, constraint_text, constraint_column_names)
        FROM duckdb_constraints()
      UNION ALL SELECT sql FROM duckdb_indexes() UNION ALL SELECT sql FROM duckdb_sequences()
      UNION ALL SELECT sql FROM duckdb_views() WHERE NOT internal)`,
  ];
  const before = (await runSql(dataDir, SCHEMA)).texts(0)[0];
  expect(before).toContain('samples 1 type USMALLINT false');
  expect(before).toContain('samples NOT NULL [type]');
  const store = await openDuckStore({ dataDir });
  expect(sizeOf(dataDir)).toBeLessThan(2 * MIB);
  expect(await merge(store)).toEqual(['a;b 1', 'a;c 2']);
  await put(store, 'hot', 'a;c 2');
  await put(store, 'later', 'a;c 2');
  expect((await store.check(new AbortController().signal)).faults).toEqual([]);
  await store.close();
  expect(readdirSync(dataDir).sort()).toEqual(['blocks', 'dictionaries', FILE]);
  expect((await runSql(dataDir, SCHEMA)).texts(0)[0]).toBe(before);
  const again = await openDuckStore({ dataDir });
  expect(await merge(again)).toEqual(['a;b 1', 'a;c 4']);
  await again.close();
});

test('a close after sealing leaves a small file', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir });
  const names = Array.from({ length: 60_000 }, (_, i) =>
    createHash('sha256').update(String(i)).digest('hex'),
  );
  await put(store, 'many', names.map((name) => `${name} 1`).join('\n'));
  await put(store, 'hot', 'a;c 2');
  await store.seal();
  await put(store, 'later', 'a;c 2');
  await store.close();
  expect(sizeOf(dataDir)).toBeLessThan(2 * MIB);
  const again = await openDuckStore({ dataDir });
  expect(await merge(again)).toEqual([...names.map((name) => `${name} 1`), 'a;c 4'].sort());
  await again.close();
});

test('after a crash at any step there is one file, with everything in it', async () => {
  const dataDir = await makeBloated();
  const crashed: string[] = [];
  const path = join(dataDir, FILE);
  const opened = await duckdb.open(path);
  const idKey = { k0: 0, k1: 0 };
  const database = new Database(path, { database: opened, fd: openSync(path, 'r'), idKey });
  const connection = await database.connect();
  await duckdb.query(connection, "UPDATE meta SET value = '1' WHERE name = 'probed_ms'");
  for (const step of SHRINK_STEPS) {
    await step(connection, database);
    crashed.push(await copy(dataDir));
  }
  duckdb.disconnect_sync(connection);
  database.close();
  for (const left of [...crashed, dataDir]) {
    const store = await openDuckStore({ dataDir: left });
    expect(await merge(store)).toEqual(['a;b 1', 'a;c 2']);
    expect(sizeOf(left)).toBeLessThan(4 * MIB);
    await store.close();
    expect(readdirSync(left).sort()).toEqual(['blocks', 'dictionaries', FILE]);
  }
});

/** As a process that is killed now leaves it. */
async function copy(dataDir: string): Promise<string> {
  const target = await makeDataDir();
  cpSync(dataDir, target, { recursive: true });
  return target;
}
