import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import duckdb from '@duckdb/node-bindings';
import { describe, expect, onTestFinished, test } from 'vitest';
import { drawBatch, mergeText } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';
import { NEW_TABLES } from '../sql/upgrade.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-blocks-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  return dataDir;
}

async function openStore(dataDir: string): Promise<EmbeddedStore> {
  const store = await openDuckStore({ dataDir, threads: 2 });
  onTestFinished(() => store.close());
  return store;
}

async function put(store: EmbeddedStore, hour: number, stacks: string): Promise<void> {
  const labels = { service_name: `s${hour % 2}` };
  const profile = { labels, tsMs: T0 + hour * HOUR_MS, types: { [CPU]: stacks } };
  await store.write(drawBatch(store.idKey, { id: `b${hour} ${stacks}`, profiles: [profile] }));
}

async function merge(store: EmbeddedStore, from = 0, to = 100): Promise<string[]> {
  const merged = await store.merge(select(CPU, from * HOUR_MS, to * HOUR_MS), []);
  return mergeText(store.snapshot(), merged);
}

/** Files of blocks by table. */
async function filesOf(dataDir: string, table: string): Promise<string[]> {
  const folder = ['samples', 'profiles', 'windows'].includes(table) ? 'blocks' : 'dictionaries';
  const names = await readdir(join(dataDir, folder));
  return names
    .filter((name) => name.includes(`.${table}.`))
    .sort()
    .map((name) => join(dataDir, folder, name));
}

test('a seal makes a block of each UTC day, and what is younger stays hot', async () => {
  const dataDir = await makeDataDir();
  const store = await openStore(dataDir);
  for (const hour of [0, 1, 24, 48]) await put(store, hour, `a;h${hour} 1`);
  await store.seal({ beforeMs: T0 + 47 * HOUR_MS });
  expect(await filesOf(dataDir, 'samples')).toHaveLength(2);
  expect(store.stats()).toMatchObject({ blocks: 3, hotSamples: 1, samples: 4, seals: 1 });
  expect(await merge(store)).toEqual(['a;h0 1', 'a;h1 1', 'a;h24 1', 'a;h48 1']);
  expect(await merge(store, 1, 25)).toEqual(['a;h1 1', 'a;h24 1']);
  expect(await store.estimate(select(CPU, 0, HOUR_MS))).toMatchObject({ blocks: 1 });
});

test('too many hot rows: the older half is sealed', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir, maxHotSamples: 5 });
  onTestFinished(() => store.close());
  for (const hour of [5, 4, 3, 2, 1, 0]) await put(store, hour, 'a 1');
  while (store.stats().seals === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(store.stats()).toMatchObject({ samples: 6, hotSamples: 3 });
  expect(await merge(store)).toEqual(['a 6']);
});

test('files that no block names are removed at start, and counted', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir });
  await put(store, 0, 'a 1');
  await store.seal();
  await store.close();
  await writeFile(join(dataDir, 'blocks', '000000000099.samples.parquet'), 'PAR1 torn');
  await mkdir(join(dataDir, 'blocks', 'lost+found'));
  const again = await openStore(dataDir);
  expect(again.stats().orphansRemoved).toBe(1);
  expect(await filesOf(dataDir, 'samples')).toHaveLength(1);
  expect(await merge(again)).toEqual(['a 1']);
});

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.fill(0xff, at, at + 16);
  await chmod(path, 0o644);
  await writeFile(path, bytes);
}

async function cut(path: string, length: number): Promise<void> {
  await chmod(path, 0o644);
  await truncate(path, length);
}

describe('a damaged block is set aside, and the rest is answered', () => {
  test.each<[string, (path: string) => Promise<void>]>([
    ['missing', (path) => rm(path)],
    ['cut off', (path) => cut(path, 100)],
    ['with another end', async (path) => flip(path, (await readFile(path)).length - 16)],
  ])('at start: a file is %s', async (_, damage) => {
    const dataDir = await makeDataDir();
    const store = await openDuckStore({ dataDir });
    for (const hour of [0, 24]) {
      await put(store, hour, `a;h${hour} 1`);
      await store.seal();
    }
    await store.close();
    await damage((await filesOf(dataDir, 'samples'))[0] ?? '');
    const again = await openStore(dataDir);
    expect(again.stats()).toMatchObject({ damagedBlocks: 1, samples: 1 });
    expect(await merge(again)).toEqual(['a;h24 1']);
    const summary = await again.summary(select(CPU, 0, HOUR_MS));
    expect(summary).toMatchObject({ profiles: 0, damaged: { blocks: 1, samples: 1 } });
    expect(await readdir(join(dataDir, 'set-aside'))).not.toEqual([]);
  });

  test('in use: the read that meets it is repeated without it', async () => {
    const dataDir = await makeDataDir();
    const store = await openStore(dataDir);
    for (const hour of [0, 24]) {
      await put(store, hour, `a;h${hour} 1`);
      await store.seal();
    }
    await flip((await filesOf(dataDir, 'samples'))[0] ?? '', 4);
    const path = (await filesOf(dataDir, 'samples'))[0] ?? '';
    await cut(path, 60);
    expect(await merge(store)).toEqual(['a;h24 1']);
    expect(store.stats()).toMatchObject({ damagedBlocks: 1, samples: 1, profiles: 1 });
    expect(existsSync(path)).toBe(false);
    expect(await merge(store)).toEqual(['a;h24 1']);
  });

  test.each(['strings', 'functions', 'locations', 'stacks'])(
    'a dictionary without its %s: sums stay, and what is sent again has its names',
    async (table) => {
      const dataDir = await makeDataDir();
      const store = await openDuckStore({ dataDir });
      await put(store, 0, 'a;b 1');
      await store.seal();
      await put(store, 1, 'c;d 2');
      await store.seal();
      await put(store, 2, 'e;f 4');
      await store.close();
      await cut((await filesOf(dataDir, table))[0] ?? '', 60);
      for (let start = 0; start < 2; start++) {
        const again = await openDuckStore({ dataDir });
        expect(again.stats().damagedBlocks).toBe(1);
        const lines = await merge(again, 0, 3);
        expect(lines.map((line) => line.slice(-1)).sort()).toEqual(['1', '2', '4']);
        expect(lines.join()).toContain('[unknown: its dictionary is damaged]');
        await put(again, 3 + start, 'a;b 8');
        expect(await merge(again, 3 + start)).toEqual(['a;b 8']);
        await again.close();
      }
    },
  );
});

test('rows that are written while a seal runs stay hot, and are read once', async () => {
  const dataDir = await makeDataDir();
  const store = await openStore(dataDir);
  await put(store, 0, 'a 1');
  const sealed = store.seal();
  let written = 1;
  const done = sealed.then(() => true);
  while (!(await Promise.race([done, Promise.resolve(false)]))) {
    await put(store, 0, `a 1\nb${written} 1`);
    expect((await merge(store, 0, 1))[0]).toBe(`a ${++written}`);
  }
  expect((await merge(store, 0, 1))[0]).toBe(`a ${written}`);
  await store.seal();
  expect((await merge(store, 0, 1))[0]).toBe(`a ${written}`);
  expect((await store.summary(select(CPU, 0, HOUR_MS))).profiles).toBe(1);
});

/** Seals in a process that kills itself after the statement that begins with `at`, or the COMMIT. */
async function killAfter(dataDir: string, at: string): Promise<void> {
  const folder = JSON.stringify(import.meta.dirname);
  const code = `import { join } from 'node:path';
    const { BlockChange } = await import(join(${folder}, 'block-change.ts'));
    const { BlockLists } = await import(join(${folder}, 'block-lists.ts'));
    const { openDuckStore } = await import(join(${folder}, '../open-store.ts'));
    const kill = () => process.kill(process.pid, 'SIGKILL');
    const { query } = BlockChange.prototype;
    BlockChange.prototype.query = async function (sql) {
      const result = await query.call(this, sql);
      if (sql.startsWith(${JSON.stringify(at)})) kill();
      return result;
    };
    BlockLists.prototype.commit = kill;
    const store = await openDuckStore({ dataDir: ${JSON.stringify(dataDir)} });
    await store.seal();`;
  const node = ['--import', 'tsx', '--input-type=module', '-e', code];
  const [run] = await Promise.allSettled([promisify(execFile)(process.execPath, node)]);
  expect(run).toMatchObject({ status: 'rejected', reason: { signal: 'SIGKILL' } });
}

test('killed at any point of a seal: nothing is lost and nothing is there twice', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir });
  await put(store, 0, 'a;b 1\nc 2');
  await put(store, 30, 'a;b 4');
  await store.close();
  const statements = [
    'COPY',
    'DELETE FROM samples',
    'INSERT INTO blocks',
    "UPDATE meta SET value = '",
  ];
  for (const point of [...statements, 'COMMIT']) {
    await killAfter(dataDir, point);
    const again = await openDuckStore({ dataDir });
    expect(await merge(again)).toEqual(['a;b 5', 'c 2']);
    const committed = point === 'COMMIT';
    expect(again.stats().blocks).toBe(committed ? 3 : 0);
    expect((await filesOf(dataDir, 'samples')).length).toBe(committed ? 2 : 0);
    await again.close();
  }
}, 120_000);

test('a directory of schema version 1 is upgraded where it is', async () => {
  const dataDir = await makeDataDir();
  const store = await openDuckStore({ dataDir });
  for (const hour of [0, 1]) await put(store, hour, `a;h${hour} 1`);
  await store.close();
  const database = await duckdb.open(join(dataDir, 'everflame.duckdb'));
  const connection = await duckdb.connect(database);
  for (const sql of [
    'ALTER TABLE samples DROP COLUMN service',
    'ALTER TABLE series DROP COLUMN service',
    ...NEW_TABLES.map((table) => `DROP TABLE ${table}`),
    "DELETE FROM meta WHERE name IN ('blocks_version', 'next_block', 'next_report')",
    "UPDATE meta SET value = '1' WHERE name = 'schema_version'",
  ]) {
    await duckdb.query(connection, sql);
  }
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
  const again = await openStore(dataDir);
  expect(await merge(again)).toEqual(['a;h0 1', 'a;h1 1']);
  await put(again, 2, 'b 1');
  await again.seal();
  const merged = await again.merge(select(`${CPU}{service_name="s1"}`, 0, 9 * HOUR_MS), []);
  expect(mergeText(again.snapshot(), merged)).toEqual(['a;h1 1']);
});
