/** Pages of all open symbol files in one bounded block of memory, each checked when it comes in. */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { PAGE_BYTES } from './symbol-file-layout.ts';

const WORDS_PER_PAGE = PAGE_BYTES / 4;

/** A page whose content cannot be trusted. Never leaves symbol-file/. */
export class DamagedPage extends Error {}

/** Which pages of one file are where in the pool. */
export interface PooledFile {
  readonly fd: number;
  /** CRC-32 of each page; page 0, the header, has none here. */
  readonly checksums: Uint32Array;
  /** Per page: 0 = not in memory, else 1 + its slot. */
  readonly slots: Int32Array;
}

/**
 * Memory is taken from the system as slots are first used. When all are, a hand goes round and
 * takes the first slot that was not used since it last came by.
 */
export class PagePool {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly #owners: (PooledFile | null)[] = [];
  readonly #pages: Int32Array;
  readonly #used: Uint8Array;
  readonly #free: number[] = [];
  #hand = 0;

  constructor(pages: number) {
    const block = new ArrayBuffer(pages * PAGE_BYTES);
    this.bytes = Buffer.from(block);
    this.words = new Uint32Array(block);
    this.#pages = new Int32Array(pages);
    this.#used = new Uint8Array(pages);
  }

  /** Where in `words` the page begins. Valid until the next call. */
  wordsOf(file: PooledFile, page: number): number {
    return this.#slotOf(file, page) * WORDS_PER_PAGE;
  }

  /** Where in `bytes` the page begins. Valid until the next call. */
  bytesOf(file: PooledFile, page: number): number {
    return this.#slotOf(file, page) * PAGE_BYTES;
  }

  /** Gives the file's slots to others. */
  release(file: PooledFile): void {
    for (let slot = 0; slot < this.#owners.length; slot++) {
      if (this.#owners[slot] !== file) continue;
      this.#owners[slot] = null;
      this.#free.push(slot);
    }
    file.slots.fill(0);
  }

  #slotOf(file: PooledFile, page: number): number {
    const slot = (file.slots[page] ?? 0) - 1;
    if (slot < 0) return this.#load(file, page);
    this.#used[slot] = 1;
    return slot;
  }

  #load(file: PooledFile, page: number): number {
    if (page < 1 || page >= file.slots.length) throw new DamagedPage(`page ${page}`);
    const slot = this.#freeSlot();
    const at = slot * PAGE_BYTES;
    const bytes = this.bytes.subarray(at, at + PAGE_BYTES);
    const length = readSync(file.fd, bytes, 0, PAGE_BYTES, page * PAGE_BYTES);
    if (length !== PAGE_BYTES || crc32(bytes) !== file.checksums[page]) {
      this.#free.push(slot);
      throw new DamagedPage(`page ${page}`);
    }
    this.#owners[slot] = file;
    this.#pages[slot] = page;
    this.#used[slot] = 1;
    file.slots[page] = slot + 1;
    return slot;
  }

  #freeSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#owners.length < this.#pages.length) return this.#owners.push(null) - 1;
    for (;;) {
      const slot = this.#hand;
      this.#hand = slot + 1 === this.#pages.length ? 0 : slot + 1;
      if (this.#used[slot] === 0) {
        const owner = this.#owners[slot];
        if (owner !== null && owner !== undefined) owner.slots[this.#pages[slot] as number] = 0;
        this.#owners[slot] = null;
        return slot;
      }
      this.#used[slot] = 0;
    }
  }
}
