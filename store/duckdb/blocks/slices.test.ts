import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../sql/database.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { HOUR_MS } from './block.ts';
import { type BlockChange, changeBlocks } from './block-change.ts';
import { openBlocks } from './open-blocks.ts';
import { copySlices, HOUR, HOUR_KEY, keyColumn, slicesOf } from './slices.ts';

const ROWS = 40_000;
const SLICE_ROWS = 4_000;

async function inChange(run: (change: BlockChange) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-slices-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const database = await openDatabase({ dataDir, threads: 2 });
  const connection = await database.connect();
  try {
    const { place } = await openBlocks(database, connection, () => undefined);
    await changeBlocks(place, new AbortController().signal, run);
  } finally {
    duckdb.disconnect_sync(connection);
    database.close();
  }
}

/** Half of them is one hour of one service; names need quotes. */
const SOURCE = `SELECT (n % 3)::USMALLINT AS type, chr(39) || 's' || (if(n % 2 = 0, 0, n % 7)) AS name,
    (if(n % 2 = 0, 5, n % 50) * ${HOUR_MS} + n)::BIGINT AS ts_ms, (n * 7919 % 1000)::UINTEGER AS series,
    n::UINTEGER AS n
  FROM range(${ROWS}) r(n)`;
const KEY = [keyColumn('type'), keyColumn('name'), HOUR_KEY, keyColumn('series')];
const ORDER = `ORDER BY type, name, ${HOUR}, series, n`;

async function sums(change: BlockChange, select: string): Promise<number[]> {
  // Of a row, its place times its number: other for any other order.
  const rows = await change.query(
    `SELECT count(*)::DOUBLE, sum(n * place % 1000003)::DOUBLE, count(DISTINCT n)::DOUBLE
     FROM (SELECT *, row_number() OVER () AS place FROM (${select}))`,
  );
  return [0, 1, 2].map((column) => rows.f64(column)[0] ?? 0);
}

test('a file of slices is what sorting all at once would write', async () => {
  await inChange(async (change) => {
    await change.query(`CREATE TEMP TABLE source AS ${SOURCE}`);
    const slices = await slicesOf(change, 'FROM source', KEY, SLICE_ROWS);
    expect(slices.length).toBeGreaterThan(5);
    const counts = [];
    for (const slice of slices) {
      counts.push(await change.count(`SELECT count(*) FROM source WHERE ${slice}`));
    }
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(ROWS);
    expect(Math.max(...counts)).toBeLessThan(2 * SLICE_ROWS);
    const select = (slice: string) => `SELECT * FROM source WHERE ${slice} ${ORDER}`;
    const file = await copySlices(change, 1, 'samples', slices, select);
    expect(file).toMatchObject({ rows: ROWS, name: 'blocks/000000000001.samples.parquet' });
    const written = `FROM ${parquetRows([join(change.dataDir, file?.name ?? '')])}`;
    expect(await sums(change, written)).toEqual(await sums(change, select('true')));
    expect(await readdir(join(change.dataDir, 'blocks'))).toEqual(['000000000001.samples.parquet']);
  });
});

test('rows of one key stay together, however many', async () => {
  await inChange(async (change) => {
    await change.query(
      `CREATE TEMP TABLE source AS SELECT (n % 2)::USMALLINT AS type, n FROM range(${ROWS}) r(n)`,
    );
    const slices = await slicesOf(change, 'FROM source', [keyColumn('type')], SLICE_ROWS);
    const types = [];
    for (const slice of slices) {
      const rows = await change.query(`SELECT DISTINCT type::DOUBLE FROM source WHERE ${slice}`);
      types.push(...rows.f64(0));
    }
    expect(types.sort()).toEqual([0, 1]);
  });
});

test('few rows are one slice; none are no file', async () => {
  await inChange(async (change) => {
    const few = `SELECT * FROM (${SOURCE}) LIMIT ${SLICE_ROWS}`;
    expect(await slicesOf(change, few, KEY, SLICE_ROWS)).toEqual(['true']);
    const select = () => `SELECT * FROM (${SOURCE}) WHERE false`;
    expect(await copySlices(change, 1, 'samples', ['true'], select)).toBeNull();
    expect(await copySlices(change, 1, 'samples', ['true', 'true'], select)).toBeNull();
    expect(await readdir(join(change.dataDir, 'blocks'))).toEqual([]);
  });
});
