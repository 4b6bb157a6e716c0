/** Writes a file page by page, in order, and keeps the checksum of each. */
import { writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { assert } from '../../profile/errors.ts';
import { PAGE_BYTES } from './symbol-file-layout.ts';

/** Pages that are written at once. */
const BUFFERED_PAGES = 64;

/** Begins at page 1; page 0 is the header. */
export class PageWriter {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(PAGE_BYTES * BUFFERED_PAGES);
  readonly #view = new DataView(this.#buffer.buffer);
  readonly #crcs: DataView;
  #used = 0;
  /** Where in the file the buffer begins. */
  #position = PAGE_BYTES;

  constructor(fd: number, pageCount: number) {
    this.#fd = fd;
    this.#crcs = new DataView(new ArrayBuffer(pageCount * 4));
  }

  get position(): number {
    return this.#position + this.#used;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#used, value, true);
    this.#advance(4);
  }

  /** Fields are aligned to their size, so none lies across two pages. */
  u64(value: number): void {
    this.#view.setUint32(this.#used, value % 2 ** 32, true);
    this.#view.setUint32(this.#used + 4, Math.floor(value / 2 ** 32), true);
    this.#advance(8);
  }

  bytes(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.#buffer.length - this.#used);
      this.#buffer.set(part, this.#used);
      this.#advance(part.length);
      at += part.length;
    }
  }

  /** Zeros up to `position`, where the section or record that follows must begin. */
  padTo(position: number): void {
    assert(position >= this.position, `a place at ${position}, written to ${this.position}`);
    while (this.position < position) {
      this.#advance(Math.min(position - this.position, this.#buffer.length - this.#used));
    }
  }

  /** Writes what is buffered; only at a page's beginning. Returns the checksums of all pages. */
  finish(): Uint8Array {
    this.#flush();
    return new Uint8Array(this.#crcs.buffer);
  }

  #advance(length: number): void {
    this.#used += length;
    if (this.#used === this.#buffer.length) this.#flush();
  }

  #flush(): void {
    for (let at = 0; at < this.#used; at += PAGE_BYTES) {
      const page = (this.#position + at) / PAGE_BYTES - 1;
      this.#crcs.setUint32(page * 4, crc32(this.#buffer.subarray(at, at + PAGE_BYTES)), true);
    }
    writeAll(this.#fd, this.#buffer.subarray(0, this.#used), this.#position);
    this.#position += this.#used;
    this.#used = 0;
    this.#buffer.fill(0);
  }
}

export function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(fd, bytes, at, bytes.length - at, position + at);
  }
}
