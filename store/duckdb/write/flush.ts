/**
 * Appends the rows of a group to the tables, within the transaction that the connection is in, in
 * turns: rows of the next group may come meanwhile, behind the marks.
 */
import type duckdb from '@duckdb/node-bindings';
import type { BatchHash } from '../catalogue/batch-ids.ts';
import type { Catalogue, CatalogueMark } from '../catalogue/catalogue.ts';
import { Turn } from '../catalogue/turn.ts';
import type { Dictionaries, DictionaryMark } from '../dictionary/dictionaries.ts';
import { columnTypes, type TableName } from '../schema.ts';
import { type ChunkWriter, TableAppender } from '../sql/table-appender.ts';
import { setHalves } from './row-buffer.ts';
import type { LateReport, WaitingRows } from './write-buffer.ts';

/** Appenders of one connection, made when first needed. An error leaves them unusable. */
export class Appenders {
  readonly #connection: duckdb.Connection;
  readonly #byTable = new Map<TableName, TableAppender>();
  #turn = new Turn();

  constructor(connection: duckdb.Connection) {
    this.#connection = connection;
  }

  /** To be called at the beginning of a transaction, whose work is that of the turn. */
  beginTurn(): void {
    this.#turn = new Turn();
  }

  async append(table: TableName, rows: number, fill: (writer: ChunkWriter) => void): Promise<void> {
    if (rows === 0) return;
    let appender = this.#byTable.get(table);
    if (appender === undefined) {
      appender = new TableAppender(this.#connection, null, table, columnTypes(table));
      this.#byTable.set(table, appender);
    }
    await appender.appendInTurns(rows, fill, this.#turn);
  }

  /** After a failure: nothing of the transaction is written later. */
  discard(): void {
    for (const appender of this.#byTable.values()) appender.discard();
  }
}

export async function flushDictionaries(
  to: Appenders,
  dictionaries: Dictionaries,
  end: DictionaryMark,
): Promise<void> {
  const { strings, functions, locations, stacks } = dictionaries;
  const from = dictionaries.committedMark();

  await to.append('strings', end.strings - from.strings, (writer) => {
    writer.sequence(0, from.strings);
    writer.numbers(1, strings.index.pendingIds(from.strings, end.strings), 2);
    writer.bytes(2, strings.offsets.data, strings.bytes.data, from.strings);
  });
  await to.append('functions', end.functions - from.functions, (writer) => {
    writer.sequence(0, from.functions);
    writer.numbers(1, functions.index.pendingIds(from.functions, end.functions), 2);
    writer.numbers(2, functions.name.data, 1, from.functions);
    writer.numbers(3, functions.systemName.data, 1, from.functions);
    writer.numbers(4, functions.file.data, 1, from.functions);
    writer.numbers(5, functions.startLine.data, 1, from.functions);
  });
  await to.append('locations', end.locations - from.locations, (writer) => {
    const offsets = locations.lineOffsets.data;
    writer.sequence(0, from.locations);
    writer.numbers(1, locations.index.pendingIds(from.locations, end.locations), 2);
    writer.numbers(2, locations.binary.data, 1, from.locations);
    writer.numbers(3, locations.buildId.data, 1, from.locations);
    writer.numbers(4, locations.space.data, 1, from.locations);
    writer.numbers(5, locations.kind.data, 1, from.locations);
    writer.numbers(6, locations.flags.data, 1, from.locations);
    writer.numbers(7, locations.address.data, 2, from.locations);
    writer.list(8, offsets, locations.lineFunction.data, from.locations);
    writer.list(9, offsets, locations.lineNumber.data, from.locations);
    writer.list(10, offsets, locations.lineColumn.data, from.locations);
  });
  await to.append('stacks', end.stacks - from.stacks, (writer) => {
    writer.sequence(0, from.stacks);
    writer.numbers(1, stacks.index.pendingIds(from.stacks, end.stacks), 2);
    writer.list(2, stacks.offsets.data, stacks.locations.data, from.stacks);
  });
}

export async function flushCatalogue(
  to: Appenders,
  catalogue: Catalogue,
  end: CatalogueMark,
): Promise<void> {
  const from = catalogue.committedMark();
  const { series, seriesIndex, labelsetIndex, sampleLabels, types, typesets, agents } = catalogue;

  await to.append('series', end.series - from.series, (writer) => {
    writer.sequence(0, from.series);
    writer.numbers(1, seriesIndex.pendingIds(from.series, end.series), 2);
    writer.text(2, (row) => JSON.stringify(Object.entries(series.labels(from.series + row))));
    writer.numbers(
      3,
      Float64Array.from({ length: end.series - from.series }, (_, row) =>
        series.period(from.series + row),
      ),
    );
    writer.numbers(4, catalogue.service.data, 1, from.series);
  });
  await to.append('labelsets', end.labelsets - from.labelsets, (writer) => {
    writer.sequence(0, from.labelsets);
    writer.numbers(1, labelsetIndex.pendingIds(from.labelsets, end.labelsets), 2);
    writer.text(2, (row) => JSON.stringify(sampleLabels.at(from.labelsets + row)));
  });
  await to.append('types', end.types - from.types, (writer) => {
    writer.numbers(
      0,
      Uint16Array.from({ length: end.types }, (_, id) => id),
      1,
      from.types,
    );
    const part = (row: number, at: 0 | 1): string =>
      types.key(from.types + row).split(' ')[at] ?? '';
    writer.text(1, (row) => part(row, 0));
    writer.text(2, (row) => part(row, 1));
  });
  await to.append('typesets', end.typesets - from.typesets, (writer) => {
    const ids = Uint16Array.from({ length: end.typesets }, (_, id) => id);
    writer.numbers(0, ids, 1, from.typesets);
    writer.text(1, (row) => typesets.key(from.typesets + row));
  });
  await to.append('agents', end.agents - from.agents, (writer) => {
    const rows = agents.items.slice(from.agents);
    writer.sequence(0, from.agents);
    writer.text(1, (row) => rows[row]?.id ?? '');
    writer.text(2, (row) => rows[row]?.host ?? '');
    writer.text(3, (row) => rows[row]?.version ?? '');
    writer.text(4, (row) => rows[row]?.kernel ?? '');
  });
}

export async function flushRows(to: Appenders, rows: WaitingRows): Promise<void> {
  const { samples, profiles, windows } = rows;
  await to.append('samples', samples.count, (writer) => {
    writer.numbers(0, samples.type);
    writer.numbers(1, samples.service);
    writer.numbers(2, samples.series);
    writer.numbers(3, samples.tsMs, 2);
    writer.numbers(4, samples.stack);
    writer.numbers(5, samples.labelset);
    writer.numbers(6, samples.value, 2);
  });
  await to.append('profiles', profiles.count, (writer) => {
    writer.numbers(0, profiles.series);
    writer.numbers(1, profiles.tsMs, 2);
    writer.numbers(2, profiles.durationMs);
    writer.numbers(3, profiles.spanMs);
    writer.numbers(4, profiles.typeset);
    writer.numbers(5, profiles.agent);
    writer.numbers(6, profiles.seq, 2);
    writer.text(7, (row) => profiles.comments[row] ?? '');
  });
  const halves = (of: (row: (typeof windows)[number]) => number): Int32Array => {
    const column = new Int32Array(2 * windows.length);
    for (const [row, window] of windows.entries()) setHalves(column, row, of(window));
    return column;
  };
  if (windows.length === 0) return;
  const agents = Uint32Array.from(windows, (row) => row.agent);
  const seqs = halves((row) => row.window.seq);
  const reports = halves((row) => row.report);
  const times = halves((row) => row.window.startMs);
  const lengths = Float64Array.from(windows, (row) => row.window.lengthMs);
  const frequencies = Float64Array.from(windows, (row) => row.window.frequencyHz);
  const values = halves((row) => row.value);
  await to.append('windows', windows.length, (writer) => {
    writer.numbers(0, agents);
    writer.numbers(1, seqs, 2);
    writer.numbers(2, reports, 2);
    writer.text(3, (row) => windows[row]?.host ?? '');
    writer.numbers(4, times, 2);
    writer.numbers(5, lengths);
    writer.numbers(6, frequencies);
    writer.text(7, (row) => windows[row]?.counter ?? '');
    writer.numbers(8, values, 2);
  });
}

export async function flushBatchIds(
  to: Appenders,
  hashes: readonly BatchHash[],
  nowMs: number,
): Promise<void> {
  const words = Int32Array.from(hashes.flatMap(({ low, high }) => [low, high]));
  const times = new Int32Array(2);
  setHalves(times, 0, nowMs);
  await to.append('batches', hashes.length, (writer) => {
    writer.numbers(0, words, 2);
    writer.constant(1, times[0] as number, times[1] as number);
  });
}

/** Earlier reports of these windows do not count any more. */
export async function flushReplacedWindows(
  to: Appenders,
  reports: readonly LateReport[],
): Promise<void> {
  const rows = reports.flatMap((report) => report.agents.map((agent) => ({ agent, report })));
  const halves = (of: (report: LateReport) => number): Int32Array => {
    const column = new Int32Array(2 * rows.length);
    for (const [row, { report }] of rows.entries()) setHalves(column, row, of(report));
    return column;
  };
  const agents = Uint32Array.from(rows, ({ agent }) => agent);
  const columns = [
    halves(({ seq }) => seq),
    halves(({ tsMs }) => tsMs),
    halves(({ report }) => report),
  ];
  await to.append('replaced_windows', rows.length, (writer) => {
    writer.numbers(0, agents);
    for (const [at, column] of columns.entries()) writer.numbers(at + 1, column, 2);
  });
}
