/** The types of an answer's columns, as far as its formats tell them apart. */
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../../profile/errors.ts';

export type ColumnType =
  | { kind: 'null' | 'boolean' | 'float' | 'double' | 'date' | 'uuid' | 'interval' | 'time' }
  | { kind: 'text' | 'blob' }
  | { kind: 'integer'; bits: 8 | 16 | 32 | 64 | 128; signed: boolean }
  /** `bits`: of the integer that holds it, `scale` decimal digits of which follow the point. */
  | { kind: 'decimal'; bits: 16 | 32 | 64 | 128; width: number; scale: number }
  | { kind: 'enum'; bits: 8 | 16 | 32; values: string[] }
  /** Units of one second; `zoned` where the type says that it is UTC. */
  | { kind: 'timestamp'; perSecond: 1 | 1e3 | 1e6 | 1e9; zoned: boolean }
  | { kind: 'list'; child: ColumnType }
  | { kind: 'array'; child: ColumnType; length: number }
  | { kind: 'struct'; names: string[]; children: ColumnType[] }
  | { kind: 'map'; key: ColumnType; value: ColumnType };

export interface Column {
  name: string;
  type: ColumnType;
}

const { Type } = duckdb;

const SIMPLE = new Map<number, ColumnType>([
  [Type.SQLNULL, { kind: 'null' }],
  [Type.BOOLEAN, { kind: 'boolean' }],
  [Type.TINYINT, { kind: 'integer', bits: 8, signed: true }],
  [Type.SMALLINT, { kind: 'integer', bits: 16, signed: true }],
  [Type.INTEGER, { kind: 'integer', bits: 32, signed: true }],
  [Type.BIGINT, { kind: 'integer', bits: 64, signed: true }],
  [Type.HUGEINT, { kind: 'integer', bits: 128, signed: true }],
  [Type.UTINYINT, { kind: 'integer', bits: 8, signed: false }],
  [Type.USMALLINT, { kind: 'integer', bits: 16, signed: false }],
  [Type.UINTEGER, { kind: 'integer', bits: 32, signed: false }],
  [Type.UBIGINT, { kind: 'integer', bits: 64, signed: false }],
  [Type.UHUGEINT, { kind: 'integer', bits: 128, signed: false }],
  [Type.FLOAT, { kind: 'float' }],
  [Type.DOUBLE, { kind: 'double' }],
  [Type.VARCHAR, { kind: 'text' }],
  [Type.BLOB, { kind: 'blob' }],
  [Type.DATE, { kind: 'date' }],
  [Type.TIME, { kind: 'time' }],
  [Type.INTERVAL, { kind: 'interval' }],
  [Type.UUID, { kind: 'uuid' }],
  [Type.TIMESTAMP_S, { kind: 'timestamp', perSecond: 1, zoned: false }],
  [Type.TIMESTAMP_MS, { kind: 'timestamp', perSecond: 1e3, zoned: false }],
  [Type.TIMESTAMP, { kind: 'timestamp', perSecond: 1e6, zoned: false }],
  [Type.TIMESTAMP_NS, { kind: 'timestamp', perSecond: 1e9, zoned: false }],
  [Type.TIMESTAMP_TZ, { kind: 'timestamp', perSecond: 1e6, zoned: true }],
]);

const BITS = new Map<number, 8 | 16 | 32 | 64 | 128>([
  [Type.UTINYINT, 8],
  [Type.USMALLINT, 16],
  [Type.UINTEGER, 32],
  [Type.SMALLINT, 16],
  [Type.INTEGER, 32],
  [Type.BIGINT, 64],
  [Type.HUGEINT, 128],
]);

/** Throws `invalid` for the few types that no format of ours has a form for. */
export function columnType(logical: duckdb.LogicalType, column: string): ColumnType {
  const id = duckdb.get_type_id(logical);
  const simple = SIMPLE.get(id);
  if (simple !== undefined) return simple;
  const child = (type: duckdb.LogicalType): ColumnType => columnType(type, column);
  switch (id) {
    case Type.DECIMAL: {
      const bits = BITS.get(duckdb.decimal_internal_type(logical)) as 16 | 32 | 64 | 128;
      const width = duckdb.decimal_width(logical);
      return { kind: 'decimal', bits, width, scale: duckdb.decimal_scale(logical) };
    }
    case Type.ENUM: {
      const bits = BITS.get(duckdb.enum_internal_type(logical)) as 8 | 16 | 32;
      const count = duckdb.enum_dictionary_size(logical);
      const values = Array.from({ length: count }, (_, at) =>
        duckdb.enum_dictionary_value(logical, at),
      );
      return { kind: 'enum', bits, values };
    }
    case Type.LIST:
      return { kind: 'list', child: child(duckdb.list_type_child_type(logical)) };
    case Type.ARRAY: {
      const length = duckdb.array_type_array_size(logical);
      return { kind: 'array', child: child(duckdb.array_type_child_type(logical)), length };
    }
    case Type.STRUCT: {
      const places = Array.from({ length: duckdb.struct_type_child_count(logical) }, (_, at) => at);
      const names = places.map((at) => duckdb.struct_type_child_name(logical, at));
      const types = places.map((at) => child(duckdb.struct_type_child_type(logical, at)));
      return { kind: 'struct', names, children: types };
    }
    case Type.MAP: {
      const value = child(duckdb.map_type_value_type(logical));
      return { kind: 'map', key: child(duckdb.map_type_key_type(logical)), value };
    }
    default:
      throw new EverflameError('invalid', `the column ${column.slice(0, 80)} cannot be sent`, {
        field: 'sql',
        remedy: `Its type is ${Type[id] ?? id}; cast it to VARCHAR.`,
      });
  }
}

/** The type's name in SQL, for the head of a JSON answer. */
export function typeName(type: ColumnType): string {
  switch (type.kind) {
    case 'text':
      return 'VARCHAR';
    case 'integer':
      return `${type.signed ? '' : 'U'}${INTEGER_NAMES[type.bits]}`;
    case 'decimal':
      return `DECIMAL(${type.width},${type.scale})`;
    case 'timestamp':
      return type.zoned ? 'TIMESTAMP WITH TIME ZONE' : TIMESTAMP_NAMES[type.perSecond];
    case 'list':
      return `${typeName(type.child)}[]`;
    case 'array':
      return `${typeName(type.child)}[${type.length}]`;
    case 'struct':
      return `STRUCT(${type.children
        .map((child, at) => `${JSON.stringify(type.names[at])} ${typeName(child)}`)
        .join(', ')})`;
    case 'map':
      return `MAP(${typeName(type.key)}, ${typeName(type.value)})`;
    default:
      return type.kind.toUpperCase();
  }
}

const INTEGER_NAMES = { 8: 'TINYINT', 16: 'SMALLINT', 32: 'INTEGER', 64: 'BIGINT', 128: 'HUGEINT' };
const TIMESTAMP_NAMES = {
  1: 'TIMESTAMP_S',
  1e3: 'TIMESTAMP_MS',
  1e6: 'TIMESTAMP',
  1e9: 'TIMESTAMP_NS',
};
