/** Writes a block of rows: its files in their order, and what the catalogue says of them. */
import { join } from 'node:path';
import { missingBefore, ONE_PER_WINDOW, REPLACES } from '../schema.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { type Block, type BlockFile, HOUR_MS, ROW_TABLES, type RowTable } from './block.ts';
import type { BlockChange } from './block-change.ts';
import { copySlices, HOUR, HOUR_KEY, type KeyColumn, keyColumn, slicesOf } from './slices.ts';
import { writeSpans } from './spans.ts';
import { SUM_TABLES, writeSums } from './sums.ts';

/** SQL: where rows of a table come from; null where there are none. */
export type RowSource = (table: RowTable) => string | null;

export interface RowBlockRequest {
  source: RowSource;
  /** SQL: a condition on the rows `r` of a table. */
  where: (table: RowTable) => string;
  /** Blocks that together have all of the samples, if there are such. */
  parts?: readonly Block[];
  level: number;
  nowMs: number;
}

/** Adds a block of the rows to the change; null where there are none. */
export async function writeRowBlock(
  change: BlockChange,
  { source, where, parts = [], level, nowMs }: RowBlockRequest,
): Promise<Block | null> {
  const id = change.newId();
  const rows: Record<RowTable, number> = { samples: 0, profiles: 0, windows: 0 };
  const files: BlockFile[] = [];
  const derived: (BlockFile | null)[] = [];
  for (const table of ROW_TABLES) {
    const from = source(table);
    if (from === null) continue;
    const file = await copySorted(change, id, table, from, where(table));
    if (file === null) continue;
    rows[table] = file.rows;
    files.push(file);
    if (table === 'samples') {
      for (const sums of SUM_TABLES) derived.push(await writeSums(change, id, sums, file, parts));
    }
    if (table === 'profiles') {
      await insertActivity(change, id, file);
      derived.push(await writeSpans(change, id, file));
    }
    if (table === 'windows') await insertAgentActivity(change, id, file);
  }
  if (files.length === 0) return null;
  const times = await timesOf(change, files);
  const block: Block = {
    id,
    kind: 'rows',
    level,
    sealedMs: nowMs,
    damaged: '',
    ...times,
    ...rows,
    files: [...files, ...derived.filter((file) => file !== null)],
  };
  change.add(block);
  return block;
}

async function copySorted(
  change: BlockChange,
  id: number,
  table: RowTable,
  source: string,
  where: string,
): Promise<BlockFile | null> {
  const slices = await slicesOf(change, `SELECT * FROM ${source} r WHERE ${where}`, KEYS[table]);
  return copySlices(change, id, table, slices, async (slice) => {
    const chosen = `(${where}) AND ${slice}`;
    const rowsMeet = table === 'profiles' && (await profilesMeet(change, source, chosen));
    return (rowsMeet ? mergedProfiles : SELECTS[table])(source, chosen);
  });
}

export function fileRows(change: BlockChange, files: readonly BlockFile[]): string | null {
  if (files.length === 0) return null;
  return parquetRows(files.map(({ name }) => join(change.dataDir, name)));
}

async function timesOf(
  change: BlockChange,
  files: readonly BlockFile[],
): Promise<{ fromMs: number; toMs: number }> {
  const times = files.map((file) => `SELECT ts_ms FROM ${fileRows(change, [file])}`);
  const rows = await change.query(
    `SELECT min(ts_ms)::DOUBLE, max(ts_ms + 1)::DOUBLE FROM (${times.join(' UNION ALL ')})`,
  );
  return { fromMs: rows.f64(0)[0] as number, toMs: rows.f64(1)[0] as number };
}

async function insertActivity(change: BlockChange, id: number, file: BlockFile): Promise<void> {
  await change.query(
    `INSERT INTO activity SELECT ${id}, series, types, min(ts_ms), max(ts_ms + span_ms), count(*)
     FROM ${fileRows(change, [file])} GROUP BY series, types`,
  );
}

async function insertAgentActivity(
  change: BlockChange,
  id: number,
  file: BlockFile,
): Promise<void> {
  const source = fileRows(change, [file]);
  await change.query(
    `INSERT INTO agent_activity
     SELECT ${id}, agent, min(ts_ms), max(ts_ms + length_ms), first(seq ORDER BY ts_ms, seq),
       last(seq ORDER BY ts_ms, seq), count(*), sum(length_ms), sum(frequency * length_ms),
       ${boundedSum('missing')}
     FROM (SELECT w.*, ${missingBefore('w.seq')} AS missing FROM ${source} w WHERE ${ONE_PER_WINDOW})
     GROUP BY agent`,
  );
  await change.query(
    `INSERT INTO agent_counters
     SELECT ${id}, agent, counter, ${boundedSum('value')} FROM ${source} GROUP BY agent, counter`,
  );
}

/** SQL: the most that 64 bits hold stands for more, so that no agent can keep rows from a block. */
function boundedSum(column: string): string {
  return `least(sum(${column}), ${2n ** 63n - 1n})::BIGINT`;
}

async function profilesMeet(change: BlockChange, source: string, where: string): Promise<boolean> {
  const rows = await change.query(
    `SELECT 1::UINTEGER FROM ${source} r WHERE ${where}
     GROUP BY series, ts_ms, types HAVING count(*) > 1 LIMIT 1`,
  );
  return rows.rows > 0;
}

const MS_OF_HOUR = `(ts_ms % ${HOUR_MS})::UINTEGER`;
const PROFILE_ORDER = `ORDER BY ${HOUR}, series, ${MS_OF_HOUR}`;

/** The first columns of each order. Profiles that may meet are in one hour of one series. */
const KEYS: Record<RowTable, readonly KeyColumn[]> = {
  samples: [keyColumn('type'), keyColumn('service'), HOUR_KEY, keyColumn('series')],
  profiles: [HOUR_KEY, keyColumn('series')],
  windows: [HOUR_KEY, keyColumn('counter')],
};

/** What a block's files hold, in which order. */
const SELECTS: Record<RowTable, (source: string, where: string) => string> = {
  samples: (source, where) =>
    `SELECT r.* FROM ${source} r WHERE ${where}
     ORDER BY type, service, ${HOUR}, series, ${MS_OF_HOUR}, stack`,
  profiles: (source, where) => `SELECT r.* FROM ${source} r WHERE ${where} ${PROFILE_ORDER}`,
  windows: (source, where) =>
    `SELECT w.* FROM (SELECT * FROM ${source} r WHERE ${where}) w
     ANTI JOIN replaced_windows r ON ${REPLACES} ORDER BY ${HOUR}, w.counter, w.agent, w.ts_ms`,
};

/** Profiles where some meet in (series, time, set of types): of those, one row. */
function mergedProfiles(source: string, where: string): string {
  return `SELECT series, ts_ms, max(duration_ms) AS duration_ms, max(span_ms) AS span_ms, types,
      max(agent) AS agent, arg_max(seq, agent) AS seq,
      coalesce(string_agg(comments, chr(10)) FILTER (comments <> ''), '') AS comments
    FROM ${source} r WHERE ${where} GROUP BY series, ts_ms, types ${PROFILE_ORDER}`;
}

/** Earlier reports that neither hot rows nor the blocks hold any more need not be left out. */
export async function forgetReplacedWindows(change: BlockChange): Promise<void> {
  const rows = await change.query('SELECT count(*)::DOUBLE FROM replaced_windows');
  if (rows.f64(0)[0] === 0) return;
  const files = change
    .nextBlocks()
    .flatMap((block) =>
      block.damaged === '' ? block.files.filter(({ name }) => name.includes('.windows.')) : [],
    );
  const sources = ['windows', ...files.map((file) => fileRows(change, [file]))].map(
    (source) =>
      `SELECT agent, seq, ts_ms, report FROM ${source} SEMI JOIN replaced_windows USING (ts_ms)`,
  );
  await change.query(
    `DELETE FROM replaced_windows WHERE rowid NOT IN (
       SELECT r.rowid FROM replaced_windows r JOIN (${sources.join(' UNION ALL ')}) w
         ON ${REPLACES})`,
  );
}
