/**
 * Roll-ups: what the samples of a block add up to by hour, beside them in a file of its own. They
 * answer for whole hours where a question looks at nothing of a series but its service.
 */
import { join } from 'node:path';
import { aggregationOf, parseProfileType } from '../../../profile/select/profile-type.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { type BlockFile, HOUR_MS, ROLLUP } from './block.ts';
import type { BlockChange } from './block-change.ts';

/** With more rows than this part of the samples', reading it saves too little. */
const MAX_PART = 0.5;

/**
 * Sums of deltas by (type, service, hour, period, stack) over all series and sample labels; the
 * period is kept because it scales values. Null where they are not worth a file, or where one is
 * more than 64 bits hold. `samples`: the block's, written before. `parts`: roll-ups that together
 * are of all of them, which are less to add up; or none.
 */
export async function writeRollup(
  change: BlockChange,
  id: number,
  samples: BlockFile,
  parts: readonly BlockFile[] = [],
): Promise<BlockFile | null> {
  const sums = parts.length > 0 ? sumParts(change, parts) : await sumSamples(change, samples);
  if (sums === null) return null;
  await change.query(`CREATE OR REPLACE TEMP TABLE rollup AS ${sums}`);
  const facts = await change.query(
    `SELECT count(*)::DOUBLE, coalesce(max(sum) > ${2n ** 63n - 1n}, false)::DOUBLE FROM rollup`,
  );
  const rows = facts.f64(0)[0] ?? 0;
  const isTooMuch = facts.f64(1)[0] === 1;
  const file =
    rows === 0 || rows > MAX_PART * samples.rows || isTooMuch
      ? null
      : await change.copy(
          id,
          ROLLUP,
          `SELECT * REPLACE (sum::BIGINT AS sum) FROM rollup
           ORDER BY type, service, hour_ms, stack, period`,
        );
  await change.query('DROP TABLE rollup');
  return file;
}

function rowsOf(change: BlockChange, files: readonly BlockFile[]): string {
  return parquetRows(files.map(({ name }) => join(change.dataDir, name)));
}

function sumParts(change: BlockChange, parts: readonly BlockFile[]): string {
  return `SELECT type, service, hour_ms, period, stack, sum(r.sum) AS sum
    FROM ${rowsOf(change, parts)} r GROUP BY ALL`;
}

/** Null where there is nothing to add up. */
async function sumSamples(change: BlockChange, samples: BlockFile): Promise<string | null> {
  const deltas = await deltaTypes(change);
  if (deltas.length === 0) return null;
  return `SELECT s.type, s.service, s.ts_ms // ${HOUR_MS} * ${HOUR_MS} AS hour_ms,
      coalesce(e.period, 0) AS period, s.stack, sum(s.value) AS sum
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
