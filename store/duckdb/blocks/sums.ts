/**
 * What the samples of a block add up to, beside them in files of their own: by hour and stack
 * (roll-ups), and by minute (totals). They answer for whole hours and minutes where a question
 * looks at nothing of a series but its service.
 */
import { join } from 'node:path';
import { aggregationOf, parseProfileType } from '../../../profile/select/profile-type.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { type Block, type BlockFile, derivedOf, HOUR_MS, MINUTE_MS } from './block.ts';
import type { BlockChange } from './block-change.ts';
import { removeFiles } from './block-files.ts';
import { copySlices, HOUR_KEY, keyColumn, slicesOf } from './slices.ts';

export const SUM_TABLES = ['rollup', 'totals'] as const;
export type SumTable = (typeof SUM_TABLES)[number];

/** `timeMs`: the column with the begin of the hour or minute. `stack`: whether stacks are told. */
export const SUMS: Record<SumTable, { unitMs: number; timeMs: string; stack: boolean }> = {
  rollup: { unitMs: HOUR_MS, timeMs: 'hour_ms', stack: true },
  totals: { unitMs: MINUTE_MS, timeMs: 'minute_ms', stack: false },
};

/** With more rows than this part of those that it is made from, reading a file saves too little. */
export const MAX_PART = 0.5;

/**
 * Sums of deltas by (type, service, time, period, and stack in roll-ups) over all series and sample
 * labels; the period is kept because it scales values. Null where they are not worth a file, or
 * where one is more than 64 bits hold. `samples`: the block's, written before. `blocks`: those that
 * together have all of them: where each has such sums, these are less to add up.
 */
export async function writeSums(
  change: BlockChange,
  id: number,
  table: SumTable,
  samples: BlockFile,
  blocks: readonly Block[] = [],
): Promise<BlockFile | null> {
  const { timeMs, stack } = SUMS[table];
  const parts = filesOf(blocks, table);
  const deltas = await deltaTypes(change);
  if (parts.length === 0 && deltas.length === 0) return null;
  const source = rowsOf(change, parts.length > 0 ? parts : [samples]);
  const time = parts.length > 0 ? keyColumn(timeMs) : HOUR_KEY;
  const key = [keyColumn('type'), keyColumn('service'), time];
  const slices = await slicesOf(change, `FROM ${source}`, key);
  const file = await copySlices(change, id, table, slices, (slice) => {
    const sums =
      parts.length > 0
        ? sumParts(table, source, slice)
        : sumSamples(table, source, `${slice} AND s.type IN (${deltas.join(', ')})`);
    return `SELECT * REPLACE (TRY_CAST(sum AS BIGINT) AS sum) FROM (${sums})
      ORDER BY type, service, ${timeMs}, ${stack ? 'stack, ' : ''}period`;
  });
  if (file === null) return null;
  const isWorthIt = file.rows <= MAX_PART * samples.rows;
  if (isWorthIt && !(await hasTooMuch(change, file))) return file;
  await removeFiles(change.dataDir, [file.name]);
  return null;
}

/** Whether a sum has more than 64 bits. */
async function hasTooMuch(change: BlockChange, file: BlockFile): Promise<boolean> {
  return (
    (await change.count(`SELECT count(*) FROM ${rowsOf(change, [file])} WHERE sum IS NULL`)) > 0
  );
}

/** Those of all the blocks; none where one has samples and no such sums. */
function filesOf(blocks: readonly Block[], table: SumTable): BlockFile[] {
  const sums = blocks.map((block) => derivedOf(block, table));
  const areAll = blocks.every(({ samples }, at) => samples === 0 || sums[at] !== undefined);
  return areAll ? sums.filter((file) => file !== undefined) : [];
}

function rowsOf(change: BlockChange, files: readonly BlockFile[]): string {
  return parquetRows(files.map(({ name }) => join(change.dataDir, name)));
}

function sumParts(table: SumTable, source: string, where: string): string {
  const { timeMs, stack } = SUMS[table];
  return `SELECT type, service, ${timeMs}, period, ${stack ? 'stack, ' : ''} sum(r.sum) AS sum
    FROM ${source} r WHERE ${where} GROUP BY ALL`;
}

function sumSamples(table: SumTable, source: string, where: string): string {
  const { unitMs, timeMs, stack } = SUMS[table];
  return `SELECT s.type, s.service, s.ts_ms // ${unitMs} * ${unitMs} AS ${timeMs},
      coalesce(e.period, 0) AS period, ${stack ? 's.stack, ' : ''} sum(s.value) AS sum
    FROM (SELECT * FROM ${source} s WHERE ${where}) s LEFT JOIN series e ON e.id = s.series
    GROUP BY ALL`;
}

/** Rows that a delta is read from, their own or a derived one. Gauges have no sums over time. */
async function deltaTypes(change: BlockChange): Promise<number[]> {
  const rows = await change.query('SELECT id, type, derived FROM types');
  const [ids, types, derived] = [rows.u16(0), rows.texts(1), rows.texts(2)];
  return types.flatMap((text, row) => {
    const read = [text, derived[row] ?? ''].filter((type) => type !== '');
    const isDelta = read.some((type) => aggregationOf(parseProfileType(type)) === 'delta');
    return isDelta ? [ids[row] as number] : [];
  });
}
