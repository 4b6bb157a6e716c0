/** Writes symbol files (docs/formats.md section 4), page by page: equal input, equal bytes. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert, EverflameError } from '../../profile/errors.ts';
import { MAX_SYMBOL_NAMES_BYTES } from '../../profile/limits.ts';
import type { BuildId } from '../../profile/units.ts';
import type { LoadSegment } from '../elf/elf.ts';
import type { CodeSymbols } from '../elf/elf-symbols.ts';
import {
  HeaderField,
  layOut,
  NO_FUNCTION,
  PAGE_BYTES,
  RECORDS_PER_PAGE,
  SYMBOL_FILE_MAGIC,
  SYMBOL_FILE_VERSION,
  SymbolFileFlag,
} from './symbol-file-layout.ts';
import { type SymbolRanges, symbolName } from './symbol-ranges.ts';

export interface SymbolFileContent {
  buildId: BuildId;
  elfType: number;
  machine: number;
  segments: readonly LoadSegment[];
  ranges: SymbolRanges;
  symbols: CodeSymbols;
}

/**
 * Writes beside `path`, syncs and renames, so that a file under this name is always whole. Returns
 * the number of functions in it.
 */
export function writeSymbolFile(path: string, content: SymbolFileContent): number {
  const functions = numberFunctions(content);
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', 0o640);
  try {
    writeContent(fd, content, functions);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
  return functions.rows.length;
}

/** Makes a rename or unlink in a directory survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

interface Functions {
  /** Symbols that name at least one range, by their first range. */
  rows: Int32Array;
  /** Symbol -> function. */
  numbers: Int32Array;
  namesBytes: number;
}

function numberFunctions({ ranges, symbols }: SymbolFileContent): Functions {
  const numbers = new Int32Array(symbols.count).fill(-1);
  const rows = new Int32Array(symbols.count);
  let count = 0;
  let namesBytes = 0;
  for (let range = 0; range < ranges.count; range++) {
    const symbol = ranges.symbols[range] as number;
    if (symbol < 0 || numbers[symbol] !== -1) continue;
    numbers[symbol] = count;
    rows[count++] = symbol;
    namesBytes += symbols.nameLength[symbol] as number;
  }
  if (namesBytes > MAX_SYMBOL_NAMES_BYTES) {
    throw new EverflameError('too-large', `the functions' names have ${namesBytes} bytes`, {
      field: 'file',
      limit: `MAX_SYMBOL_NAMES_BYTES = ${MAX_SYMBOL_NAMES_BYTES}`,
      remedy: 'Strip local symbols (strip -x).',
    });
  }
  return { rows: rows.subarray(0, count), numbers, namesBytes };
}

function writeContent(fd: number, content: SymbolFileContent, functions: Functions): void {
  const { segments, ranges, symbols } = content;
  const layout = layOut({
    segments: segments.length,
    ranges: ranges.count,
    functions: functions.rows.length,
    namesBytes: functions.namesBytes,
  });
  const pages = new PageWriter(fd, layout.checksumCount);
  for (const { offset, fileSize, vaddr, memSize, flags } of segments) {
    for (const value of [offset, fileSize, vaddr, memSize]) pages.u64(value);
    pages.u32(flags);
    pages.u32(0);
  }
  pages.endSection(layout.index);
  for (let range = 0; range < ranges.count; range += RECORDS_PER_PAGE) {
    pages.u64(ranges.starts[range] as number);
  }
  pages.endSection(layout.ranges);
  for (let range = 0; range < ranges.count; range++) {
    const symbol = ranges.symbols[range] as number;
    pages.u64(ranges.starts[range] as number);
    pages.u32(symbol < 0 ? NO_FUNCTION : (functions.numbers[symbol] as number));
    pages.u32(0);
  }
  pages.endSection(layout.functions);
  let nameOffset = 0;
  for (const symbol of functions.rows) {
    const length = symbols.nameLength[symbol] as number;
    pages.u64(symbols.start[symbol] as number);
    pages.u32(nameOffset);
    pages.u32(length);
    nameOffset += length;
  }
  pages.endSection(layout.names);
  for (const symbol of functions.rows) pages.bytes(symbolName(symbols, symbol));
  pages.endSection(layout.checksums);
  const checksums = pages.checksums();
  writeAll(fd, checksums, layout.checksums);
  writeAll(fd, headerPage(content, functions, crc32(checksums)), 0);
}

function headerPage(
  content: SymbolFileContent,
  functions: Functions,
  checksumsCrc: number,
): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  const { symbols } = content;
  const flags =
    (symbols.fromSymtab ? SymbolFileFlag.symtab : 0) |
    (symbols.fromDynsym ? SymbolFileFlag.dynsym : 0);
  view.setUint32(HeaderField.magic, SYMBOL_FILE_MAGIC, true);
  view.setUint16(HeaderField.version, SYMBOL_FILE_VERSION, true);
  view.setUint16(HeaderField.flags, flags, true);
  view.setUint32(HeaderField.pageBytes, PAGE_BYTES, true);
  view.setUint16(HeaderField.elfType, content.elfType, true);
  view.setUint16(HeaderField.machine, content.machine, true);
  view.setUint32(HeaderField.segments, content.segments.length, true);
  view.setUint32(HeaderField.ranges, content.ranges.count, true);
  view.setUint32(HeaderField.functions, functions.rows.length, true);
  view.setUint32(HeaderField.namesBytes, functions.namesBytes, true);
  view.setUint32(HeaderField.skipped, symbols.skipped, true);
  view.setUint32(HeaderField.checksumsCrc, checksumsCrc, true);
  view.setUint32(HeaderField.buildIdLength, content.buildId.length, true);
  page.set(Buffer.from(content.buildId, 'latin1'), HeaderField.buildId);
  view.setUint32(HeaderField.headerCrc, crc32(page), true);
  return page;
}

/** Fills pages in order from page 1 on and keeps their checksums. */
class PageWriter {
  readonly #fd: number;
  readonly #page = new Uint8Array(PAGE_BYTES);
  readonly #view = new DataView(this.#page.buffer);
  readonly #crcs: Uint8Array;
  #used = 0;
  #position = PAGE_BYTES;

  constructor(fd: number, pageCount: number) {
    this.#fd = fd;
    this.#crcs = new Uint8Array(pageCount * 4);
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
      const part = bytes.subarray(at, at + PAGE_BYTES - this.#used);
      this.#page.set(part, this.#used);
      this.#advance(part.length);
      at += part.length;
    }
  }

  /** Pads with zeros to the next page, where the section that follows must begin. */
  endSection(next: number): void {
    if (this.#used > 0) this.#flush();
    assert(this.#position === next, `section at ${next}, pages written to ${this.#position}`);
  }

  checksums(): Uint8Array {
    return this.#crcs;
  }

  #advance(length: number): void {
    this.#used += length;
    if (this.#used === PAGE_BYTES) this.#flush();
  }

  #flush(): void {
    const at = (this.#position / PAGE_BYTES - 1) * 4;
    new DataView(this.#crcs.buffer).setUint32(at, crc32(this.#page), true);
    writeAll(this.#fd, this.#page, this.#position);
    this.#page.fill(0);
    this.#used = 0;
    this.#position += PAGE_BYTES;
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(fd, bytes, at, bytes.length - at, position + at);
  }
}
