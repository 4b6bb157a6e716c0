/**
 * Files of sorted rows, however many these are. Sorting a day of a fleet at once fills the memory
 * of the database, which queries need too, and spills ten times what the file takes; from some
 * number of rows on it fails. So ranges of the sort key are sorted one after the other.
 */
import { join } from 'node:path';
import { sqlText } from '../schema.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { type BlockFile, type FileTable, HOUR_MS, partFileName } from './block.ts';
import type { BlockChange } from './block-change.ts';
import { removeFiles } from './block-files.ts';

/** A column of a sort key, and in SQL what keeps files' row groups unread where it is outside. */
export interface KeyColumn {
  sql: string;
  from: (value: string) => string;
  to: (value: string) => string;
}

/** Sorting one takes some 100 bytes a row. */
const SLICE_ROWS = 500_000;
/** Rows looked at to find where a slice ends: it is some tenths larger or smaller than asked. */
const SAMPLES_PER_SLICE = 100;

export function keyColumn(sql: string): KeyColumn {
  return {
    sql,
    from: (value) => `${sql} >= ${sqlText(value)}`,
    to: (value) => `${sql} <= ${sqlText(value)}`,
  };
}

/** SQL: times in 32 bits; sort keys over 32 bytes take twice as long. */
export const HOUR = `(ts_ms // ${HOUR_MS})::UINTEGER`;
export const HOUR_KEY: KeyColumn = {
  sql: HOUR,
  from: (value) => `ts_ms >= ${Number(value) * HOUR_MS}`,
  to: (value) => `ts_ms < ${(Number(value) + 1) * HOUR_MS}`,
};

/**
 * SQL: conditions that part rows by ranges of a key, in its order. `rows`: SQL that selects them.
 * Rows with the same key stay together.
 */
export async function slicesOf(
  change: BlockChange,
  rows: string,
  key: readonly KeyColumn[],
  sliceRows = SLICE_ROWS,
): Promise<string[]> {
  const count = await change.count(`SELECT count(*) FROM (${rows})`);
  if (count <= sliceRows) return ['true'];
  const columns = key.map(({ sql }, at) => `${sql} AS k${at}`).join(', ');
  const names = key.map((_, at) => `k${at}`).join(', ');
  const percent = (100 * SAMPLES_PER_SLICE) / sliceRows;
  const found = await change.query(
    `SELECT DISTINCT ON (${names}) ${key.map((_, at) => `k${at}::VARCHAR`).join(', ')} FROM (
       SELECT *, row_number() OVER (ORDER BY ${names}) AS place FROM (
         SELECT ${columns} FROM (${rows}) USING SAMPLE ${percent} PERCENT (bernoulli, 1)))
     WHERE place % ${SAMPLES_PER_SLICE} = 0 ORDER BY ${names}`,
  );
  const values = key.map((_, at) => found.texts(at));
  const bounds = Array.from({ length: found.rows }, (_, row) =>
    values.map((column) => column[row] as string),
  );
  return [...bounds, null].map((end, at) => conditionOf(key, bounds[at - 1] ?? null, end));
}

function conditionOf(
  key: readonly KeyColumn[],
  begin: readonly string[] | null,
  end: readonly string[] | null,
): string {
  const all = ['true'];
  if (begin !== null) all.push(reaches(key, begin));
  if (end !== null) all.push(`NOT ${reaches(key, end)}`);
  for (const [at, column] of key.entries()) {
    const [low, high] = [begin?.[at], end?.[at]];
    if (low !== undefined) all.push(column.from(low));
    if (high !== undefined) all.push(column.to(high));
    // Within one value of this column only, those of the next are a range.
    if (low === undefined || low !== high) break;
  }
  return all.join(' AND ');
}

/** SQL: whether a row's key is the given one or comes after it. */
function reaches(key: readonly KeyColumn[], bound: readonly string[]): string {
  return key.reduceRight((rest, { sql }, at) => {
    const value = sqlText(bound[at] ?? '');
    return `(${sql} > ${value} OR (${sql} = ${value} AND ${rest}))`;
  }, 'true');
}

/**
 * Writes a file of the rows that statements for slices yield, each of them sorted. Null where that
 * is nothing.
 */
export async function copySlices(
  change: BlockChange,
  id: number,
  table: FileTable,
  slices: readonly string[],
  selectOf: (slice: string) => string | Promise<string>,
): Promise<BlockFile | null> {
  const names: string[] = [];
  try {
    for (const [at, slice] of slices.entries()) {
      const select = await selectOf(slice);
      if (slices.length === 1) return await change.copy(id, table, select);
      const name = partFileName(id, table, at);
      names.push(name);
      await change.copyPart(name, select);
    }
    const parts = parquetRows(names.map((name) => join(change.dataDir, name)));
    return await change.copy(id, table, `FROM ${parts}`);
  } finally {
    await removeFiles(change.dataDir, names);
  }
}
