/**
 * Protobuf's wire format, read strictly: truncation, varints over ten bytes and groups throw.
 * For decoders whose speed matters; other messages are read with protobufjs in `wire/`.
 */
import { EverflameError } from './errors.ts';

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Stands for a varint of 2^31 or more. */
export const WIDE = -1;

export class WireReader {
  bytes: Uint8Array;
  pos = 0;
  /** Halves of the value that `varint64` read last, as signed 32-bit words. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.bytes = bytes;
  }

  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.pos = 0;
  }

  /**
   * A varint below 2^31 as it is; WIDE for any other, whose halves are then in `low` and `high`.
   * An integer in all cases, which keeps floating point out of the decoders' loops. A reader of a
   * nested message checks its end after the last field.
   */
  varint(): number {
    const bytes = this.bytes;
    let pos = this.pos;
    let byte = bytes[pos++] as number;
    let value = byte & 127;
    if (byte > 127) {
      byte = bytes[pos++] as number;
      value |= (byte & 127) << 7;
      if (byte > 127) {
        byte = bytes[pos++] as number;
        value |= (byte & 127) << 14;
      }
    }
    // Also taken past the end of the input, where a byte is undefined.
    if (!(byte < 128)) {
      this.varint64();
      return this.high === 0 && this.low >= 0 ? this.low : WIDE;
    }
    this.pos = pos;
    return value;
  }

  /** `varint` at a position that the caller kept. */
  varintAt(pos: number): number {
    this.pos = pos;
    return this.varint();
  }

  /** A varint of any width into `low` and `high`. Bits beyond the 64th are dropped, as in Go. */
  varint64(): void {
    const bytes = this.bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.pos >= bytes.length) this.fail('the input ends within a number');
      const byte = bytes[this.pos++] as number;
      if (shift < 28) low |= (byte & 127) << shift;
      else if (shift === 28) {
        low |= (byte & 15) << 28;
        high = (byte & 127) >> 4;
      } else if (shift < 63) high |= (byte & 127) << (shift - 32);
      else high |= (byte & 1) << 31;
      if (byte < 128) {
        this.low = low;
        this.high = high;
        return;
      }
    }
    this.fail('a number has more than 10 bytes');
  }

  /** A length and the position where what it measures ends; never beyond `limit`. */
  end(limit: number): number {
    const length = this.varint();
    const end = this.pos + length;
    if (length === WIDE || end > limit) {
      this.fail(`more bytes are announced than the ${limit - this.pos} that are left`);
    }
    return end;
  }

  /** Passes over the value of a field that the reader does not know. */
  skip(wireType: number, limit: number): void {
    if (wireType === WireType.varint) this.varint64();
    else if (wireType === WireType.bytes) this.pos = this.end(limit);
    else if (wireType === WireType.fixed64) this.pos += 8;
    else if (wireType === WireType.fixed32) this.pos += 4;
    else this.fail(`wire type ${wireType} is not allowed`);
    this.checkEnd(limit);
  }

  /** After a message's last field: it must not have run over the message's end. */
  checkEnd(end: number): void {
    if (this.pos > end) this.fail('a field runs over the end of its message');
  }

  fail(message: string): never {
    throw new EverflameError('invalid', message, { position: this.pos });
  }
}
