/**
 * Which times the profiles of a block cover, by type, service and minute, beside them in a file of
 * its own: a service's processes overlap, so that it has far fewer rows.
 */
import { join } from 'node:path';
import { parquetRows } from '../sql/parquet-source.ts';
import { type BlockFile, HOUR_MS, MINUTE_MS, partFileName } from './block.ts';
import type { BlockChange } from './block-change.ts';
import { removeFiles } from './block-files.ts';
import { HOUR_KEY, slicesOf } from './slices.ts';
import { MAX_PART } from './sums.ts';

/** How a profile's time counts, as in docs/formats.md. */
export const SpanKind = { fromItsBegin: 0, ofItsSamples: 1, unknown: 2 } as const;

/** How long before a range a profile may lie that still reaches into it. */
export const LOOK_BACK_MS = HOUR_MS;

/** Rows to sort, one for each type of a profile: of each profile, and of a block. */
const MAX_TYPED_PART = 4;
const MAX_TYPED_ROWS = 8_000_000;

/** SQL: when what a profile `p` covers ends, in whole ms; of each it is one at least. */
export const COVER_END = 'p.ts_ms + greatest(ceil(p.duration_ms)::BIGINT, 1)';

/** SQL: how the time of a profile `p` counts. */
export const SPAN_KIND = `CASE WHEN p.duration_ms <= 0 THEN ${SpanKind.unknown}
  WHEN p.span_ms > 0 THEN ${SpanKind.ofItsSamples} ELSE ${SpanKind.fromItsBegin} END`;

/**
 * The union of the profiles' times by (type, service, minute they begin in, kind). Null where that
 * is not worth a file, or where a profile is longer than the time that ranges look back: whether it
 * counts depends on its own begin. `profiles`: the block's, written before.
 */
export async function writeSpans(
  change: BlockChange,
  id: number,
  profiles: BlockFile,
): Promise<BlockFile | null> {
  const source = rowsOf(change, [profiles.name]);
  const longest = await change.query(`SELECT coalesce(max(duration_ms), 0)::DOUBLE FROM ${source}`);
  if ((longest.f64(0)[0] ?? 0) > LOOK_BACK_MS) return null;
  const parts: string[] = [];
  try {
    const slices = await slicesOf(change, `FROM ${source}`, [HOUR_KEY]);
    let typedRows = 0;
    let rows = 0;
    for (const [at, slice] of slices.entries()) {
      const stretches = partFileName(id, 'spans', 2 * at);
      const spans = partFileName(id, 'spans', 2 * at + 1);
      parts.push(stretches, spans);
      await change.copyPart(stretches, stretchesOf(`(SELECT * FROM ${source} WHERE ${slice})`));
      const stretchRows = rowsOf(change, [stretches]);
      typedRows += await countTyped(change, stretchRows);
      if (typedRows > Math.min(MAX_TYPED_PART * profiles.rows, MAX_TYPED_ROWS)) return null;
      rows += await change.copyPart(spans, unionOf(stretchRows));
      if (rows > MAX_PART * profiles.rows) return null;
    }
    const spans = parts.filter((_, at) => at % 2 === 1);
    const order = 'ORDER BY type, service, minute_ms, kind, start_ms';
    return await change.copy(id, 'spans', `FROM ${rowsOf(change, spans)} ${order}`);
  } finally {
    await removeFiles(change.dataDir, parts);
  }
}

function rowsOf(change: BlockChange, names: readonly string[]): string {
  return parquetRows(names.map((name) => join(change.dataDir, name)));
}

/** Rows that there are of stretches, one for each of their types. */
async function countTyped(change: BlockChange, stretches: string): Promise<number> {
  const found = await change.query(
    `SELECT coalesce(sum(s.rows * len(t.types::USMALLINT[])), 0)::DOUBLE
     FROM (SELECT types, count(*) AS rows FROM ${stretches} GROUP BY types) s
       JOIN typesets t ON t.id = s.types`,
  );
  return found.f64(0)[0] ?? 0;
}

/** SQL: profiles that begin in one stretch of time and are as long as it overlap: one row. */
function stretchesOf(profiles: string): string {
  return `SELECT p.types, e.service, p.ts_ms // ${MINUTE_MS} * ${MINUTE_MS} AS minute_ms,
      (${SPAN_KIND})::UTINYINT AS kind, min(p.ts_ms) AS start_ms,
      max(p.ts_ms + p.duration_ms) AS stop_ms, max(${COVER_END}) AS end_ms
    FROM (SELECT *, CASE WHEN duration_ms >= 5000 THEN 5000 WHEN duration_ms >= 1000 THEN 1000
      ELSE 1 END AS stretch_ms FROM ${profiles}) p JOIN series e ON e.id = p.series
    GROUP BY p.types, e.service, minute_ms, kind, p.stretch_ms, p.ts_ms // p.stretch_ms`;
}

/** SQL: those that overlap or touch are one row. */
function unionOf(stretches: string): string {
  const typed = `FROM ${stretches} s
    JOIN (SELECT id, unnest(types::USMALLINT[]) AS type FROM typesets) m ON m.id = s.types`;
  const each = 'PARTITION BY type, service, minute_ms, kind ORDER BY start_ms';
  return `WITH begins AS (
      SELECT m.type, s.service, s.minute_ms, s.kind, s.start_ms, max(s.stop_ms) AS stop_ms,
        max(s.end_ms) AS end_ms ${typed} GROUP BY ALL),
    gaps AS (
      SELECT *, start_ms > max(stop_ms) OVER (
        ${each} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_gap FROM begins),
    numbered AS (
      SELECT *, count(*) FILTER (is_gap) OVER (${each} ROWS UNBOUNDED PRECEDING) AS number
      FROM gaps)
    SELECT type, service, minute_ms, kind, min(start_ms) AS start_ms, max(stop_ms) AS stop_ms,
      max(end_ms) AS end_ms FROM numbered GROUP BY type, service, minute_ms, kind, number`;
}
