import duckdb from '@duckdb/node-bindings';
import { expect, test } from 'vitest';
import { openMemoryDatabase } from './database.ts';
import { eachChunk, ResultColumns } from './result-columns.ts';

/** Texts of 0 to 40 bytes: those of up to 12 lie in their row, longer ones elsewhere. */
const SQL = `SELECT repeat(chr((97 + range % 26)::INTEGER), (range * 7 % 41)::INTEGER) || 'é' AS text
  FROM range(5000)`;
const texts = Array.from(
  { length: 5_000 },
  (_, row) => `${String.fromCharCode(97 + (row % 26)).repeat((row * 7) % 41)}é`,
);

test.each([
  ['as they are made', SQL, texts],
  ['backwards', `SELECT text FROM (${SQL}) ORDER BY text DESC`, [...texts].sort().reverse()],
  ['only long ones', `SELECT text FROM (${SQL}) WHERE strlen(text) > 12`, texts.filter(isLong)],
])('texts of any length, %s, at once and chunk by chunk', async (_, sql, expected) => {
  const database = await openMemoryDatabase({ threads: '2' });
  const connection = await duckdb.connect(database);
  const whole = new ResultColumns(await duckdb.query(connection, sql)).texts(0);
  const streamed: string[] = [];
  await eachChunk(connection, sql, (rows) => streamed.push(...rows.texts(0)));
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
  expect(whole).toEqual(expected);
  expect(streamed).toEqual(expected);
});

function isLong(text: string): boolean {
  return Buffer.byteLength(text) > 12;
}
