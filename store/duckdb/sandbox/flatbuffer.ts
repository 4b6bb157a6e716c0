/**
 * FlatBuffers, as much of the format as Arrow's messages need: tables, strings and vectors, each
 * object written before those it refers to, so that offsets point forward.
 */

/** A field's place in its table, and what is there. */
export type FlatField =
  | [slot: number, type: 'u8' | 'i16' | 'i32' | 'i64', value: number]
  | [slot: number, type: 'ref', value: FlatObject];

export type FlatObject =
  | { table: FlatField[] }
  | { text: string }
  | { list: FlatObject[] }
  /** Structs of two 64-bit integers. */
  | { pairs: [number, number][] };

const SIZES = { u8: 1, i16: 2, i32: 4, i64: 8, ref: 4 } as const;

/** The bytes of a buffer whose root is `root`, padded to 8. */
export function flatBuffer(root: FlatObject): Buffer {
  const writer = new FlatWriter();
  const at = writer.reserve(4, 8);
  writer.patch(at, writer.write(root));
  return writer.bytes();
}

class FlatWriter {
  #buffer = Buffer.alloc(1024);
  #length = 0;

  bytes(): Buffer {
    this.reserve(0, 8);
    return this.#buffer.subarray(0, this.#length);
  }

  /** Zeroed room whose start is aligned; returns where it starts. */
  reserve(size: number, align: number): number {
    const at = Math.ceil(this.#length / align) * align;
    while (at + size > this.#buffer.length) {
      this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(this.#buffer.length)]);
    }
    this.#length = at + size;
    return at;
  }

  /** An offset is relative to where it stands. */
  patch(at: number, target: number): void {
    this.#buffer.writeUInt32LE(target - at, at);
  }

  write(object: FlatObject): number {
    if ('table' in object) return this.#writeTable(object.table);
    if ('text' in object) return this.#writeText(object.text);
    if ('list' in object) return this.#writeList(object.list);
    return this.#writePairs(object.pairs);
  }

  /** Its layout (vtable) first, then the fields, each aligned to its size. */
  #writeTable(fields: readonly FlatField[]): number {
    const slots = Math.max(-1, ...fields.map(([slot]) => slot)) + 1;
    const layout = this.reserve(4 + 2 * slots, 2);
    const places = new Map<FlatField, number>();
    let size = 4;
    for (const field of fields) {
      const width = SIZES[field[1]];
      size = Math.ceil(size / width) * width;
      places.set(field, size);
      size += width;
    }
    const table = this.reserve(size, 8);
    this.#buffer.writeUInt16LE(4 + 2 * slots, layout);
    this.#buffer.writeUInt16LE(size, layout + 2);
    this.#buffer.writeInt32LE(table - layout, table);
    for (const [field, place] of places) {
      this.#buffer.writeUInt16LE(place, layout + 4 + 2 * field[0]);
      this.#writeField(field, table + place);
    }
    return table;
  }

  #writeField(field: FlatField, at: number): void {
    switch (field[1]) {
      case 'u8':
        this.#buffer.writeUInt8(field[2], at);
        break;
      case 'i16':
        this.#buffer.writeInt16LE(field[2], at);
        break;
      case 'i32':
        this.#buffer.writeInt32LE(field[2], at);
        break;
      case 'i64':
        this.#buffer.writeBigInt64LE(BigInt(field[2]), at);
        break;
      case 'ref':
        this.patch(at, this.write(field[2]));
    }
  }

  #writeText(text: string): number {
    const bytes = Buffer.from(text);
    const at = this.reserve(4 + bytes.length + 1, 4);
    this.#buffer.writeUInt32LE(bytes.length, at);
    bytes.copy(this.#buffer, at + 4);
    return at;
  }

  #writeList(items: readonly FlatObject[]): number {
    const at = this.reserve(4 + 4 * items.length, 4);
    this.#buffer.writeUInt32LE(items.length, at);
    for (const [index, item] of items.entries()) {
      const place = at + 4 + 4 * index;
      this.patch(place, this.write(item));
    }
    return at;
  }

  /** The count stands right before the first pair, which is aligned to 8. */
  #writePairs(pairs: readonly [number, number][]): number {
    const at = this.reserve(8 + 16 * pairs.length, 8) + 4;
    this.#buffer.writeUInt32LE(pairs.length, at);
    for (const [index, [first, second]] of pairs.entries()) {
      this.#buffer.writeBigInt64LE(BigInt(first), at + 4 + 16 * index);
      this.#buffer.writeBigInt64LE(BigInt(second), at + 12 + 16 * index);
    }
    return at;
  }
}
