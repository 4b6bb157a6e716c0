/** Writes symbol files (docs/formats.md section 4), page by page: equal input, equal bytes. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { BuildId } from '../../profile/units.ts';
import type { LoadSegment } from '../elf/elf.ts';
import type { CodeRanges } from './code-ranges.ts';
import { PageWriter, writeAll } from './page-writer.ts';
import {
  HeaderField,
  layOut,
  NONE,
  PAGE_BYTES,
  RANGES_PER_PAGE,
  SYMBOL_FILE_MAGIC,
  SYMBOL_FILE_VERSION,
  type SymbolFileCounts,
} from './symbol-file-layout.ts';
import type { SymbolFacts } from './symbol-quality.ts';
import type { TextNumbers } from './text-numbers.ts';
import type { TextTable } from './text-table.ts';

export interface SymbolFileContent {
  buildId: BuildId;
  elfType: number;
  machine: number;
  /** Bits of MadeFrom. */
  made: number;
  facts: SymbolFacts;
  segments: readonly LoadSegment[];
  /** Sorted and disjoint, each with a name. */
  ranges: CodeRanges;
}

/**
 * Writes beside `path`, syncs and renames, so that a file under this name is always whole. Records
 * lie in `records`, texts that `numbers` has numbered in `texts`.
 */
export function writeSymbolFile(
  path: string,
  content: SymbolFileContent,
  records: Uint8Array,
  texts: TextTable,
  numbers: TextNumbers,
): void {
  const temporary = `${path}.tmp`;
  try {
    const fd = openSync(temporary, 'w', 0o640);
    try {
      writeContent(fd, content, records, texts, numbers);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
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

function writeContent(
  fd: number,
  content: SymbolFileContent,
  records: Uint8Array,
  texts: TextTable,
  numbers: TextNumbers,
): void {
  const { segments, ranges } = content;
  const rows = fileRanges(ranges, numbers);
  let textBytes = 0;
  for (let number = 1; number <= numbers.count; number++) {
    textBytes += texts.lengthOf(numbers.textOf(number));
  }
  const counts: SymbolFileCounts = {
    segments: segments.length,
    ranges: rows.count,
    recordBytes: rows.recordBytes,
    texts: numbers.count,
    textBytes,
  };
  const layout = layOut(counts);
  const pages = new PageWriter(fd, layout.checksumCount);
  for (const { offset, fileSize, vaddr, memSize, flags } of segments) {
    for (const value of [offset, fileSize, vaddr, memSize]) pages.u64(value);
    pages.u32(flags);
    pages.u32(0);
  }
  pages.padTo(layout.index);
  for (let row = 0; row < rows.count; row += RANGES_PER_PAGE) {
    pages.u64(rows.starts[row] as number);
  }
  pages.padTo(layout.ranges);
  for (let row = 0; row < rows.count; row++) {
    pages.u64(rows.starts[row] as number);
    pages.u32(rows.names[row] as number);
    pages.u32(rows.records[row] as number);
  }
  pages.padTo(layout.records);
  writeRecords(pages, layout.records, ranges, records);
  pages.padTo(layout.textOffsets);
  writeTexts(pages, layout.texts, texts, numbers);
  pages.padTo(layout.checksums);
  const checksums = pages.finish();
  writeAll(fd, checksums, layout.checksums);
  writeAll(fd, headerPage(content, counts, crc32(checksums)), 0);
}

interface FileRanges {
  count: number;
  starts: Float64Array;
  names: Uint32Array;
  /** Offsets among the records of the file. */
  records: Uint32Array;
  recordBytes: number;
}

/** With a range without a name for each gap, and a last one where the code ends. */
function fileRanges(ranges: CodeRanges, numbers: TextNumbers): FileRanges {
  const room = ranges.count * 2;
  const rows: FileRanges = {
    count: 0,
    starts: new Float64Array(room),
    names: new Uint32Array(room),
    records: new Uint32Array(room),
    recordBytes: 0,
  };
  for (let range = 0; range < ranges.count; range++) {
    const start = ranges.start[range] as number;
    const length = ranges.recordLength[range] as number;
    const name = numbers.numberOf(ranges.name[range] as number) - 1;
    if (length > 0) rows.recordBytes = placeRecord(rows.recordBytes, length);
    addRange(rows, start, name, length > 0 ? rows.recordBytes : NONE);
    rows.recordBytes += length;
    const end = ranges.end[range] as number;
    const isGap = range + 1 === ranges.count || (ranges.start[range + 1] as number) > end;
    if (isGap) addRange(rows, end, NONE, NONE);
  }
  return rows;
}

function addRange(rows: FileRanges, start: number, name: number, record: number): void {
  const row = rows.count++;
  rows.starts[row] = start;
  rows.names[row] = name;
  rows.records[row] = record;
}

/** Where a record goes that may begin at `offset`: none lies across two pages. */
function placeRecord(offset: number, length: number): number {
  const left = PAGE_BYTES - (offset % PAGE_BYTES);
  return length <= left ? offset : offset + left;
}

function writeRecords(
  pages: PageWriter,
  begin: number,
  ranges: CodeRanges,
  records: Uint8Array,
): void {
  for (let range = 0; range < ranges.count; range++) {
    const length = ranges.recordLength[range] as number;
    if (length === 0) continue;
    pages.padTo(begin + placeRecord(pages.position - begin, length));
    const at = ranges.recordAt[range] as number;
    pages.bytes(records.subarray(at, at + length));
  }
}

function writeTexts(
  pages: PageWriter,
  begin: number,
  texts: TextTable,
  numbers: TextNumbers,
): void {
  let offset = 0;
  for (let number = 1; number <= numbers.count; number++) {
    pages.u32(offset);
    offset += texts.lengthOf(numbers.textOf(number));
  }
  pages.u32(offset);
  pages.padTo(begin);
  for (let number = 1; number <= numbers.count; number++) {
    pages.bytes(texts.bytesOf(numbers.textOf(number)));
  }
}

function headerPage(
  content: SymbolFileContent,
  counts: SymbolFileCounts,
  checksumsCrc: number,
): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  const { facts } = content;
  view.setUint8(HeaderField.quality, facts.quality);
  view.setUint8(HeaderField.made, content.made);
  const short: [number, number][] = [
    [HeaderField.version, SYMBOL_FILE_VERSION],
    [HeaderField.elfType, content.elfType],
    [HeaderField.machine, content.machine],
  ];
  for (const [at, value] of short) view.setUint16(at, value, true);
  const long: [number, number][] = [
    [HeaderField.magic, SYMBOL_FILE_MAGIC],
    [HeaderField.pageBytes, PAGE_BYTES],
    [HeaderField.segments, counts.segments],
    [HeaderField.ranges, counts.ranges],
    [HeaderField.recordBytes, counts.recordBytes],
    [HeaderField.texts, counts.texts],
    [HeaderField.textBytes, counts.textBytes],
    [HeaderField.functions, facts.functions],
    [HeaderField.inlinedCalls, facts.inlinedCalls],
    [HeaderField.skipped, facts.skippedSymbols],
    [HeaderField.checksumsCrc, checksumsCrc],
    [HeaderField.buildIdLength, content.buildId.length],
  ];
  for (const [at, value] of long) view.setUint32(at, value, true);
  view.setFloat64(HeaderField.lineBytes, facts.lineBytes, true);
  view.setFloat64(HeaderField.namedBytes, facts.namedBytes, true);
  page.set(Buffer.from(content.buildId, 'latin1'), HeaderField.buildId);
  view.setUint32(HeaderField.headerCrc, crc32(page), true);
  return page;
}
