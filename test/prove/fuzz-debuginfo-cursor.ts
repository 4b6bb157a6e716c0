/** Reads what compilers wrote, to find where its fields are. Only ever used on whole files. */

export class Cursor {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  u8(): number {
    return this.bytes.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.#advance(4));
  }

  u64(): number {
    return Number(this.bytes.readBigUInt64LE(this.#advance(8)));
  }

  sized(size: number): number {
    return size === 8 ? this.u64() : this.u32();
  }

  leb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  text(): string {
    const end = this.bytes.indexOf(0, this.at);
    const text = this.bytes.toString('latin1', this.at, end);
    this.at = end + 1;
    return text;
  }

  skip(length: number): void {
    this.at += length;
  }

  /** DWARF's initial length: where the unit ends, and the size of its offsets. */
  unitEnd(): { end: number; offsetSize: 4 | 8 } {
    const first = this.u32();
    if (first !== 0xffffffff) return { end: this.at + first, offsetSize: 4 };
    const length = this.u64();
    return { end: this.at + length, offsetSize: 8 };
  }

  #advance(length: number): number {
    const { at } = this;
    this.at += length;
    return at;
  }
}
