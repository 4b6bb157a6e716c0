/** Values out of DuckDB's vectors, for answers of a bounded number of rows. */
import duckdb from '@duckdb/node-bindings';
import { assert } from '../../../profile/errors.ts';
import type { ColumnType } from './column-type.ts';

/**
 * A value as its column's type has it: integers, decimals (in units of their last digit), dates
 * (days), times (µs) and timestamps (in their unit) are numbers, or bigints where their type has
 * more than 53 bits; blobs and UUIDs are text; a map is a list of pairs.
 */
export type Value = null | boolean | number | bigint | string | Interval | Value[];

export interface Interval {
  months: number;
  days: number;
  micros: bigint;
}

/** Reads the value of a row. Nothing is made of a row before it is asked for. */
export type Reader = (row: number) => Value;

/** For the first `size` rows of a vector, as long as its chunk is there. */
export function columnReader(vector: duckdb.Vector, type: ColumnType, size: number): Reader {
  const validity = duckdb.vector_get_validity(vector, Math.ceil(size / 64) * 8);
  const read = validReader(vector, type, size);
  return (row) => (duckdb.validity_row_is_valid(validity, row) ? read(row) : null);
}

function validReader(vector: duckdb.Vector, type: ColumnType, size: number): Reader {
  switch (type.kind) {
    case 'list':
      return listReader(vector, size, (child, total) => columnReader(child, type.child, total));
    case 'map':
      return listReader(vector, size, (child, total) => {
        const key = columnReader(duckdb.struct_vector_get_child(child, 0), type.key, total);
        const value = columnReader(duckdb.struct_vector_get_child(child, 1), type.value, total);
        return (row) => [key(row), value(row)];
      });
    case 'array': {
      const { child, length } = type;
      const read = columnReader(duckdb.array_vector_get_child(vector), child, size * length);
      return (row) => Array.from({ length }, (_, at) => read(row * length + at));
    }
    case 'struct': {
      const fields = type.children.map((child, at) =>
        columnReader(duckdb.struct_vector_get_child(vector, at), child, size),
      );
      return (row) => fields.map((field) => field(row));
    }
    case 'null':
      return () => null;
    default:
      return flatReader(dataOf(vector, size * widthOf(type)), type);
  }
}

function listReader(
  vector: duckdb.Vector,
  size: number,
  readItem: (child: duckdb.Vector, total: number) => Reader,
): Reader {
  const entries = dataOf(vector, size * 16);
  const total = duckdb.list_vector_get_size(vector);
  const read = readItem(duckdb.list_vector_get_child(vector), total);
  return (row) => {
    const start = Number(entries.getBigUint64(row * 16, true));
    const length = Number(entries.getBigUint64(row * 16 + 8, true));
    assert(start + length <= total, 'a list beyond its values');
    return Array.from({ length }, (_, at) => read(start + at));
  };
}

/** Bytes of one value of a type without children. */
function widthOf(type: ColumnType): number {
  switch (type.kind) {
    case 'boolean':
      return 1;
    case 'integer':
    case 'decimal':
    case 'enum':
      return type.bits / 8;
    case 'float':
    case 'date':
      return 4;
    case 'text':
    case 'blob':
    case 'uuid':
    case 'interval':
      return 16;
    default:
      return 8;
  }
}

function flatReader(data: DataView, type: ColumnType): Reader {
  switch (type.kind) {
    case 'boolean':
      return (row) => data.getUint8(row) !== 0;
    case 'integer':
      return integerReader(data, type.bits, type.signed);
    case 'decimal':
      return integerReader(data, type.bits, true);
    case 'enum': {
      const ordinal = integerReader(data, type.bits, false);
      return (row) => type.values[ordinal(row) as number] ?? null;
    }
    case 'float':
      return (row) => data.getFloat32(row * 4, true);
    case 'double':
      return (row) => data.getFloat64(row * 8, true);
    case 'date':
      return integerReader(data, 32, true);
    case 'text':
      return (row) => bytesAt(data, row).toString('utf8');
    case 'blob':
      return (row) => bytesAt(data, row).toString('hex');
    case 'uuid':
      return (row) => uuidAt(data, row);
    case 'interval':
      return (row) => ({
        months: data.getInt32(row * 16, true),
        days: data.getInt32(row * 16 + 4, true),
        micros: data.getBigInt64(row * 16 + 8, true),
      });
    default:
      return integerReader(data, 64, true);
  }
}

function integerReader(
  data: DataView,
  bits: number,
  signed: boolean,
): (row: number) => number | bigint {
  switch (bits) {
    case 8:
      return signed ? (row) => data.getInt8(row) : (row) => data.getUint8(row);
    case 16:
      return signed
        ? (row) => data.getInt16(row * 2, true)
        : (row) => data.getUint16(row * 2, true);
    case 32:
      return signed
        ? (row) => data.getInt32(row * 4, true)
        : (row) => data.getUint32(row * 4, true);
    case 64:
      return signed
        ? (row) => data.getBigInt64(row * 8, true)
        : (row) => data.getBigUint64(row * 8, true);
    default: {
      const high = (at: number): bigint =>
        signed ? data.getBigInt64(at, true) : data.getBigUint64(at, true);
      return (row) => (high(row * 16 + 8) << 64n) | data.getBigUint64(row * 16, true);
    }
  }
}

/** A string has 16 bytes: its length, then 12 bytes of text, or 4 of it and a pointer. */
function bytesAt(data: DataView, row: number): Buffer {
  const at = data.byteOffset + row * 16;
  const length = data.getUint32(row * 16, true);
  if (length <= 12) return Buffer.from(data.buffer as ArrayBuffer, at + 4, length);
  const buffer = data.buffer as ArrayBuffer;
  return Buffer.from(duckdb.get_data_from_pointer(buffer, at + 8, length));
}

/** Stored with its first bit flipped, so that it sorts as a signed number. */
function uuidAt(data: DataView, row: number): string {
  const high = data.getBigUint64(row * 16 + 8, true) ^ (1n << 63n);
  const low = data.getBigUint64(row * 16, true);
  const digits = ((high << 64n) | low).toString(16).padStart(32, '0');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A copy: the binding's arrays show memory that lives only as long as the chunk. */
function dataOf(vector: duckdb.Vector, byteCount: number): DataView {
  const bytes = new Uint8Array(byteCount);
  if (byteCount > 0) bytes.set(duckdb.vector_get_data(vector, byteCount));
  return new DataView(bytes.buffer);
}
