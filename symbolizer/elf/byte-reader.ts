/**
 * Reading bytes that strangers wrote: a cursor that never leaves its buffer, and sources that are
 * read in small parts. Integers are little-endian.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { EverflameError } from '../../profile/errors.ts';

/** Random access to a file or a buffer; `read` returns exactly `length` bytes or throws. */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

export interface FileByteSource extends ByteSource {
  close(): void;
}

/** Opens a file for reading in parts; the caller closes it. Throws what the file system says. */
export function openByteSource(path: string): FileByteSource {
  // A pipe put in a file's place must not block whoever opens it.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw truncated(`${path} is not a regular file`, 0);
    return new DescriptorSource(fd, stat.size);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A file that is open already, and stays so. Throws for what is no regular file. */
export function descriptorSource(fd: number): ByteSource {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw truncated(`descriptor ${fd} is not a regular file`, 0);
  return new DescriptorSource(fd, stat.size);
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      checkRange(offset, length, bytes.length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

class DescriptorSource implements FileByteSource {
  readonly size: number;
  readonly #fd: number;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(offset, length, this.size);
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const got = readSync(this.#fd, bytes, filled, length - filled, offset + filled);
      if (got === 0) throw truncated('the file shrank while it was read', offset + filled);
      filled += got;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Checked before anything is allocated, so that a forged length costs nothing. */
function checkRange(offset: number, length: number, size: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!valid || offset < 0 || length < 0 || offset + length > size) {
    throw truncated(`bytes ${offset} to ${offset + length} are not in a file of ${size}`, offset);
  }
}

/** The error of everything that ends too early. */
export function truncated(message: string, position: number): EverflameError {
  return new EverflameError('invalid', message, {
    field: 'file',
    position,
    remedy: 'Send the file as its linker wrote it, complete.',
  });
}

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A 64-bit offset, size or address. Above 2^53 it is none that a file on disk can have. */
  u64(): number {
    const at = this.#advance(8);
    const low = this.#view.getUint32(at, true);
    const high = this.#view.getUint32(at + 4, true);
    if (high >= 2 ** 21) {
      const hex = (BigInt(high) * 2n ** 32n + BigInt(low)).toString(16);
      throw new EverflameError('unsupported', `0x${hex} is above 2^53`, {
        field: 'file',
        position: at,
        remedy: 'Only files whose addresses lie below 2^53 are read.',
      });
    }
    return high * 2 ** 32 + low;
  }

  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  #advance(length: number): number {
    const at = this.position;
    if (length < 0 || length > this.bytes.length - at) {
      throw truncated(`${length} bytes wanted, ${this.bytes.length - at} left`, at);
    }
    this.position = at + length;
    return at;
  }
}
