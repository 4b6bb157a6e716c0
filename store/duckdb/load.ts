/** Fills the memory of a store from its tables when it is opened. */
import duckdb from '@duckdb/node-bindings';
import { assert } from '../../profile/errors.ts';
import type { AgentInfo, SampleLabel } from '../store.ts';
import { Activity } from './catalogue/activity.ts';
import { type BatchIds, oldestKeptMs } from './catalogue/batch-ids.ts';
import { type Catalogue, rowTypeOf } from './catalogue/catalogue.ts';
import type { Dictionaries } from './dictionary/dictionaries.ts';
import type { IdIndex } from './dictionary/id-index.ts';
import type { SharedColumn } from './dictionary/shared-column.ts';
import { ResultColumns } from './sql/result-columns.ts';

/** Every table is read in the order it was written, so that refs come out as 0, 1, 2, ... */
async function read(connection: duckdb.Connection, sql: string): Promise<ResultColumns> {
  return new ResultColumns(await duckdb.query(connection, sql));
}

export async function loadDictionaries(
  connection: duckdb.Connection,
  dictionaries: Dictionaries,
): Promise<void> {
  const { strings, functions, locations, stacks } = dictionaries;
  const texts = await read(connection, 'SELECT id, hash, text FROM strings');
  assignAll(strings.index, texts);
  texts.eachText(2, (bytes) => {
    strings.bytes.append(bytes);
    strings.offsets.push(strings.bytes.length);
  });
  const names = await read(
    connection,
    'SELECT id, hash, name, system_name, file, start_line FROM functions',
  );
  assignAll(functions.index, names);
  functions.name.append(names.u32(2));
  functions.systemName.append(names.u32(3));
  functions.file.append(names.u32(4));
  functions.startLine.append(names.u32(5));

  const places = await read(
    connection,
    `SELECT id, hash, binary_path, build_id, address_space, kind, flags, address,
       line_function, line_number, line_column FROM locations`,
  );
  assignAll(locations.index, places);
  locations.binary.append(places.u32(2));
  locations.buildId.append(places.u32(3));
  locations.space.append(places.u8(4));
  locations.kind.append(places.u8(5));
  locations.flags.append(places.u8(6));
  locations.address.append(new Uint32Array(places.words(7).buffer));
  appendLists(places, 8, locations.lineOffsets, locations.lineFunction);
  places.eachList(9, (_, values) => locations.lineNumber.append(values));
  places.eachList(10, (_, values) => locations.lineColumn.append(values));

  const paths = await read(connection, 'SELECT id, hash, locations FROM stacks');
  assignAll(stacks.index, paths);
  appendLists(paths, 2, stacks.offsets, stacks.locations);
  dictionaries.commit(dictionaries.mark());
}

function assignAll(index: IdIndex, rows: ResultColumns): void {
  const ids = rows.u32(0);
  const hashes = rows.words(1);
  for (let row = 0; row < rows.rows; row++) {
    const ref = index.assign(hashes[2 * row] as number, hashes[2 * row + 1] as number);
    assert(ref === ids[row], `row ${row} of a dictionary has the id ${ids[row]}`);
  }
}

function appendLists(
  rows: ResultColumns,
  column: number,
  offsets: SharedColumn<Uint32Array>,
  values: SharedColumn<Uint32Array>,
): void {
  rows.eachList(column, (ends, chunk) => {
    const base = values.length;
    values.append(chunk);
    for (const end of ends) offsets.push(base + end);
  });
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

  const series = await read(connection, 'SELECT hash, labels, period FROM series ORDER BY id');
  const seriesHashes = series.words(0);
  const periods = series.f64(2);
  for (const [row, text] of series.texts(1).entries()) {
    catalogue.addSeries({
      id: [seriesHashes[2 * row] as number, seriesHashes[2 * row + 1] as number],
      labels: Object.fromEntries(JSON.parse(text) as [string, string][]),
      period: periods[row] as number,
    });
  }
  const sets = await read(connection, 'SELECT hash, labels FROM labelsets ORDER BY id');
  const setHashes = sets.words(0);
  for (const [row, text] of sets.texts(1).entries()) {
    const labels = JSON.parse(text) as SampleLabel[];
    catalogue.addLabelset(labels, setHashes[2 * row] as number, setHashes[2 * row + 1] as number);
  }
  catalogue.commit(catalogue.mark());
}

/** Spans of all (series, type set) pairs, from a scan of the profiles. */
export async function loadActivity(
  connection: duckdb.Connection,
  catalogue: Catalogue,
): Promise<void> {
  const spans = await read(
    connection,
    `SELECT series, types, min(ts_ms)::DOUBLE, max(ts_ms + span_ms)::DOUBLE
     FROM profiles GROUP BY ALL`,
  );
  const series = spans.u32(0);
  const typesets = spans.u16(1);
  const first = spans.f64(2);
  const last = spans.f64(3);
  const activity = new Activity();
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
  const rows = await read(
    connection,
    `SELECT hash, ts_ms::DOUBLE FROM batches WHERE ts_ms >= ${oldestKeptMs(nowMs)}`,
  );
  const hashes = rows.words(0);
  const times = rows.f64(1);
  for (let row = 0; row < rows.rows; row++) {
    const hash = { low: hashes[2 * row] as number, high: hashes[2 * row + 1] as number };
    batchIds.add(hash, times[row] as number);
  }
}

/** Numbers that go on from where the tables end. */
export async function loadCounts(
  connection: duckdb.Connection,
  writer: { counts: { samples: number; profiles: number }; buffer: { nextReport: number } },
): Promise<void> {
  const rows = await read(
    connection,
    `SELECT (SELECT count(*) FROM samples)::DOUBLE, (SELECT count(*) FROM profiles)::DOUBLE,
       (SELECT coalesce(max(report) + 1, 0) FROM windows)::DOUBLE`,
  );
  writer.counts.samples = rows.f64(0)[0] as number;
  writer.counts.profiles = rows.f64(1)[0] as number;
  writer.buffer.nextReport = rows.f64(2)[0] as number;
}
