import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { drawBatch, stackText } from '../../../test/conformance/drawn-batch.ts';
import { CPU } from '../../../test/conformance/store.ts';
import { createTableSql } from '../schema.ts';
import { type Database, openDatabase } from '../sql/database.ts';
import { ResultColumns } from '../sql/result-columns.ts';
import { GroupWriter } from './group-writer.ts';

let dataDir: string;
let database: Database;
let connection: duckdb.Connection;
let writer: GroupWriter;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'everflame-writer-'));
  database = await openDatabase({ dataDir, threads: 2 });
  connection = await database.connect();
  writer = new GroupWriter(connection, database);
});
afterEach(async () => {
  await writer.close();
  duckdb.disconnect_sync(connection);
  database.close();
  await rm(dataDir, { recursive: true });
});

/** Writes `stacks` stacks that are called after the batch, each with a value of 1. */
async function write(id: string, stacks: number): Promise<'written' | 'refused'> {
  const lines = Array.from({ length: stacks }, (_, row) => `main;${id};${id}_${row} 1`);
  const labels = { service_name: 'a' };
  const profiles = [{ labels, tsMs: 1_000, types: { [CPU]: lines.join('\n') } }];
  const [done] = await Promise.allSettled([
    writer.write(drawBatch(database.idKey, { id, profiles })),
  ]);
  return done.status === 'fulfilled' ? 'written' : 'refused';
}

async function run(sql: string): Promise<void> {
  const other = await database.connect();
  await duckdb.query(other, sql);
  duckdb.disconnect_sync(other);
}

/** How many stored samples each batch has, told by the names of their stacks. */
async function storedSamples(): Promise<Record<string, number>> {
  const rows = new ResultColumns(await duckdb.query(connection, 'SELECT stack FROM samples'));
  const counts: Record<string, number> = {};
  for (const stack of rows.u32(0)) {
    const [, id = ''] = stackText(writer.dictionaries.snapshot(), stack).split(';');
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts;
}

/** Ids of a dictionary's rows are 0, 1, 2, ..., and no content has two of them. */
async function expectWhole(table: 'strings' | 'functions' | 'locations' | 'stacks') {
  const sql = `SELECT count(*)::UINTEGER, count(DISTINCT id)::UINTEGER, count(DISTINCT hash)::UINTEGER,
      coalesce(max(id) + 1, 0)::UINTEGER FROM ${table}`;
  const rows = new ResultColumns(await duckdb.query(connection, sql));
  const counts = [0, 1, 2, 3].map((column) => rows.u32(column)[0]);
  const { committedCount } = writer.dictionaries[table].index;
  expect(counts).toEqual(counts.map(() => committedCount));
}

async function expectDictionariesWhole(): Promise<void> {
  await expectWhole('strings');
  await expectWhole('functions');
  await expectWhole('locations');
  await expectWhole('stacks');
}

test('large and small batches that come while others are written are whole', async () => {
  const sizes = { a: 9_000, b: 3, c: 9_000, d: 1, e: 4_000 };
  const writing = Object.entries(sizes).map(([id, stacks]) => write(id, stacks));
  expect(await Promise.all(writing)).toEqual(Array(5).fill('written'));
  expect(await storedSamples()).toEqual(sizes);
  await expectDictionariesWhole();
});

test('a transaction that fails takes nothing along of what comes meanwhile', async () => {
  expect(await write('first', 10)).toBe('written');
  await run('DROP TABLE batches');
  const failing = [write('a', 9_000), write('b', 5)];
  await Promise.race(failing);
  await run(createTableSql('batches'));
  const late = [write('c', 9_000), write('d', 2)];
  const written = await Promise.all([...failing, ...late]);
  const sizes = { a: 9_000, b: 5, c: 9_000, d: 2 };
  const stored = Object.entries(sizes).filter((_, at) => written[at] === 'written');
  expect(stored.length).toBeLessThan(4);
  expect(await storedSamples()).toEqual({ first: 10, ...Object.fromEntries(stored) });
  expect(await write('a', 9_000)).toBe('written');
  expect(await storedSamples()).toMatchObject({ a: 9_000 });
  await expectDictionariesWhole();
});
