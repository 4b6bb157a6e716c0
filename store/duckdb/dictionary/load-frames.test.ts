/** Files of stacks as earlier versions wrote them, and files that say what cannot be. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { expect, onTestFinished, test } from 'vitest';
import { drawBatch, mergeText } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import { checkDataDir } from '../inspect/check-data-dir.ts';
import { openDuckStore } from '../open-store.ts';
import { parquetRows } from '../sql/parquet-source.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = 1_700_000_000_000;
const LOST = '[unknown: its dictionary is damaged]';
const signal = new AbortController().signal;

async function openStore(dataDir: string, lines: string[] = []) {
  const store = await openDuckStore({ dataDir, threads: 2, log: (line) => lines.push(line) });
  onTestFinished(() => store.close());
  const merge = async () => {
    const merged = await store.merge(select(CPU, 0, 10_000), []);
    // A stand-in for what is lost may have come with it.
    return mergeText(store.snapshot(), merged);
  };
  const put = (stacks: string) => {
    const profile = { labels: { service_name: 's' }, tsMs: T0, types: { [CPU]: stacks } };
    return store.write(drawBatch(store.idKey, { id: stacks, profiles: [profile] }));
  };
  return { store, merge, put };
}

/** A store with a sealed block of some stacks, and the file that has them. */
async function makeStore(stacks: string): Promise<{ dataDir: string; file: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-frames-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const { store, put } = await openStore(dataDir);
  await put(stacks);
  await store.seal();
  await store.close();
  const names = await readdir(join(dataDir, 'dictionaries'));
  const name = names.find((file) => file.includes('.stacks.')) ?? '';
  return { dataDir, file: join(dataDir, 'dictionaries', name) };
}

async function run(path: string, sql: string): Promise<void> {
  const database = await duckdb.open(path);
  const connection = await duckdb.connect(database);
  await duckdb.query(connection, sql);
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
}

const shaOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The file with other rows, of which the catalogue knows the length and, `told`, every byte. */
async function rewrite(dataDir: string, file: string, columns: string, told: boolean) {
  const before = await readFile(file);
  const rows = `SELECT ${columns} FROM ${parquetRows([file])} ORDER BY id`;
  await run(':memory:', `COPY (${rows}) TO '${file}.new' (FORMAT parquet, COMPRESSION zstd)`);
  await rename(`${file}.new`, file);
  const after = await readFile(file);
  await run(
    join(dataDir, 'everflame.duckdb'),
    `UPDATE blocks SET files = replace(replace(files, '"bytes":${before.length},',
       '"bytes":${after.length},'), '${told ? shaOf(before) : '-'}', '${shaOf(after)}')`,
  );
}

test('a file without depths is read as it is, checked, and has them when it is merged', async () => {
  const { dataDir, file } = await makeStore('a;b 1\nc 2');
  await rewrite(dataDir, file, 'id, hash, locations', true);
  const { store, merge, put } = await openStore(dataDir);
  expect(await merge()).toEqual(['a;b 1', 'c 2']);
  await put('d;e;f 4');
  await store.seal();
  expect(await merge()).toEqual(['a;b 1', 'c 2', 'd;e;f 4']);
  const { files } = await store.sqlSnapshot();
  const stacks = `SELECT CASE WHEN string_agg(n, ' ' ORDER BY id) = '2 1 3' THEN '' ELSE error(
    'lengths') END FROM (SELECT id, len(locations)::VARCHAR AS n FROM ${parquetRows(files.stacks ?? [])})`;
  await run(':memory:', stacks);
  await store.maintain();
  expect(store.stats().blocks).toBe(2);
  expect((await store.check(signal)).faults).toEqual([]);
  const names = (await readdir(join(dataDir, 'dictionaries'))).filter((name) =>
    name.includes('.stacks.'),
  );
  const merged = names.sort().at(-1) ?? '';
  await run(':memory:', `SELECT depth FROM '${join(dataDir, 'dictionaries', merged)}'`);
});

test('a check finds stacks of another depth than their file says', async () => {
  const { dataDir, file } = await makeStore('a;b 1\nc 2');
  const depth = 'CASE WHEN id = 1 THEN 7 ELSE depth END::UINTEGER AS depth';
  await rewrite(dataDir, file, `id, hash, locations, ${depth}`, true);
  const { faults } = await checkDataDir(dataDir);
  expect(faults.map(({ what }) => what)).toEqual([
    'has 1 stacks of another depth than it says',
    '2 rows name 2 rows of stacks that are not there',
  ]);
});

test.each([
  [
    'locations that there are not',
    'list_transform(locations, lambda x: x + 9) AS locations, depth',
  ],
  ['too few locations', 'locations[:1] AS locations, depth'],
  ['too small depths', 'locations, 1::UINTEGER AS depth'],
])('a file that has %s: sums stay, names are lost, and others go on', async (_, columns) => {
  const { dataDir, file } = await makeStore('a;b 1\nc;d 2');
  await rewrite(dataDir, file, `id, hash, ${columns}`, false);
  const lines: string[] = [];
  const { store, merge, put } = await openStore(dataDir, lines);
  await put('e;f 4');
  const answer = await merge();
  expect(answer.map((line) => line.slice(-1)).sort()).toEqual(['1', '2', '4']);
  expect(answer.join()).toContain(LOST);
  expect(answer).toContain('e;f 4');
  expect(store.stats().damagedBlocks).toBe(1);
  expect(lines.join('\n')).toMatch(/block \d+ is damaged and set aside/);
  await store.close();
  const again = await openStore(dataDir);
  expect(await again.merge()).toEqual([`!${LOST} 1`, `!${LOST} 2`, 'e;f 4']);
  await again.put('a;b 8');
  expect(await again.merge()).toContain('a;b 8');
});
