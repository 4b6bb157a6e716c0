/** Fills the dictionaries of a store when it is opened: rows in blocks, then those not sealed. */
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { assert } from '../../../profile/errors.ts';
import type { Block, DictionaryTable } from '../blocks/block.ts';
import { contentFaultOf } from '../blocks/block-files.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { eachChunk, type ResultColumns } from '../sql/result-columns.ts';
import type { Dictionaries } from './dictionaries.ts';
import { IdRows, isWholePart, partsOf, type Sealed, skipTo } from './dictionary-parts.ts';
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
  append: (rows: ResultColumns, refs: Uint32Array) => void;
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

/** Rows are read in the order of their refs, which have gaps where rows were not used any more. */
async function loadTable(
  connection: duckdb.Connection,
  { table, index, columns, append, fill }: Table,
  { dataDir, list }: Sealed,
  faults: Map<Block, string>,
): Promise<void> {
  const parts = partsOf(list, table);
  for (const part of parts) {
    const { block, file, ids } = part;
    await fill(ids[0]);
    if (file.lost === true) continue;
    const source = parquetRows([join(dataDir, file.name)]);
    const found = block.damaged === '' && !faults.has(block);
    const rows = new IdRows(index, { found });
    const reading = eachChunk(connection, `SELECT ${columns} FROM ${source}`, (chunk) => {
      append(chunk, rows.take(chunk));
    });
    const [read] = await Promise.allSettled([reading]);
    // What was read of a damaged file stands for its first rows.
    rows.load();
    if (read.status === 'fulfilled' && isWholePart(part, rows)) continue;
    const fault = await contentFaultOf(dataDir, file);
    if (fault === '' && read.status === 'rejected') throw read.reason;
    faults.set(block, fault === '' ? `${file.name} lacks rows` : fault);
  }
  await fill(Math.max(0, ...parts.map(({ ids }) => ids[1])));
  const rows = new IdRows(index);
  await eachChunk(connection, `SELECT ${columns} FROM ${table}`, (chunk) => {
    append(chunk, rows.take(chunk));
  });
  assert(!rows.hasGaps, 'rows that are not sealed are all there');
  rows.load();
}

function tablesOf(dictionaries: Dictionaries, lost: LostRows): Table[] {
  const { strings, functions, locations } = dictionaries;
  return [
    {
      table: 'strings',
      index: strings.index,
      columns: 'id, hash, text',
      append: (rows, refs) => {
        let row = 0;
        rows.eachText(2, (bytes) => {
          skipTo(refs[row++] as number, strings.offsets, strings.bytes.length);
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
      append: (rows, refs) => {
        functions.name.place(refs, rows.u32(2));
        functions.systemName.place(refs, rows.u32(3));
        functions.file.place(refs, rows.u32(4));
        functions.startLine.place(refs, rows.u32(5));
      },
      fill: (end) => lost.fillFunctions(end),
    },
    {
      table: 'locations',
      index: locations.index,
      columns: `id, hash, binary_path, build_id, address_space, kind, flags, address,
        line_function, line_number, line_column`,
      append: (rows, refs) => {
        locations.binary.place(refs, rows.u32(2));
        locations.buildId.place(refs, rows.u32(3));
        locations.space.place(refs, rows.u8(4));
        locations.kind.place(refs, rows.u8(5));
        locations.flags.place(refs, rows.u8(6));
        locations.address.place(refs, new Uint32Array(rows.words(7).buffer), 2);
        appendLists(rows, 8, refs, locations.lineOffsets, locations.lineFunction);
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
  refs: Uint32Array,
  offsets: SharedColumn<Uint32Array>,
  values: SharedColumn<Uint32Array>,
): void {
  rows.eachList(column, (ends, chunk) => {
    let last = values.length;
    const base = last;
    values.append(chunk);
    for (const [row, end] of ends.entries()) {
      skipTo(refs[row] as number, offsets, last);
      last = base + end;
      offsets.push(last);
    }
  });
}
