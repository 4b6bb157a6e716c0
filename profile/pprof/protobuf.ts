/**
 * Protobuf's wire format, read strictly (truncation, varints over ten bytes and groups throw) and
 * written without an object per field. For messages whose speed matters; others are read and
 * written with protobufjs in `wire/`.
 */
import { assert, EverflameError } from '../errors.ts';

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Stands for a varint of 2^31 or more. */
export const WIDE = -1;

const FIRST_BYTES = 4_096;
/** A buffer that one large message needed is not kept for the next. */
const MAX_KEPT_BYTES = 2 ** 20;
/** A varint of 64 bits. */
const MAX_VARINT_BYTES = 10;
/** UTF-8 of one UTF-16 code unit. */
const MAX_UNIT_BYTES = 3;

const encoder = new TextEncoder();

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

/** Writes one message after the other into a buffer that grows and is used again. */
export class WireWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written since the last call. */
  finish(): Uint8Array<ArrayBuffer> {
    const message = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES);
    return message;
  }

  /** An integer from 0 to 2^53; 0 is a field's absence, and not written. */
  uint(field: number, value: number): void {
    if (value === 0) return;
    this.#tag(field, WireType.varint);
    this.varint(value);
  }

  /** 64 bits, signed or not; 0 is not written. */
  int64(field: number, value: bigint): void {
    if (value === 0n) return;
    this.#tag(field, WireType.varint);
    this.#varint64(value);
  }

  /** An integral number of any size and sign; 0 is not written. */
  integer(field: number, value: number): void {
    if (value === 0) return;
    this.#tag(field, WireType.varint);
    this.packed(value);
  }

  /** An integral number of any size and sign, without a tag: an element of a packed field. */
  packed(value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(value);
    } else {
      assert(Number.isInteger(value), `${value} is an integer`);
      this.#varint64(BigInt(value));
    }
  }

  /** An element of a repeated field: the empty text is written too. */
  text(field: number, value: string): void {
    this.#tag(field, WireType.bytes);
    const bytes = this.#room(MAX_VARINT_BYTES + value.length * MAX_UNIT_BYTES);
    // Names are nearly always ASCII and then as long as their text; a call to encode costs more.
    if (value.length < 128 && this.#ascii(bytes, value)) return;
    const body = encoder.encode(value);
    this.varint(body.length);
    this.#room(body.length).set(body, this.#length);
    this.#length += body.length;
  }

  /** Opens a nested message or a packed field; what it returns closes it. */
  begin(field: number): number {
    this.#tag(field, WireType.bytes);
    this.#room(1);
    return ++this.#length;
  }

  /** Most nested messages are short: their length has one byte, longer ones make room for more. */
  end(start: number): void {
    const length = this.#length - start;
    let lengthBytes = 1;
    for (let rest = length >>> 7; rest > 0; rest >>>= 7) lengthBytes++;
    this.#room(lengthBytes).copyWithin(start + lengthBytes - 1, start, this.#length);
    this.#length = start - 1;
    this.varint(length);
    this.#length += length;
  }

  /** An integer from 0 to 2^53, without a tag. */
  varint(value: number): void {
    assert(value >= 0 && Number.isSafeInteger(value), `${value} is an integer from 0 to 2^53`);
    const bytes = this.#room(MAX_VARINT_BYTES);
    let length = this.#length;
    let rest = value;
    while (rest >= 2 ** 31) {
      bytes[length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      bytes[length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[length++] = rest;
    this.#length = length;
  }

  #varint64(value: bigint): void {
    const bytes = this.#room(MAX_VARINT_BYTES);
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) bytes[this.#length++] = Number(rest & 127n) | 128;
    bytes[this.#length++] = Number(rest);
  }

  #tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  /** Writes a length of one byte and the text, or nothing and false. */
  #ascii(bytes: Uint8Array, value: string): boolean {
    const start = this.#length + 1;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 127) return false;
      bytes[start + i] = unit;
    }
    bytes[start - 1] = value.length;
    this.#length = start + value.length;
    return true;
  }

  /** The buffer, with room for so many more bytes. */
  #room(bytes: number): Uint8Array<ArrayBuffer> {
    const needed = this.#length + bytes;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}
