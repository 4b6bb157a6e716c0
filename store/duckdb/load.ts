/** Fills the memory of a store from its tables when it is opened; dictionaries apart. */
import duckdb from '@duckdb/node-bindings';
import type { Labels } from '../../profile/select/labels.ts';
import type { AgentInfo, SampleLabel } from '../store.ts';
import type { BlockList } from './blocks/block-lists.ts';
import { Activity } from './catalogue/activity.ts';
import { type BatchIds, DAY_MS, oldestKeptMs } from './catalogue/batch-ids.ts';
import { type Catalogue, rowTypeOf } from './catalogue/catalogue.ts';
import { eachChunk, ResultColumns } from './sql/result-columns.ts';

async function read(connection: duckdb.Connection, sql: string): Promise<ResultColumns> {
  return new ResultColumns(await duckdb.query(connection, sql));
}

/**
 * Forgets series of which nothing is stored any more. The first one of each service stays, so that
 * services keep the numbers that blocks are sorted by, and so does the last, so that no number is
 * given twice. Only while nothing is written.
 */
export async function forgetSeries(connection: duckdb.Connection): Promise<void> {
  await duckdb.query(
    connection,
    `DELETE FROM series
     WHERE id NOT IN (SELECT series FROM activity) AND id NOT IN (SELECT series FROM profiles)
       AND id NOT IN (SELECT series FROM samples)
       AND id NOT IN (SELECT min(id) FROM series GROUP BY service)
       AND id < (SELECT max(id) FROM series)`,
  );
}

export async function loadCatalogue(
  connection: duckdb.Connection,
  catalogue: Catalogue,
): Promise<void> {
  const types = await read(connection, 'SELECT type, derived FROM types ORDER BY id');
  const derived = types.texts(1);
  for (const [row, type] of types.texts(0).entries()) {
    catalogue.addType(rowTypeOf(type, derived[row] ?? ''));
  }
  const typesets = await read(connection, 'SELECT types FROM typesets ORDER BY id');
  for (const text of typesets.texts(0)) catalogue.addTypeset(JSON.parse(text) as number[]);

  const agents = await read(
    connection,
    'SELECT agent, host, version, kernel FROM agents ORDER BY id',
  );
  const [ids, hosts, versions, kernels] = [0, 1, 2, 3].map((column) => agents.texts(column));
  for (let row = 0; row < agents.rows; row++) {
    const agent: AgentInfo = {
      id: ids?.[row] ?? '',
      host: hosts?.[row] ?? '',
      version: versions?.[row] ?? '',
      kernel: kernels?.[row] ?? '',
    };
    catalogue.addAgent(agent);
  }

  const fields = 'hash, labels, period, id';
  await eachChunk(connection, `SELECT ${fields} FROM series ORDER BY id`, (rows) => {
    const ids = rows.u32(3);
    const hashes = rows.words(0);
    const periods = rows.f64(2);
    for (const [row, text] of rows.texts(1).entries()) {
      while (catalogue.series.count < (ids[row] as number)) catalogue.skipSeries();
      catalogue.addSeries({
        id: [hashes[2 * row] as number, hashes[2 * row + 1] as number],
        labels: labelsOf(text),
        period: periods[row] as number,
      });
    }
  });
  const sets = await read(connection, 'SELECT hash, labels FROM labelsets ORDER BY id');
  const setHashes = sets.words(0);
  for (const [row, text] of sets.texts(1).entries()) {
    const labels = JSON.parse(text) as SampleLabel[];
    catalogue.addLabelset(labels, setHashes[2 * row] as number, setHashes[2 * row + 1] as number);
  }
  catalogue.commit(catalogue.freeze());
}

/** The labels of a series as stored: JSON of pairs. Splitting takes a third of the time. */
export function labelsOf(text: string): Labels {
  if (text.includes('\\')) return Object.fromEntries(JSON.parse(text) as [string, string][]);
  // Without an escape, quotes stand around names and values only: [["a","b"],["c","d"]].
  const words = text.split('"');
  const labels: Record<string, string> = {};
  for (let at = 1; at < words.length; at += 4) labels[words[at] ?? ''] = words[at + 2] ?? '';
  return labels;
}

/**
 * Spans of all (series, type set) pairs: of blocks from their table, of hot rows by a scan. Rows
 * that are being written must be durable before this is called, or be covered after.
 */
export async function loadActivity(
  connection: duckdb.Connection,
  catalogue: Catalogue,
  activity = new Activity(),
): Promise<void> {
  const spans = await read(
    connection,
    `SELECT series, types, min(first_ms)::DOUBLE, max(last_ms)::DOUBLE FROM (
       SELECT series, types, first_ms, last_ms FROM activity
       UNION ALL SELECT series, types, ts_ms, ts_ms + span_ms FROM profiles) GROUP BY ALL`,
  );
  const series = spans.u32(0);
  const typesets = spans.u16(1);
  const first = spans.f64(2);
  const last = spans.f64(3);
  for (let row = 0; row < spans.rows; row++) {
    activity.cover(
      series[row] as number,
      typesets[row] as number,
      first[row] as number,
      last[row] as number,
    );
  }
  catalogue.activity = activity;
}

export async function loadBatchIds(
  connection: duckdb.Connection,
  batchIds: BatchIds,
  nowMs: number,
): Promise<void> {
  const days = await read(
    connection,
    `SELECT DISTINCT (ts_ms // ${DAY_MS})::DOUBLE FROM batches
     WHERE ts_ms >= ${oldestKeptMs(nowMs)}`,
  );
  for (const day of days.f64(0)) {
    const [from, to] = [day * DAY_MS, (day + 1) * DAY_MS];
    const rows = await read(
      connection,
      `SELECT hash FROM batches WHERE ts_ms >= ${from} AND ts_ms < ${to}`,
    );
    batchIds.load(day, rows.words(0));
  }
}

/** Numbers that go on from where the tables end. */
export async function loadCounts(
  connection: duckdb.Connection,
  writer: {
    counts: { samples: number; profiles: number; hotSamples: number };
    buffer: { nextReport: number };
  },
  { blocks }: BlockList,
): Promise<void> {
  const rows = await read(
    connection,
    `SELECT (SELECT count(*) FROM samples)::DOUBLE, (SELECT count(*) FROM profiles)::DOUBLE,
       (SELECT max(report)::DOUBLE FROM (
          SELECT coalesce(max(report) + 1, 0) AS report FROM windows
          UNION ALL SELECT value::BIGINT FROM meta WHERE name = 'next_report'))`,
  );
  const { counts, buffer } = writer;
  counts.hotSamples = rows.f64(0)[0] as number;
  counts.samples = counts.hotSamples;
  counts.profiles = rows.f64(1)[0] as number;
  for (const { samples, profiles, damaged } of blocks) {
    if (damaged !== '') continue;
    counts.samples += samples;
    counts.profiles += profiles;
  }
  buffer.nextReport = rows.f64(2)[0] as number;
}
