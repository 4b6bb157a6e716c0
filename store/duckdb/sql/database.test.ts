import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import duckdb from '@duckdb/node-bindings';
import { expect, onTestFinished, test } from 'vitest';
import { drawBatch } from '../../../test/conformance/drawn-batch.ts';
import { collectGarbage } from '../../../test/garbage.ts';
import type { WriteBatch } from '../../store.ts';
import { openDuckStore } from '../open-store.ts';
import { GroupWriter } from '../write/group-writer.ts';
import { type Database, openDatabase } from './database.ts';
import { ResultColumns } from './result-columns.ts';
import { SHRINK_STEPS } from './shrink-file.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-database-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  return dataDir;
}

test('a directory is open once in a process, and again after it was closed', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir });
  await expect(openDuckStore({ dataDir: `${dataDir}/.` })).rejects.toMatchObject({
    kind: 'conflict',
    field: '--data-dir',
    message: expect.stringMatching(/in use by this process/),
  });
  await store.close();
  await (await openDuckStore({ dataDir })).close();
});

/** Opens the store in a process of its own, which ends as `how` says. */
async function openElsewhere(dataDir: string, how: string): Promise<string> {
  const module = join(import.meta.dirname, '../open-store.ts');
  const code = `import { openDuckStore } from ${JSON.stringify(module)};
    try { await openDuckStore({ dataDir: ${JSON.stringify(dataDir)} }); ${how} }
    catch (error) { console.log(error.kind, error.message); }`;
  const node = ['--import', 'tsx', '--input-type=module', '-e', code];
  const [run] = await Promise.allSettled([promisify(execFile)(process.execPath, node)]);
  return run.status === 'fulfilled' ? run.value.stdout.trim() : String(run.reason.signal);
}

test('another process is refused by name; a killed one leaves no lock behind', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir });
  const refused = await openElsewhere(dataDir, 'process.exit();');
  expect(refused).toMatch(new RegExp(`^conflict .*in use by .*PID ${process.pid}`));
  await store.close();
  expect(await openElsewhere(dataDir, 'process.kill(process.pid, "SIGKILL");')).toBe('SIGKILL');
  await (await openDuckStore({ dataDir })).close();
}, 60_000);

test("a file that is swapped for a smaller one is never another process's to open", async () => {
  const dataDir = await makeDataDir();
  await (await openDuckStore({ dataDir })).close();
  const database = await openDatabase({ dataDir });
  const connection = await database.connect();
  for (const step of SHRINK_STEPS) await step(connection, database);
  const refused = await openElsewhere(dataDir, 'process.exit();');
  expect(refused).toMatch(new RegExp(`^conflict .*in use by .*PID ${process.pid}`));
  duckdb.disconnect_sync(connection);
  database.close();
  await (await openDuckStore({ dataDir })).close();
}, 60_000);

test('a file of another version is refused with both versions named', async () => {
  const dataDir = await makeDataDir();
  await (await openDuckStore({ dataDir })).close();
  const database = await duckdb.open(join(dataDir, 'everflame.duckdb'));
  const connection = await duckdb.connect(database);
  await duckdb.query(connection, "UPDATE meta SET value = '99' WHERE name = 'schema_version'");
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
  const open = openDuckStore({ dataDir });
  await expect(open).rejects.toThrow(/schema version 99, this program reads version 2/);
});

function batch(database: Pick<Database, 'idKey'>, id: string, stacks: string): WriteBatch {
  const profile = { labels: { service_name: id }, tsMs: 1, types: { [CPU]: stacks } };
  return drawBatch(database.idKey, { id, profiles: [profile] });
}

test('rows of many chunks stay in the order of their ids', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir, threads: 2 });
  for (let push = 0; push < 12; push++) {
    const names = Array.from({ length: 4_000 }, (_, i) => `f${push}_${i} 1`);
    await store.write(batch(store, `b${push}`, names.join('\n')));
  }
  // A start takes rows as they lie.
  await store.close();
  const again = await openDuckStore({ dataDir });
  expect(again.stats().stacks).toBe(48_000);
  await again.close();
});

test('a transaction that fails leaves nothing behind, and the same batches go in later', async () => {
  const dataDir = await makeDataDir();
  const database = await openDatabase({ dataDir });
  const connection = await database.connect();
  const writer = new GroupWriter(connection, database);
  const disturber = await database.connect();
  await writer.write(batch(database, 'b1', 'a;b 1'));

  // An uncommitted change of a table that the writer appends to makes its transactions fail.
  await duckdb.query(disturber, 'BEGIN');
  await duckdb.query(disturber, 'ALTER TABLE samples ADD COLUMN more INTEGER');
  const failed = await Promise.allSettled(
    ['b2', 'b3'].map((id) => writer.write(batch(database, id, `a;b 2\n${id};new 4`))),
  );
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(writer.dictionaries.snapshot().stacks.count).toBe(1);
  expect(writer.catalogue.series.count).toBe(1);
  await duckdb.query(disturber, 'ROLLBACK');
  // An appender that is collected writes what it still holds.
  collectGarbage();
  await new Promise((done) => setTimeout(done, 50));

  await Promise.all(['b3', 'b2'].map((id) => writer.write(batch(database, id, `${id};new 4`))));
  expect(writer.counts).toMatchObject({ samples: 3, commits: 2, duplicateBatches: 0 });
  await writer.close();
  for (const open of [connection, disturber]) duckdb.disconnect_sync(open);
  database.close();

  const store = await openDuckStore({ dataDir });
  expect(store.stats()).toMatchObject({
    samples: 3,
    profiles: 3,
    series: 3,
    stacks: 3,
    strings: 7,
  });
  await store.close();
});

test('what DuckDB has freed goes back to the system', async () => {
  const database = await openDatabase({ dataDir: await makeDataDir() });
  const connection = await database.connect();
  await duckdb.query(connection, 'CREATE TEMP TABLE t AS SELECT hash(range) FROM range(5000000)');
  await duckdb.query(connection, 'DROP TABLE t');
  const kept = process.memoryUsage.rss();
  await database.giveBackFreed();
  // Of some 60 MB.
  expect(kept - process.memoryUsage.rss()).toBeGreaterThan(30e6);
  const setting = "SELECT current_setting('allocator_bulk_deallocation_flush_threshold')";
  const [now] = new ResultColumns(await duckdb.query(connection, setting)).texts(0);
  expect(now).toBe('512.0 MiB');
  duckdb.disconnect_sync(connection);
  database.close();
});
