/**
 * Look-ups in a symbol file (docs/formats.md section 4): which function covers an address. Reads
 * the header and the small tables once, then single pages through a bounded cache.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_ELF_SEGMENTS,
  MAX_STRING_BYTES,
  MAX_SYMBOL_NAMES_BYTES,
} from '../../profile/limits.ts';
import type { BuildId, ElfAddress, FileOffset } from '../../profile/units.ts';
import { isBuildId } from '../elf/build-id.ts';
import { type LoadSegment, SEGMENT_EXEC } from '../elf/elf.ts';
import {
  HeaderField,
  layOut,
  NO_FUNCTION,
  PAGE_BYTES,
  RECORD_BYTES,
  RECORDS_PER_PAGE,
  SEGMENT_BYTES,
  SYMBOL_FILE_MAGIC,
  SYMBOL_FILE_VERSION,
  SymbolFileFlag,
  type SymbolFileLayout,
} from './symbol-file-layout.ts';
import { type SymbolFacts, SymbolQuality } from './symbol-quality.ts';

export type UnknownSymbolReason =
  /** The file has no symbols of code at all. */
  | 'no-symbols'
  /** The file offset is in none of the file's segments. */
  | 'unmapped'
  /** No symbol covers the address. */
  | 'not-covered'
  /** The symbol file cannot be read any more, or a checksum differs. */
  | 'damaged';

/** One function at an address, and the place in the source that is executed in it. */
export interface SymbolLine {
  /** As the file has it (mangled). */
  name: string;
  /** Empty where it is not known. */
  file: string;
  /** 0 where it is not known. */
  line: number;
}

export type SymbolLookup =
  /** At least one line; the innermost inlined call first, the function that was compiled last. */
  | { kind: 'symbol'; lines: readonly SymbolLine[] }
  | { kind: 'unknown'; reason: UnknownSymbolReason };

export interface SymbolFile extends Readonly<SymbolFacts> {
  readonly buildId: BuildId;
  /** Empty where the source's program headers do not tell where the bytes of the original lie. */
  readonly segments: readonly LoadSegment[];
  /** `space` says what `address` is: an ElfAddress, or a FileOffset of the mapped file. */
  lookup(address: number, space: 'elf' | 'file'): SymbolLookup;
  /** The ELF address of a file offset; null where no segment holds it. */
  elfAddress(offset: FileOffset): ElfAddress | null;
  close(): void;
}

/** Pages in memory per file: 1 MB holds the ranges that a day's profiles touch of a large binary. */
const CACHED_PAGES = 256;

/** Throws EverflameError `invalid` for a file that is cut, damaged or of another version. */
export function openSymbolFile(path: string): SymbolFile {
  const fd = openSync(path, 'r');
  try {
    return new PagedSymbolFile(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error instanceof DamagedPage ? damaged(path, error.message) : error;
  }
}

class PagedSymbolFile implements SymbolFile {
  readonly buildId: BuildId;
  readonly quality: SymbolQuality;
  readonly functions: number;
  readonly inlinedCalls = 0;
  readonly lineBytes = 0;
  readonly namedBytes = 0;
  readonly skippedSymbols: number;
  readonly segments: readonly LoadSegment[];
  readonly #ranges: number;
  readonly #layout: SymbolFileLayout;
  readonly #index: Float64Array;
  readonly #pages: PageCache;
  readonly #fd: number;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    const header = readHeader(fd, path);
    const { view } = header;
    this.buildId = header.buildId;
    this.functions = view.getUint32(HeaderField.functions, true);
    this.skippedSymbols = view.getUint32(HeaderField.skipped, true);
    this.quality = qualityOf(view.getUint16(HeaderField.flags, true), this.functions);
    this.#ranges = view.getUint32(HeaderField.ranges, true);
    this.#layout = header.layout;
    const checksums = readChecksums(fd, path, header);
    this.#pages = new PageCache(fd, checksums);
    this.segments = this.#readSegments(view.getUint32(HeaderField.segments, true));
    this.#index = new Float64Array(this.#layout.indexCount);
    for (let i = 0; i < this.#index.length; i++) {
      this.#index[i] = this.#pages.u64(this.#layout.index + i * 8);
    }
  }

  lookup(address: number, space: 'elf' | 'file'): SymbolLookup {
    const elf = space === 'elf' ? address : this.elfAddress(address as FileOffset);
    if (elf === null) return { kind: 'unknown', reason: 'unmapped' };
    if (this.functions === 0) return { kind: 'unknown', reason: 'no-symbols' };
    try {
      return this.#find(elf);
    } catch (error) {
      // What was read wrong is told as such: the caller shows the reason and the file is replaced.
      if (error instanceof DamagedPage) return { kind: 'unknown', reason: 'damaged' };
      throw error;
    }
  }

  elfAddress(offset: FileOffset): ElfAddress | null {
    let found: LoadSegment | null = null;
    for (const segment of this.segments) {
      if (offset < segment.offset || offset >= segment.offset + segment.fileSize) continue;
      // The page where two segments meet is in both; what was executed is in the executable one.
      if (found === null || (segment.flags & SEGMENT_EXEC) !== 0) found = segment;
    }
    return found === null ? null : ((found.vaddr + (offset - found.offset)) as ElfAddress);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #find(address: number): SymbolLookup {
    const page = lastAtMost(this.#index.length, address, (row) => this.#index[row] as number);
    if (page < 0) return { kind: 'unknown', reason: 'not-covered' };
    const first = page * RECORDS_PER_PAGE;
    const count = Math.min(RECORDS_PER_PAGE, this.#ranges - first);
    const view = this.#pages.view(this.#layout.ranges + first * RECORD_BYTES);
    const row = lastAtMost(count, address, (i) => readU64(view, i * RECORD_BYTES));
    const number = row < 0 ? NO_FUNCTION : view.getUint32(row * RECORD_BYTES + 8, true);
    if (number === NO_FUNCTION) return { kind: 'unknown', reason: 'not-covered' };
    return this.#function(number);
  }

  #function(number: number): SymbolLookup {
    if (number >= this.functions) throw new DamagedPage('a function that is not there');
    const at = this.#layout.functions + number * RECORD_BYTES;
    const nameOffset = this.#pages.u32(at + 8);
    const nameLength = this.#pages.u32(at + 12);
    const begin = this.#layout.names + nameOffset;
    if (nameLength > MAX_STRING_BYTES || begin + nameLength > this.#layout.checksums) {
      throw new DamagedPage('a name outside the names');
    }
    const name = this.#pages.text(begin, nameLength);
    return { kind: 'symbol', lines: [{ name, file: '', line: 0 }] };
  }

  #readSegments(count: number): LoadSegment[] {
    const segments: LoadSegment[] = [];
    const pages = this.#pages;
    for (let i = 0; i < count; i++) {
      const at = this.#layout.segments + i * SEGMENT_BYTES;
      segments.push({
        offset: pages.u64(at),
        fileSize: pages.u64(at + 8),
        vaddr: pages.u64(at + 16),
        memSize: pages.u64(at + 24),
        flags: pages.u32(at + 32),
      });
    }
    return segments;
  }
}

/** The last of `count` ascending values that is not above `limit`, or -1. */
function lastAtMost(count: number, limit: number, value: (row: number) => number): number {
  let begin = 0;
  let end = count;
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if (value(middle) <= limit) begin = middle + 1;
    else end = middle;
  }
  return begin - 1;
}

function qualityOf(flags: number, functions: number): SymbolQuality {
  if (functions === 0) return SymbolQuality.none;
  return (flags & SymbolFileFlag.symtab) !== 0 ? SymbolQuality.symbols : SymbolQuality.exported;
}

interface Header {
  view: DataView;
  buildId: BuildId;
  layout: SymbolFileLayout;
}

function readHeader(fd: number, path: string): Header {
  const page = readExactly(fd, 0, PAGE_BYTES);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const version = view.getUint16(HeaderField.version, true);
  const isOurs = view.getUint32(HeaderField.magic, true) === SYMBOL_FILE_MAGIC;
  if (!isOurs || version !== SYMBOL_FILE_VERSION) {
    throw damaged(path, isOurs ? `version ${version}` : 'no symbol file');
  }
  const crc = view.getUint32(HeaderField.headerCrc, true);
  view.setUint32(HeaderField.headerCrc, 0, true);
  if (crc32(page) !== crc) throw damaged(path, 'the header differs from its checksum');
  const counts = {
    segments: view.getUint32(HeaderField.segments, true),
    ranges: view.getUint32(HeaderField.ranges, true),
    functions: view.getUint32(HeaderField.functions, true),
    namesBytes: view.getUint32(HeaderField.namesBytes, true),
  };
  const layout = layOut(counts);
  const length = view.getUint32(HeaderField.buildIdLength, true);
  const buildId = Buffer.from(page).toString(
    'latin1',
    HeaderField.buildId,
    HeaderField.buildId + length,
  );
  const size = fstatSync(fd).size;
  const bounded =
    counts.segments <= MAX_ELF_SEGMENTS && counts.namesBytes <= MAX_SYMBOL_NAMES_BYTES;
  if (size !== layout.end || !bounded || !isBuildId(buildId)) {
    throw damaged(path, `${size} bytes, where its header says ${layout.end}`);
  }
  return { view, buildId, layout };
}

function readChecksums(fd: number, path: string, { view, layout }: Header): DataView {
  const bytes = readExactly(fd, layout.checksums, layout.checksumCount * 4);
  if (crc32(bytes) !== view.getUint32(HeaderField.checksumsCrc, true)) {
    throw damaged(path, 'the table of checksums differs from its checksum');
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(path: string, what: string): EverflameError {
  return new EverflameError('invalid', `${path}: ${what}`, {
    field: 'symbol file',
    remedy: 'Upload the binary again.',
  });
}

/** A page whose content cannot be trusted. Never leaves this module. */
class DamagedPage extends Error {}

function readExactly(fd: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const got = readSync(fd, bytes, filled, length - filled, position + filled);
    if (got === 0) break;
    filled += got;
  }
  return bytes;
}

function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** The least recently used page goes first; a Map keeps its keys in order of insertion. */
class PageCache {
  readonly #fd: number;
  readonly #checksums: DataView;
  readonly #pages = new Map<number, DataView>();

  constructor(fd: number, checksums: DataView) {
    this.#fd = fd;
    this.#checksums = checksums;
  }

  /** The page at an offset that is a multiple of the page size. */
  view(position: number): DataView {
    const number = position / PAGE_BYTES;
    const cached = this.#pages.get(number);
    if (cached !== undefined) {
      this.#pages.delete(number);
      this.#pages.set(number, cached);
      return cached;
    }
    const bytes = readExactly(this.#fd, position, PAGE_BYTES);
    if (crc32(bytes) !== this.#checksums.getUint32((number - 1) * 4, true)) {
      throw new DamagedPage(`page ${number}`);
    }
    if (this.#pages.size >= CACHED_PAGES) {
      for (const oldest of this.#pages.keys()) {
        this.#pages.delete(oldest);
        break;
      }
    }
    const view = new DataView(bytes.buffer);
    this.#pages.set(number, view);
    return view;
  }

  u32(position: number): number {
    return this.view(position - (position % PAGE_BYTES)).getUint32(position % PAGE_BYTES, true);
  }

  u64(position: number): number {
    return readU64(this.view(position - (position % PAGE_BYTES)), position % PAGE_BYTES);
  }

  text(position: number, length: number): string {
    const text = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const within = (position + at) % PAGE_BYTES;
      const page = this.view(position + at - within);
      const part = Math.min(length - at, PAGE_BYTES - within);
      text.set(new Uint8Array(page.buffer, page.byteOffset + within, part), at);
      at += part;
    }
    return text.toString('utf8');
  }
}
