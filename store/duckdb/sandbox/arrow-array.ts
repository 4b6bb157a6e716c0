/** Columns of values as Arrow's arrays: a bitmap of what is there, and the buffers of the type. */
import type { ColumnType } from './column-type.ts';
import type { Value } from './column-values.ts';
import { scalarText } from './value-text.ts';

export interface ArrowArray {
  length: number;
  nulls: number;
  buffers: Uint8Array[];
  children: ArrowArray[];
}

export function arrowArray(values: readonly Value[], type: ColumnType): ArrowArray {
  const length = values.length;
  const nulls = values.reduce<number>((count, value) => count + (value === null ? 1 : 0), 0);
  if (type.kind === 'null') return { length, nulls: length, buffers: [], children: [] };
  const there = nulls === 0 ? new Uint8Array(0) : bitmap(values, (value) => value !== null);
  const { buffers, children } = content(values, type);
  return { length, nulls, buffers: [there, ...buffers], children };
}

type Content = { buffers: Uint8Array[]; children: ArrowArray[] };

function content(values: readonly Value[], type: ColumnType): Content {
  switch (type.kind) {
    case 'boolean':
      return flat(bitmap(values, (value) => value === true));
    case 'integer':
      if (type.bits === 128 && !type.signed) return texts(values, type);
      return flat(integers(values, type.bits));
    case 'decimal':
      return flat(integers(values, 128));
    case 'date':
      return flat(integers(values, 32));
    case 'timestamp':
      return flat(integers(values, 64));
    case 'float':
      return flat(bytesOf(Float32Array.from(values, Number)));
    case 'double':
      return flat(bytesOf(Float64Array.from(values, Number)));
    case 'list':
    case 'array':
      return list(values, (items) => arrowArray(items, type.child));
    case 'struct':
      return { buffers: [], children: fields(values, type.children) };
    case 'map':
      return list(values, (items) => ({
        length: items.length,
        nulls: 0,
        buffers: [new Uint8Array(0)],
        children: fields(items, [type.key, type.value]),
      }));
    default:
      return texts(values, type);
  }
}

function flat(buffer: Uint8Array): Content {
  return { buffers: [buffer], children: [] };
}

function bytesOf({ buffer }: { buffer: ArrayBufferLike }): Uint8Array {
  return new Uint8Array(buffer);
}

function bitmap(values: readonly Value[], isSet: (value: Value) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [at, value] of values.entries()) {
    if (isSet(value)) bits[at >> 3] = (bits[at >> 3] as number) | (1 << (at & 7));
  }
  return bits;
}

/** Little-endian two's complement of 8 to 128 bits; an unsigned number has the same bits. */
function integers(values: readonly Value[], bits: number): Uint8Array {
  const bytes = Buffer.alloc((values.length * bits) / 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (const [row, value] of values.entries()) {
    const at = (row * bits) / 8;
    if (bits === 8) view.setInt8(at, Number(value));
    else if (bits === 16) view.setInt16(at, Number(value), true);
    else if (bits === 32) view.setInt32(at, Number(value), true);
    else {
      const whole = BigInt((value ?? 0) as number | bigint);
      view.setBigInt64(at, BigInt.asIntN(64, whole), true);
      if (bits === 128) view.setBigInt64(at + 8, BigInt.asIntN(64, whole >> 64n), true);
    }
  }
  return bytes;
}

function texts(values: readonly Value[], type: ColumnType): Content {
  const parts = values.map((value) => Buffer.from(value === null ? '' : scalarText(value, type)));
  return { buffers: [offsetsOf(parts), Buffer.concat(parts)], children: [] };
}

function list(values: readonly Value[], ofItems: (items: Value[]) => ArrowArray): Content {
  const lists = values.map((value) => (value ?? []) as Value[]);
  return { buffers: [offsetsOf(lists)], children: [ofItems(lists.flat(1))] };
}

function fields(values: readonly Value[], types: readonly ColumnType[]): ArrowArray[] {
  return types.map((type, at) =>
    arrowArray(
      values.map((value) => (value as Value[] | null)?.[at] ?? null),
      type,
    ),
  );
}

function offsetsOf(parts: readonly { length: number }[]): Uint8Array {
  const offsets = new Int32Array(parts.length + 1);
  let end = 0;
  for (const [at, { length }] of parts.entries()) {
    end += length;
    offsets[at + 1] = end;
  }
  return bytesOf(offsets);
}
