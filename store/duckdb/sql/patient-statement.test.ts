import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { afterAll, expect, test } from 'vitest';
import { PatientStatement } from './patient-statement.ts';
import { ResultColumns } from './result-columns.ts';

const folder = mkdtempSync(join(tmpdir(), 'everflame-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function open(name: string, threads: number) {
  const config = duckdb.create_config();
  duckdb.set_config(config, 'threads', String(threads));
  const database = await duckdb.open(join(folder, name), config);
  return { database, connection: await duckdb.connect(database) };
}

test.each([1, 2])('commits, tells of failures, and lets go of the file: %i threads', async (n) => {
  const { database, connection } = await open(`${n}.duckdb`, n);
  const run = (sql: string) => duckdb.query(connection, sql);
  await run('CREATE TABLE t (a INTEGER)');
  const commit = new PatientStatement(connection, 'COMMIT');
  for (let i = 0; i < 20; i++) {
    await run('BEGIN');
    await run(`INSERT INTO t VALUES (${i})`);
    await commit.run();
  }
  await expect(commit.run(), 'no transaction').rejects.toThrow(/no transaction is active/);
  await run('BEGIN');
  await run('INSERT INTO t VALUES (20)');
  await expect(run('SELECT error(1)')).rejects.toThrow();
  await run('ROLLBACK');
  const sum = new ResultColumns(await run('SELECT sum(a)::DOUBLE FROM t')).f64(0)[0];
  expect(sum).toBe(190);
  commit.close();
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
  // The last to let go of a database writes its log into the file.
  expect(existsSync(join(folder, `${n}.duckdb.wal`))).toBe(false);
});
