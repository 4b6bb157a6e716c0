/** Fills the dictionaries of a store when it is opened: rows in blocks, then those not sealed. */
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import type { Block, DictionaryTable } from '../blocks/block.ts';
import { contentFaultOf } from '../blocks/block-files.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { eachChunk, type ResultColumns } from '../sql/result-columns.ts';
import type { Dictionaries } from './dictionaries.ts';
import { IdRows, partsOf, type Sealed } from './dictionary-parts.ts';
import type { IdIndex } from './id-index.ts';
import type { StackPart } from './load-frames.ts';
import { loadStackIds } from './load-stacks.ts';
import { LostRows } from './lost-rows.ts';
import type { SharedColumn } from './shared-column.ts';

/**
 * What DuckDB's threads decode ahead of this one. By its own measure, a megabyte, they wait most of
 * the time: ten million stacks took half as long again.
 */
const READ_AHEAD_BYTES = 64_000_000;

interface Table {
  table: DictionaryTable;
  index: IdIndex;
  /** The first are `id, hash`. */
  columns: string;
  append: (rows: ResultColumns) => void;
  /** Adds stand-ins until there are so many rows. */
  fill: (end: number) => void | Promise<void>;
}

/**
 * Returns what is wrong with blocks of dictionaries that turned out not to be readable. Their lost
 * rows have stand-ins; those that are not lost are kept for what is stored, but not found any more,
 * so that whatever is sent again is stored whole.
 */
export async function loadDictionaries(
  connection: duckdb.Connection,
  dictionaries: Dictionaries,
  sealed: Sealed,
): Promise<{ faults: Map<Block, string>; stacks: StackPart[] }> {
  await duckdb.query(connection, `SET streaming_buffer_size = '${READ_AHEAD_BYTES}B'`);
  const faults = new Map<Block, string>();
  const lost = new LostRows(connection, dictionaries);
  for (const table of tablesOf(dictionaries, lost)) {
    await loadTable(connection, table, sealed, faults);
  }
  const stacks = await loadStackIds(connection, dictionaries, sealed, lost, faults);
  return { faults, stacks };
}

/** Rows are read in the order they were written, so that refs come out as 0, 1, 2, ... */
async function loadTable(
  connection: duckdb.Connection,
  { table, index, columns, append, fill }: Table,
  { dataDir, list }: Sealed,
  faults: Map<Block, string>,
): Promise<void> {
  const parts = partsOf(list, table);
  for (const { block, file, ids } of parts) {
    await fill(ids[0]);
    if (file.lost === true) continue;
    const source = parquetRows([join(dataDir, file.name)]);
    const found = block.damaged === '' && !faults.has(block);
    const rows = new IdRows(index.count);
    const reading = eachChunk(connection, `SELECT ${columns} FROM ${source}`, (chunk) => {
      rows.take(chunk);
      append(chunk);
    });
    const [part] = await Promise.allSettled([reading]);
    // What was read of a damaged file stands for its first rows.
    rows.loadInto(index, found);
    if (part.status === 'fulfilled' && rows.count === ids[1] - ids[0]) continue;
    const fault = await contentFaultOf(dataDir, file);
    if (fault === '' && part.status === 'rejected') throw part.reason;
    faults.set(block, fault === '' ? `${file.name} lacks rows` : fault);
  }
  await fill(Math.max(0, ...parts.map(({ ids }) => ids[1])));
  const rows = new IdRows(index.count);
  await eachChunk(connection, `SELECT ${columns} FROM ${table}`, (chunk) => {
    rows.take(chunk);
    append(chunk);
  });
  rows.loadInto(index, true);
}

function tablesOf(dictionaries: Dictionaries, lost: LostRows): Table[] {
  const { strings, functions, locations } = dictionaries;
  return [
    {
      table: 'strings',
      index: strings.index,
      columns: 'id, hash, text',
      append: (rows) => {
        rows.eachText(2, (bytes) => {
          strings.bytes.append(bytes);
          strings.offsets.push(strings.bytes.length);
        });
      },
      fill: (end) => lost.fillStrings(end),
    },
    {
      table: 'functions',
      index: functions.index,
      columns: 'id, hash, name, system_name, file, start_line',
      append: (rows) => {
        functions.name.append(rows.u32(2));
        functions.systemName.append(rows.u32(3));
        functions.file.append(rows.u32(4));
        functions.startLine.append(rows.u32(5));
      },
      fill: (end) => lost.fillFunctions(end),
    },
    {
      table: 'locations',
      index: locations.index,
      columns: `id, hash, binary_path, build_id, address_space, kind, flags, address,
        line_function, line_number, line_column`,
      append: (rows) => {
        locations.binary.append(rows.u32(2));
        locations.buildId.append(rows.u32(3));
        locations.space.append(rows.u8(4));
        locations.kind.append(rows.u8(5));
        locations.flags.append(rows.u8(6));
        locations.address.append(new Uint32Array(rows.words(7).buffer));
        appendLists(rows, 8, locations.lineOffsets, locations.lineFunction);
        rows.eachList(9, (_, values) => locations.lineNumber.append(values));
        rows.eachList(10, (_, values) => locations.lineColumn.append(values));
      },
      fill: (end) => lost.fillLocations(end),
    },
  ];
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
