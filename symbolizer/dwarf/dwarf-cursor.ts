/** A cursor over a part of some DWARF section. Nothing is read at or after `end`. */
import { truncated } from '../elf/byte-reader.ts';

export class DwarfCursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = Math.min(end, bytes.length);
  }

  u8(): number {
    const { at } = this;
    if (at >= this.end) throw truncated('a part of the debug information ends too early', at);
    this.at = at + 1;
    return this.bytes[at] as number;
  }

  u16(): number {
    const low = this.u8();
    return low | (this.u8() << 8);
  }

  u32(): number {
    const low = this.u16();
    return low + this.u16() * 65_536;
  }

  /** Above 2^53 it is not exact, but stays as large. */
  u64(): number {
    const low = this.u32();
    return low + this.u32() * 2 ** 32;
  }

  /** `size` is 1, 2, 3, 4 or 8. */
  unsigned(size: number): number {
    switch (size) {
      case 1:
        return this.u8();
      case 2:
        return this.u16();
      case 3:
        return this.u16() + this.u8() * 65_536;
      case 4:
        return this.u32();
      default:
        return this.u64();
    }
  }

  /** An unsigned LEB128 number; not exact above 2^53. */
  uleb(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 128;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      // Padding may go on for ever; what is added to the value must stay a number.
      scale = Math.min(scale * 128, 2 ** 70);
    }
  }

  /** A signed LEB128 number; not exact beyond 2^53. */
  sleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale = Math.min(scale * 128, 2 ** 77);
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale;
    }
  }

  skipLeb(): void {
    while (this.u8() >= 0x80);
  }

  skip(length: number): void {
    if (length > this.end - this.at) throw truncated(`${length} bytes wanted`, this.at);
    this.at += length;
  }

  /** Where a string that ends in a zero byte begins; goes past it. */
  string(): number {
    const { at } = this;
    while (this.u8() !== 0);
    return at;
  }
}
