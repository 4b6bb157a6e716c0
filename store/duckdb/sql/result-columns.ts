/** Query results as typed arrays, copied chunk by chunk out of DuckDB's own memory. */
import duckdb from '@duckdb/node-bindings';
import { assert } from '../../../profile/errors.ts';

/** What a text holds within its own 16 bytes; of a longer one these have a pointer. */
const INLINE_BYTES = 12;

/** A result whose columns are read by position. */
export class ResultColumns {
  readonly rows: number;
  readonly #chunks: readonly duckdb.DataChunk[];

  constructor(result: duckdb.Result | readonly duckdb.DataChunk[]) {
    this.#chunks = isChunks(result) ? result : chunksOf(result);
    let rows = 0;
    for (const chunk of this.#chunks) rows += duckdb.data_chunk_get_size(chunk);
    this.rows = rows;
  }

  u16(column: number): Uint16Array {
    return new Uint16Array(this.#bytes(column, 2));
  }

  u32(column: number): Uint32Array {
    return new Uint32Array(this.#bytes(column, 4));
  }

  u8(column: number): Uint8Array {
    return new Uint8Array(this.#bytes(column, 1));
  }

  f64(column: number): Float64Array {
    return new Float64Array(this.#bytes(column, 8));
  }

  /** 64-bit numbers as low and high halves. */
  words(column: number): Int32Array {
    return new Int32Array(this.#bytes(column, 8));
  }

  texts(column: number): string[] {
    const texts: string[] = [];
    this.eachText(column, (bytes) => texts.push(bytes.toString('utf8')));
    return texts;
  }

  /** The buffer is valid during the call only. */
  eachText(column: number, visit: (bytes: Buffer) => void): void {
    for (const chunk of this.#chunks) {
      const size = duckdb.data_chunk_get_size(chunk);
      const vector = duckdb.data_chunk_get_vector(chunk, column);
      // A string has 16 bytes: its length, then 12 bytes of text, or 4 of it and a pointer.
      const entries = Buffer.from(copyOf(duckdb.vector_get_data(vector, size * 16)));
      let run = Buffer.alloc(0);
      let runRow = 0;
      for (let row = 0; row < size; row++) {
        const length = entries.readUInt32LE(row * 16);
        if (length <= INLINE_BYTES) {
          visit(entries.subarray(row * 16 + 4, row * 16 + 4 + length));
          continue;
        }
        let at = distance(entries, runRow, row);
        if (at < 0 || at + length > run.length) {
          const bytes = runLength(entries, row, size);
          run = Buffer.from(
            copyOf(duckdb.get_data_from_pointer(entries.buffer, row * 16 + 8, bytes)),
          );
          runRow = row;
          at = 0;
        }
        visit(run.subarray(at, at + length));
      }
    }
  }

  /** Lists of u32, chunk by chunk: ends of the chunk's lists within `values`. */
  eachList(column: number, visit: (ends: Uint32Array, values: Uint32Array) => void): void {
    for (const chunk of this.#chunks) {
      const size = duckdb.data_chunk_get_size(chunk);
      const vector = duckdb.data_chunk_get_vector(chunk, column);
      const entries = new Uint32Array(copyOf(duckdb.vector_get_data(vector, size * 16)));
      const total = duckdb.list_vector_get_size(vector);
      const child = duckdb.list_vector_get_child(vector);
      const all = new Uint32Array(copyOf(duckdb.vector_get_data(child, total * 4)));
      const ends = new Uint32Array(size);
      let end = 0;
      let inOrder = true;
      for (let row = 0; row < size; row++) {
        const start = entries[4 * row] as number;
        const length = entries[4 * row + 2] as number;
        assert(start + length <= total && end + length <= total, 'lists that overlap');
        if (start !== end) inOrder = false;
        end += length;
        ends[row] = end;
      }
      visit(ends, inOrder ? all.subarray(0, end) : gather(all, entries, ends));
    }
  }

  #bytes(column: number, width: number): ArrayBuffer {
    const bytes = new Uint8Array(this.rows * width);
    let offset = 0;
    for (const chunk of this.#chunks) {
      const length = duckdb.data_chunk_get_size(chunk) * width;
      const vector = duckdb.data_chunk_get_vector(chunk, column);
      bytes.set(duckdb.vector_get_data(vector, length), offset);
      offset += length;
    }
    return bytes.buffer;
  }
}

/** How far the long text of row `to` lies behind that of row `from`; -1 where it is far. */
function distance(entries: Buffer, from: number, to: number): number {
  const high = entries.readUInt32LE(to * 16 + 12) - entries.readUInt32LE(from * 16 + 12);
  const low = entries.readUInt32LE(to * 16 + 8) - entries.readUInt32LE(from * 16 + 8);
  const bytes = high * 2 ** 32 + low;
  return bytes >= 0 && bytes < 2 ** 31 ? bytes : -1;
}

/** Bytes of the long texts from row `first` on that lie one behind the other. */
function runLength(entries: Buffer, first: number, size: number): number {
  let bytes = entries.readUInt32LE(first * 16);
  for (let row = first + 1; row < size; row++) {
    const length = entries.readUInt32LE(row * 16);
    if (length <= INLINE_BYTES) continue;
    if (distance(entries, first, row) !== bytes) break;
    bytes += length;
  }
  return bytes;
}

/** Lists that lie in another order than their rows, one after the other. */
function gather(all: Uint32Array, entries: Uint32Array, ends: Uint32Array): Uint32Array {
  const values = new Uint32Array(ends.at(-1) ?? 0);
  for (const [row, end] of ends.entries()) {
    const start = entries[4 * row] as number;
    const length = entries[4 * row + 2] as number;
    values.set(all.subarray(start, start + length), end - length);
  }
  return values;
}

/** Visits a result while it is made, some thousand rows at a time, in the order of the query. */
export async function eachChunk(
  connection: duckdb.Connection,
  sql: string,
  visit: (rows: ResultColumns) => void,
): Promise<void> {
  const statement = await duckdb.prepare(connection, sql);
  const result = await duckdb.execute_prepared_streaming(statement);
  // A statement, and a result that is not at its end, keep the database open until collected.
  duckdb.destroy_prepare_sync(statement);
  let failure: unknown = null;
  // The next is fetched, by another thread, while this one is visited.
  let next = duckdb.fetch_chunk(result);
  for (;;) {
    const chunk = await next;
    if (chunk === null || duckdb.data_chunk_get_size(chunk) === 0) break;
    next = duckdb.fetch_chunk(result);
    try {
      if (failure === null) visit(new ResultColumns([chunk]));
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== null) throw failure;
}

function isChunks(
  result: duckdb.Result | readonly duckdb.DataChunk[],
): result is readonly duckdb.DataChunk[] {
  return Array.isArray(result);
}

function chunksOf(result: duckdb.Result): duckdb.DataChunk[] {
  const count = duckdb.result_chunk_count(result);
  return Array.from({ length: count }, (_, index) => duckdb.result_get_chunk(result, index));
}

/** The binding's arrays show DuckDB's own memory, which lives only as long as the chunk. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}
