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
 * where one is more than 64 bits hold. `samples`: the block's, written before. `parts`: blocks that
 * together have all of them: where each has such sums, these are less to add up.
 */
export async function writeSums(
  change: BlockChange,
  id: number,
  table: SumTable,
  samples: BlockFile,
  parts: readonly Block[] = [],
): Promise<BlockFile | null> {
  const { timeMs, stack } = SUMS[table];
  const files = filesOf(parts, table);
  const sums =
    files.length > 0 ? sumParts(change, table, files) : await sumSamples(change, table, samples);
  if (sums === null) return null;
  await change.query(`CREATE OR REPLACE TEMP TABLE sums AS ${sums}`);
  const facts = await change.query(
    `SELECT count(*)::DOUBLE, coalesce(max(sum) > ${2n ** 63n - 1n}, false)::DOUBLE FROM sums`,
  );
  const rows = facts.f64(0)[0] ?? 0;
  const isTooMuch = facts.f64(1)[0] === 1;
  const file =
    rows === 0 || rows > MAX_PART * samples.rows || isTooMuch
      ? null
      : await change.copy(
          id,
          table,
          `SELECT * REPLACE (sum::BIGINT AS sum) FROM sums
           ORDER BY type, service, ${timeMs}, ${stack ? 'stack, ' : ''}period`,
        );
  await change.query('DROP TABLE sums');
  return file;
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

function sumParts(change: BlockChange, table: SumTable, parts: readonly BlockFile[]): string {
  const { timeMs, stack } = SUMS[table];
  return `SELECT type, service, ${timeMs}, period, ${stack ? 'stack, ' : ''} sum(r.sum) AS sum
    FROM ${rowsOf(change, parts)} r GROUP BY ALL`;
}

/** Null where there is nothing to add up. */
async function sumSamples(
  change: BlockChange,
  table: SumTable,
  samples: BlockFile,
): Promise<string | null> {
  const deltas = await deltaTypes(change);
  if (deltas.length === 0) return null;
  const { unitMs, timeMs, stack } = SUMS[table];
  return `SELECT s.type, s.service, s.ts_ms // ${unitMs} * ${unitMs} AS ${timeMs},
      coalesce(e.period, 0) AS period, ${stack ? 's.stack, ' : ''} sum(s.value) AS sum
    FROM ${rowsOf(change, [samples])} s LEFT JOIN series e ON e.id = s.series
    WHERE s.type IN (${deltas.join(', ')}) GROUP BY ALL`;
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
