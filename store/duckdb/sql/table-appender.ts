/**
 * Appends columns to a table as raw data chunks: no row objects, no BigInt. DuckDB takes the bytes
 * of a chunk as they are, so that widths and types here must be those of the schema.
 */
import duckdb from '@duckdb/node-bindings';
import { assert } from '../../../profile/errors.ts';
import type { Turn } from '../catalogue/turn.ts';

/** Rows of one data chunk, fixed by DuckDB. */
export const CHUNK_ROWS = 2_048;

export const COLUMN_TYPES = {
  u8: duckdb.Type.UTINYINT,
  u16: duckdb.Type.USMALLINT,
  u32: duckdb.Type.UINTEGER,
  u64: duckdb.Type.UBIGINT,
  i64: duckdb.Type.BIGINT,
  f64: duckdb.Type.DOUBLE,
  text: duckdb.Type.VARCHAR,
  u32list: duckdb.Type.LIST,
} as const;
export type ColumnType = keyof typeof COLUMN_TYPES;

type Numbers = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

const encoder = new TextEncoder();

/** One chunk being filled: rows `from` to `from + count` of what is appended. */
export class ChunkWriter {
  readonly #chunk: duckdb.DataChunk;
  #scratch = new ArrayBuffer(CHUNK_ROWS * 16);
  from = 0;
  count = 0;

  constructor(chunk: duckdb.DataChunk) {
    this.#chunk = chunk;
  }

  #vector(column: number): duckdb.Vector {
    return duckdb.data_chunk_get_vector(this.#chunk, column);
  }

  /** Copies this chunk's rows; row i is row `first + i` of `values`, `words` elements each. */
  numbers(column: number, values: Numbers, words = 1, first = 0): void {
    const start = (first + this.from) * words;
    this.#copy(this.#vector(column), values, start, this.count * words);
  }

  /** The refs first + from, first + from + 1, ... */
  sequence(column: number, first: number): void {
    const refs = new Uint32Array(this.#scratch, 0, this.count);
    for (let row = 0; row < this.count; row++) refs[row] = first + this.from + row;
    duckdb.copy_data_to_vector(this.#vector(column), 0, this.#scratch, 0, this.count * 4);
  }

  constant(column: number, low: number, high: number): void {
    const words = new Int32Array(this.#scratch, 0, this.count * 2);
    for (let row = 0; row < this.count; row++) {
      words[2 * row] = low;
      words[2 * row + 1] = high;
    }
    duckdb.copy_data_to_vector(this.#vector(column), 0, this.#scratch, 0, this.count * 8);
  }

  text(column: number, at: (row: number) => string): void {
    const vector = this.#vector(column);
    for (let row = 0; row < this.count; row++) {
      // The call that takes a string would end at its first NUL.
      duckdb.vector_assign_string_element_len(vector, row, encoder.encode(at(this.from + row)));
    }
  }

  /** Text by offsets into UTF-8 bytes; row i of the append is row `first + i` of the column. */
  bytes(column: number, offsets: Uint32Array, bytes: Uint8Array, first: number): void {
    const vector = this.#vector(column);
    for (let row = 0; row < this.count; row++) {
      const at = first + this.from + row;
      const text = bytes.slice(offsets[at], offsets[at + 1]);
      duckdb.vector_assign_string_element_len(vector, row, text);
    }
  }

  /** Lists of u32 by offsets into their values; row i is row `first + i` of the column. */
  list(column: number, offsets: Uint32Array, values: Uint32Array, first: number): void {
    const vector = this.#vector(column);
    const start = first + this.from;
    const base = offsets[start] as number;
    const total = (offsets[start + this.count] as number) - base;
    duckdb.list_vector_reserve(vector, total);
    duckdb.list_vector_set_size(vector, total);
    // An entry is offset and length, 64 bits each.
    const entries = new Uint32Array(this.#scratch, 0, this.count * 4);
    for (let row = 0; row < this.count; row++) {
      const at = offsets[start + row] as number;
      entries[4 * row] = at - base;
      entries[4 * row + 1] = 0;
      entries[4 * row + 2] = (offsets[start + row + 1] as number) - at;
      entries[4 * row + 3] = 0;
    }
    duckdb.copy_data_to_vector(vector, 0, this.#scratch, 0, this.count * 16);
    if (total > 0) this.#copy(duckdb.list_vector_get_child(vector), values, base, total);
  }

  /** The binding takes no shared memory, so that is copied first. */
  #copy(vector: duckdb.Vector, values: Numbers, start: number, length: number): void {
    const size = values.BYTES_PER_ELEMENT;
    assert(start >= 0 && start + length <= values.length, 'rows beyond their column');
    if (values.buffer instanceof ArrayBuffer) {
      const offset = values.byteOffset + start * size;
      duckdb.copy_data_to_vector(vector, 0, values.buffer, offset, length * size);
    } else {
      const copy = values.slice(start, start + length);
      assert(copy.buffer instanceof ArrayBuffer, 'a slice of shared memory is not shared');
      duckdb.copy_data_to_vector(vector, 0, copy.buffer, copy.byteOffset, length * size);
    }
  }
}

export class TableAppender {
  readonly #appender: duckdb.Appender;
  readonly #chunk: duckdb.DataChunk;
  readonly #writer: ChunkWriter;

  constructor(
    connection: duckdb.Connection,
    catalog: string | null,
    table: string,
    columns: readonly ColumnType[],
  ) {
    this.#appender = duckdb.appender_create_ext(connection, catalog, 'main', table);
    this.#chunk = duckdb.create_data_chunk(columns.map(logicalType));
    this.#writer = new ChunkWriter(this.#chunk);
  }

  /** Appends `rows` rows in the connection's transaction; `fill` is called for each chunk. */
  append(rows: number, fill: (writer: ChunkWriter) => void): void {
    for (let from = 0; from < rows; from += CHUNK_ROWS) this.#appendChunk(from, rows, fill);
    if (rows > 0) duckdb.appender_flush_sync(this.#appender);
  }

  /** As `append`, giving way to other work between chunks. */
  async appendInTurns(
    rows: number,
    fill: (writer: ChunkWriter) => void,
    turn: Turn,
  ): Promise<void> {
    for (let from = 0; from < rows; from += CHUNK_ROWS) {
      this.#appendChunk(from, rows, fill);
      if (!turn.isOver()) continue;
      duckdb.appender_flush_sync(this.#appender);
      await turn.next();
    }
    if (rows > 0) duckdb.appender_flush_sync(this.#appender);
  }

  #appendChunk(from: number, rows: number, fill: (writer: ChunkWriter) => void): void {
    const writer = this.#writer;
    writer.from = from;
    writer.count = Math.min(CHUNK_ROWS, rows - from);
    duckdb.data_chunk_reset(this.#chunk);
    fill(writer);
    duckdb.data_chunk_set_size(this.#chunk, writer.count);
    duckdb.append_data_chunk(this.#appender, this.#chunk);
  }

  /** Drops what could not be flushed: DuckDB writes what an appender holds when it is freed. */
  discard(): void {
    duckdb.appender_clear(this.#appender);
  }

  /** Must not hold rows that were not flushed. */
  close(): void {
    duckdb.appender_close_sync(this.#appender);
  }
}

function logicalType(type: ColumnType): duckdb.LogicalType {
  return type === 'u32list'
    ? duckdb.create_list_type(duckdb.create_logical_type(duckdb.Type.UINTEGER))
    : duckdb.create_logical_type(COLUMN_TYPES[type]);
}
