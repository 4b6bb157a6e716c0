/** Fills the dictionaries of a store when it is opened: rows in blocks, then those not sealed. */
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { assert } from '../../../profile/errors.ts';
import { type BlockFile, type DictionaryTable, fileOf } from '../blocks/block.ts';
import type { BlockList } from '../blocks/block-lists.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { ResultColumns } from '../sql/result-columns.ts';
import type { Dictionaries } from './dictionaries.ts';
import type { IdIndex } from './id-index.ts';
import type { SharedColumn } from './shared-column.ts';

interface Sealed {
  dataDir: string;
  list: BlockList;
}

async function read(connection: duckdb.Connection, sql: string): Promise<ResultColumns> {
  return new ResultColumns(await duckdb.query(connection, sql));
}

/**
 * Visits a dictionary's rows in the order they were written, so that refs come out as 0, 1, 2, ...:
 * those in blocks, then those that are not sealed.
 */
async function eachPart(
  connection: duckdb.Connection,
  { dataDir, list }: Sealed,
  table: DictionaryTable,
  columns: string,
  visit: (rows: ResultColumns) => void,
): Promise<void> {
  const files: BlockFile[] = [];
  for (const block of list.blocks) {
    const file = block.damaged === '' ? fileOf(block, table) : undefined;
    if (file !== undefined) files.push(file);
  }
  files.sort((a, b) => (a.ids?.[0] ?? 0) - (b.ids?.[0] ?? 0));
  for (const { name } of files) {
    visit(await read(connection, `SELECT ${columns} FROM ${parquetRows([join(dataDir, name)])}`));
  }
  visit(await read(connection, `SELECT ${columns} FROM ${table}`));
}

export async function loadDictionaries(
  connection: duckdb.Connection,
  dictionaries: Dictionaries,
  sealed: Sealed,
): Promise<void> {
  const { strings, functions, locations, stacks } = dictionaries;
  await eachPart(connection, sealed, 'strings', 'id, hash, text', (rows) => {
    assignAll(strings.index, rows);
    rows.eachText(2, (bytes) => {
      strings.bytes.append(bytes);
      strings.offsets.push(strings.bytes.length);
    });
  });
  const names = 'id, hash, name, system_name, file, start_line';
  await eachPart(connection, sealed, 'functions', names, (rows) => {
    assignAll(functions.index, rows);
    functions.name.append(rows.u32(2));
    functions.systemName.append(rows.u32(3));
    functions.file.append(rows.u32(4));
    functions.startLine.append(rows.u32(5));
  });
  const places = `id, hash, binary_path, build_id, address_space, kind, flags, address,
    line_function, line_number, line_column`;
  await eachPart(connection, sealed, 'locations', places, (rows) => {
    assignAll(locations.index, rows);
    locations.binary.append(rows.u32(2));
    locations.buildId.append(rows.u32(3));
    locations.space.append(rows.u8(4));
    locations.kind.append(rows.u8(5));
    locations.flags.append(rows.u8(6));
    locations.address.append(new Uint32Array(rows.words(7).buffer));
    appendLists(rows, 8, locations.lineOffsets, locations.lineFunction);
    rows.eachList(9, (_, values) => locations.lineNumber.append(values));
    rows.eachList(10, (_, values) => locations.lineColumn.append(values));
  });
  await eachPart(connection, sealed, 'stacks', 'id, hash, locations', (rows) => {
    assignAll(stacks.index, rows);
    appendLists(rows, 2, stacks.offsets, stacks.locations);
  });
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
