/**
 * Protobuf's wire format, read strictly: truncation, varints over ten bytes and groups throw.
 * For decoders whose speed matters; other messages are read with protobufjs in `wire/`.
 */
import { EverflameError } from './errors.ts';

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

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
   * An unsigned varint as a number: exact below 2^53, rounded above, so a comparison with any
   * limit is right. A reader of a nested message checks its end after the last field.
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
      return (this.high >>> 0) * 2 ** 32 + (this.low >>> 0);
    }
    this.pos = pos;
    return value;
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
    if (end > limit) this.fail(`${length} bytes are announced and ${limit - this.pos} are left`);
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
