/** Rows as an Arrow IPC stream, version 5: a schema, record batches, an end. Not compressed. */
import type { AnswerWriter } from './answer-writer.ts';
import { type ArrowArray, arrowArray } from './arrow-array.ts';
import type { Column, ColumnType } from './column-type.ts';
import type { Reader } from './column-values.ts';
import { type FlatField, type FlatObject, flatBuffer } from './flatbuffer.ts';

const BATCH_ROWS = 256;
const METADATA_VERSION = 4;
const SCHEMA = 1;
const RECORD_BATCH = 3;
const CONTINUATION = 0xffffffff;
const END = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** Numbers of Arrow's types in its schema. */
const ARROW = {
  null: 1,
  int: 2,
  float: 3,
  text: 5,
  boolean: 6,
  decimal: 7,
  date: 8,
  timestamp: 10,
  list: 12,
  struct: 13,
  map: 17,
} as const;

export class ArrowStream implements AnswerWriter {
  readonly columns: readonly Column[];
  rows = 0;
  readonly #messages: Uint8Array[];
  #bytesLeft: number;

  constructor(columns: readonly Column[], maxBytes: number) {
    this.columns = columns;
    const fields = columns.map(({ name, type }) => schemaField(name, type, true));
    const schema: FlatObject = { table: [[1, 'ref', { list: fields }]] };
    this.#messages = message(SCHEMA, schema, []);
    this.#bytesLeft = maxBytes;
  }

  /** A batch that does not fit is tried again with half of its rows, down to one. */
  add(columns: readonly Reader[], count: number): number {
    let batchRows = BATCH_ROWS;
    let from = 0;
    while (from < count) {
      const length = Math.min(batchRows, count - from);
      const batch = this.#batchOf(columns, from, length);
      const bytes = batch.reduce((sum, part) => sum + part.length, 0);
      if (bytes > this.#bytesLeft) {
        if (length === 1) break;
        batchRows = Math.floor(length / 2);
        continue;
      }
      this.#bytesLeft -= bytes;
      this.#messages.push(...batch);
      this.rows += length;
      from += length;
    }
    return from;
  }

  #batchOf(columns: readonly Reader[], from: number, length: number): Uint8Array[] {
    const arrays = columns.map((read, at) => {
      const values = Array.from({ length }, (_, row) => read(from + row));
      return arrowArray(values, this.columns[at]?.type ?? { kind: 'null' });
    });
    return recordBatch(arrays, length);
  }

  end(): Uint8Array[] {
    return [...this.#messages, END];
  }
}

/** Columns in preorder: each array, then those within it. */
function recordBatch(arrays: readonly ArrowArray[], rows: number): Uint8Array[] {
  const nodes: [number, number][] = [];
  const places: [number, number][] = [];
  const body: Uint8Array[] = [];
  let offset = 0;
  const visit = ({ length, nulls, buffers, children }: ArrowArray): void => {
    nodes.push([length, nulls]);
    for (const buffer of buffers) {
      const padding = -buffer.length & 7;
      places.push([offset, buffer.length]);
      body.push(buffer, new Uint8Array(padding));
      offset += buffer.length + padding;
    }
    children.forEach(visit);
  };
  arrays.forEach(visit);
  const header: FlatObject = {
    table: [
      [0, 'i64', rows],
      [1, 'ref', { pairs: nodes }],
      [2, 'ref', { pairs: places }],
    ],
  };
  return message(RECORD_BATCH, header, body);
}

function message(kind: number, header: FlatObject, body: readonly Uint8Array[]): Uint8Array[] {
  const bodyBytes = body.reduce((sum, { length }) => sum + length, 0);
  const metadata = flatBuffer({
    table: [
      [0, 'i16', METADATA_VERSION],
      [1, 'u8', kind],
      [2, 'ref', header],
      [3, 'i64', bodyBytes],
    ],
  });
  const head = Buffer.alloc(8);
  head.writeUInt32LE(CONTINUATION, 0);
  head.writeInt32LE(metadata.length, 4);
  return [head, metadata, ...body];
}

function schemaField(name: string, type: ColumnType, nullable: boolean): FlatObject {
  const [kind, fields, children] = schemaType(type);
  return {
    table: [
      [0, 'ref', { text: name }],
      [1, 'u8', nullable ? 1 : 0],
      [2, 'u8', kind],
      [3, 'ref', { table: fields }],
      [5, 'ref', { list: children }],
    ],
  };
}

/** Number, own fields and children of the Arrow type that a column's type becomes. */
function schemaType(type: ColumnType): [number, FlatField[], FlatObject[]] {
  switch (type.kind) {
    case 'null':
      return [ARROW.null, [], []];
    case 'boolean':
      return [ARROW.boolean, [], []];
    case 'integer':
      if (type.bits === 128) return type.signed ? decimal(38, 0) : [ARROW.text, [], []];
      return [
        ARROW.int,
        [
          [0, 'i32', type.bits],
          [1, 'u8', type.signed ? 1 : 0],
        ],
        [],
      ];
    case 'float':
      return [ARROW.float, [[0, 'i16', 1]], []];
    case 'double':
      return [ARROW.float, [[0, 'i16', 2]], []];
    case 'decimal':
      return decimal(type.width, type.scale);
    case 'date':
      return [ARROW.date, [[0, 'i16', 0]], []];
    case 'timestamp': {
      const unit: FlatField = [0, 'i16', Math.round(Math.log10(type.perSecond) / 3)];
      const zone: FlatField[] = type.zoned ? [[1, 'ref', { text: 'UTC' }]] : [];
      return [ARROW.timestamp, [unit, ...zone], []];
    }
    case 'list':
    case 'array':
      return [ARROW.list, [], [schemaField('item', type.child, true)]];
    case 'struct': {
      const fields = type.children.map((child, at) =>
        schemaField(type.names[at] ?? '', child, true),
      );
      return [ARROW.struct, [], fields];
    }
    case 'map': {
      const pair = [schemaField('key', type.key, false), schemaField('value', type.value, true)];
      const entries: FlatObject = {
        table: [
          [0, 'ref', { text: 'entries' }],
          [1, 'u8', 0],
          [2, 'u8', ARROW.struct],
          [3, 'ref', { table: [] }],
          [5, 'ref', { list: pair }],
        ],
      };
      return [ARROW.map, [[0, 'u8', 0]], [entries]];
    }
    default:
      return [ARROW.text, [], []];
  }
}

function decimal(width: number, scale: number): [number, FlatField[], FlatObject[]] {
  return [
    ARROW.decimal,
    [
      [0, 'i32', width],
      [1, 'i32', scale],
      [2, 'i32', 128],
    ],
    [],
  ];
}
