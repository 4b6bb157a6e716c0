/** A database file that should become small on a disk that has no room for the copy. */
import { readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { expect, test } from 'vitest';
import { openDuckStore } from '../../store/duckdb/open-store.ts';
import { type Database, openDatabase } from '../../store/duckdb/sql/database.ts';
import { SHRINK_STEPS } from '../../store/duckdb/sql/shrink-file.ts';
import { drawBatch, mergeText } from '../conformance/drawn-batch.ts';
import { select } from '../conformance/store.ts';
import { withSmallDisk } from './small-disk.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const MIB = 2 ** 20;
const T0 = 1_700_000_000_000;
/** Less than the copy needs. */
const LEFT_BYTES = 2 ** 16;

async function run(
  dataDir: string,
  use: (connection: duckdb.Connection, database: Database) => Promise<unknown>,
) {
  const database = await openDatabase({ dataDir });
  const connection = await database.connect();
  const [done] = await Promise.allSettled([use(connection, database)]);
  duckdb.disconnect_sync(connection);
  database.close();
  return done;
}

async function runAll(connection: duckdb.Connection, statements: readonly string[]) {
  for (const sql of statements) await duckdb.query(connection, sql);
}

async function merge(dataDir: string): Promise<string[]> {
  const store = await openDuckStore({ dataDir });
  const merged = await store.merge(select(CPU, 0, 10), []);
  const text = mergeText(store.snapshot(), merged);
  await store.close();
  return text;
}

test('no room for the copy: the file stays as it is, and is small once there is room', async () => {
  await withSmallDisk(32, async (folder) => {
    const dataDir = join(folder, 'data');
    const filler = join(folder, 'filler');
    const fileBytes = () => statSync(join(dataDir, 'everflame.duckdb')).size;
    const store = await openDuckStore({ dataDir });
    const profile = { labels: { service_name: 's' }, tsMs: T0, types: { [CPU]: 'a;b 1\nc 2' } };
    await store.write(drawBatch(store.idKey, { id: 'b', profiles: [profile] }));
    await store.close();
    const made = await run(dataDir, (connection) =>
      runAll(connection, [
        `CREATE TABLE filler AS SELECT hash(i) FROM range(${MIB}) r(i)`,
        'CHECKPOINT',
        'UPDATE samples SET value = value',
        'CHECKPOINT',
        'DROP TABLE filler',
        'CHECKPOINT',
      ]),
    );
    expect(made.status).toBe('fulfilled');
    expect(fileBytes()).toBeGreaterThan(8 * MIB);
    const { bsize, bavail } = statfsSync(folder);
    writeFileSync(filler, new Uint8Array(bsize * bavail - LEFT_BYTES));

    const full = await run(dataDir, async (connection, database) => {
      for (const step of SHRINK_STEPS) await step(connection, database);
    });
    expect(full.status).toBe('rejected');
    expect(await merge(dataDir)).toEqual(['a;b 1', 'c 2']);
    expect(fileBytes()).toBeGreaterThan(8 * MIB);
    expect(readdirSync(dataDir).sort()).toEqual(['blocks', 'dictionaries', 'everflame.duckdb']);

    rmSync(filler);
    expect(await merge(dataDir)).toEqual(['a;b 1', 'c 2']);
    expect(fileBytes()).toBeLessThan(2 * MIB);
  });
});
