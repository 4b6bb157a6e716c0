/**
 * Look-ups in a symbol file (docs/formats.md section 4): the functions, inlined ones first, and
 * lines at an address. Reads the header and the small tables once, then single pages.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_ELF_SEGMENTS,
  MAX_STRING_BYTES,
  MAX_SYMBOL_ANSWER_BYTES,
  MAX_SYMBOL_NAMES_BYTES,
  MAX_SYMBOL_PAGES,
  MAX_SYMBOL_RECORD_BYTES,
} from '../../profile/limits.ts';
import type { BuildId, ElfAddress, FileOffset } from '../../profile/units.ts';
import { isBuildId } from '../elf/build-id.ts';
import { type LoadSegment, SEGMENT_EXEC } from '../elf/elf.ts';
import { AnswerBudget, type AnswerCache } from './answer-cache.ts';
import { DamagedRecord, RecordDecoder } from './line-record.ts';
import { DamagedPage, PagePool, type PooledFile } from './page-pool.ts';
import {
  HeaderField,
  layOut,
  MadeFrom,
  NONE,
  PAGE_BYTES,
  RANGE_BYTES,
  RANGES_PER_PAGE,
  SEGMENT_BYTES,
  SYMBOL_FILE_MAGIC,
  SYMBOL_FILE_VERSION,
  type SymbolFileLayout,
} from './symbol-file-layout.ts';
import { type SymbolFacts, SymbolQuality } from './symbol-quality.ts';

export type UnknownSymbolReason =
  /** The file has no symbols of code at all. */
  | 'no-symbols'
  /** The file offset is in none of the file's segments. */
  | 'unmapped'
  /** It is not told which file offset has which address: see `segments`. */
  | 'no-offsets'
  /** No symbol covers the address. */
  | 'not-covered'
  /** The same, where only exported functions have names. */
  | 'stripped'
  /** The same, where a part of what names functions could not be read. */
  | 'source-damaged'
  /** The same, where a file that names functions (dwz, .dwo) was not there. */
  | 'source-incomplete'
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
  /** Whether every page is as it was written. Reads all of the file. */
  isWhole(): boolean;
  close(): void;
}

const RANGE_WORDS = RANGE_BYTES / 4;

/** Of this thread: look-ups are synchronous, so all files share them. */
const POOL = new PagePool(MAX_SYMBOL_PAGES);
const ANSWERS = new AnswerBudget(MAX_SYMBOL_ANSWER_BYTES);
const DECODER = new RecordDecoder();

const UNMAPPED: SymbolLookup = { kind: 'unknown', reason: 'unmapped' };
const NO_OFFSETS: SymbolLookup = { kind: 'unknown', reason: 'no-offsets' };
const DAMAGED: SymbolLookup = { kind: 'unknown', reason: 'damaged' };

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

/** Throws as `openSymbolFile`, of the header and the file's length alone: one page is read. */
export function checkSymbolFile(path: string): void {
  const fd = openSync(path, 'r');
  try {
    readHeader(fd, path);
  } finally {
    closeSync(fd);
  }
}

class PagedSymbolFile implements SymbolFile {
  readonly buildId: BuildId;
  readonly quality: SymbolQuality;
  readonly functions: number;
  readonly inlinedCalls: number;
  readonly lineBytes: number;
  readonly namedBytes: number;
  readonly skippedSymbols: number;
  readonly segments: readonly LoadSegment[];
  readonly #ranges: number;
  readonly #recordBytes: number;
  readonly #texts: number;
  readonly #textBytes: number;
  readonly #layout: SymbolFileLayout;
  readonly #index: Float64Array;
  readonly #file: PooledFile;
  readonly #answers: AnswerCache;
  /** Of an address that no function covers. */
  readonly #notCovered: SymbolLookup;

  constructor(fd: number, path: string) {
    const { view, buildId, quality, layout } = readHeader(fd, path);
    this.buildId = buildId;
    this.quality = quality;
    this.functions = view.getUint32(HeaderField.functions, true);
    this.inlinedCalls = view.getUint32(HeaderField.inlinedCalls, true);
    this.lineBytes = view.getFloat64(HeaderField.lineBytes, true);
    this.namedBytes = view.getFloat64(HeaderField.namedBytes, true);
    this.skippedSymbols = view.getUint32(HeaderField.skipped, true);
    this.#ranges = view.getUint32(HeaderField.ranges, true);
    this.#recordBytes = view.getUint32(HeaderField.recordBytes, true);
    this.#texts = view.getUint32(HeaderField.texts, true);
    this.#textBytes = view.getUint32(HeaderField.textBytes, true);
    this.#layout = layout;
    const expected = view.getUint32(HeaderField.checksumsCrc, true);
    const checksums = readChecksums(fd, path, layout, expected);
    this.#file = { fd, checksums, slots: new Int32Array(checksums.length) };
    this.segments = this.#readSegments(view.getUint32(HeaderField.segments, true));
    this.#index = new Float64Array(layout.indexCount);
    for (let i = 0; i < this.#index.length; i++) this.#index[i] = this.#u64(layout.index + i * 8);
    this.#answers = ANSWERS.newCache();
    const reason = whyNotCovered(this, view.getUint8(HeaderField.made));
    this.#notCovered = { kind: 'unknown', reason };
  }

  lookup(address: number, space: 'elf' | 'file'): SymbolLookup {
    const elf = space === 'elf' ? address : this.elfAddress(address as FileOffset);
    if (elf === null) return this.segments.length === 0 ? NO_OFFSETS : UNMAPPED;
    const known = this.#answers.answer(elf);
    if (known !== null) return known;
    if (this.functions === 0) return this.#notCovered;
    try {
      const answer = this.#find(elf);
      this.#answers.keepAnswer(elf, answer);
      return answer;
    } catch (error) {
      // Told as such: the caller shows the reason, and a conversion replaces the file.
      if (error instanceof DamagedPage || error instanceof DamagedRecord) return DAMAGED;
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

  isWhole(): boolean {
    try {
      for (let page = 1; page < this.#file.checksums.length; page++) {
        POOL.bytesOf(this.#file, page);
      }
      return true;
    } catch (error) {
      if (error instanceof DamagedPage) return false;
      throw error;
    }
  }

  close(): void {
    POOL.release(this.#file);
    this.#answers.close();
    closeSync(this.#file.fd);
  }

  #find(address: number): SymbolLookup {
    const page = this.#pageOf(address);
    if (page < 0) return this.#notCovered;
    const at = POOL.wordsOf(this.#file, this.#layout.ranges / PAGE_BYTES + page);
    const { words } = POOL;
    let begin = 0;
    let end = Math.min(RANGES_PER_PAGE, this.#ranges - page * RANGES_PER_PAGE);
    while (begin < end) {
      const middle = (begin + end) >>> 1;
      const word = at + middle * RANGE_WORDS;
      const start = (words[word + 1] as number) * 2 ** 32 + (words[word] as number);
      if (start <= address) begin = middle + 1;
      else end = middle;
    }
    if (begin === 0) return this.#notCovered;
    const word = at + (begin - 1) * RANGE_WORDS;
    const name = words[word + 2] as number;
    const record = words[word + 3] as number;
    if (name === NONE) return this.#notCovered;
    const start = (words[word + 1] as number) * 2 ** 32 + (words[word] as number);
    if (record === NONE) {
      return { kind: 'symbol', lines: [{ name: this.#text(name + 1), file: '', line: 0 }] };
    }
    this.#readRecord(record, address - start);
    return { kind: 'symbol', lines: this.#lines(name + 1) };
  }

  /** The last page of ranges that does not begin above `address`, or -1. */
  #pageOf(address: number): number {
    const index = this.#index;
    let begin = 0;
    let end = index.length;
    while (begin < end) {
      const middle = (begin + end) >>> 1;
      if ((index[middle] as number) <= address) begin = middle + 1;
      else end = middle;
    }
    return begin - 1;
  }

  #readRecord(offset: number, address: number): void {
    if (offset >= this.#recordBytes) throw new DamagedPage('a record outside the records');
    const within = offset % PAGE_BYTES;
    const page = (this.#layout.records + offset - within) / PAGE_BYTES;
    const at = POOL.bytesOf(this.#file, page);
    DECODER.begin(POOL.bytes, at + within, at + PAGE_BYTES);
    DECODER.seek(address);
  }

  /** The inlined calls around the decoder's row, innermost first, then the function `name`. */
  #lines(name: number): SymbolLine[] {
    let { node, file, line } = DECODER;
    if (node === 0) return [{ name: this.#text(name), file: this.#text(file), line }];
    const lines: SymbolLine[] = new Array(DECODER.depth() + 1);
    for (let i = 0; i < lines.length; i++) {
      const text = node === 0 ? name : (DECODER.nodeName[node] as number);
      lines[i] = { name: this.#text(text), file: this.#text(file), line };
      file = DECODER.nodeCallFile[node] as number;
      line = DECODER.nodeCallLine[node] as number;
      node = DECODER.nodeParent[node] as number;
    }
    return lines;
  }

  /** `number` is 1 + the text's; 0 = none. */
  #text(number: number): string {
    if (number === 0) return '';
    let text = this.#answers.text(number);
    if (text === undefined) {
      text = this.#readText(number - 1);
      this.#answers.keepText(number, text);
    }
    return text;
  }

  #readText(number: number): string {
    if (number < 0 || number >= this.#texts) throw new DamagedPage('a text that is not there');
    const begin = this.#u32(this.#layout.textOffsets + number * 4);
    const end = this.#u32(this.#layout.textOffsets + number * 4 + 4);
    const length = end - begin;
    if (length < 0 || length > MAX_STRING_BYTES || end > this.#textBytes) {
      throw new DamagedPage('a text outside the texts');
    }
    const position = this.#layout.texts + begin;
    const first = position % PAGE_BYTES;
    if (first + length <= PAGE_BYTES) {
      const page = POOL.bytesOf(this.#file, (position - first) / PAGE_BYTES);
      return POOL.bytes.toString('utf8', page + first, page + first + length);
    }
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const within = (position + at) % PAGE_BYTES;
      const page = POOL.bytesOf(this.#file, (position + at - within) / PAGE_BYTES);
      const part = Math.min(length - at, PAGE_BYTES - within);
      bytes.set(POOL.bytes.subarray(page + within, page + within + part), at);
      at += part;
    }
    return bytes.toString('utf8');
  }

  #u32(position: number): number {
    const within = position % PAGE_BYTES;
    const page = POOL.wordsOf(this.#file, (position - within) / PAGE_BYTES);
    return POOL.words[page + within / 4] as number;
  }

  #u64(position: number): number {
    return this.#u32(position + 4) * 2 ** 32 + this.#u32(position);
  }

  #readSegments(count: number): LoadSegment[] {
    const segments: LoadSegment[] = [];
    for (let i = 0; i < count; i++) {
      const at = this.#layout.segments + i * SEGMENT_BYTES;
      segments.push({
        offset: this.#u64(at),
        fileSize: this.#u64(at + 8),
        vaddr: this.#u64(at + 16),
        memSize: this.#u64(at + 24),
        flags: this.#u32(at + 32),
      });
    }
    return segments;
  }
}

function whyNotCovered(
  { quality, functions }: Pick<SymbolFacts, 'quality' | 'functions'>,
  made: number,
): UnknownSymbolReason {
  if ((made & MadeFrom.damaged) !== 0) return 'source-damaged';
  if ((made & MadeFrom.incomplete) !== 0) return 'source-incomplete';
  if (functions === 0) return 'no-symbols';
  return quality === SymbolQuality.exported ? 'stripped' : 'not-covered';
}

interface Header {
  view: DataView;
  buildId: BuildId;
  quality: SymbolQuality;
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
    recordBytes: view.getUint32(HeaderField.recordBytes, true),
    texts: view.getUint32(HeaderField.texts, true),
    textBytes: view.getUint32(HeaderField.textBytes, true),
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
    counts.segments <= MAX_ELF_SEGMENTS &&
    counts.textBytes <= MAX_SYMBOL_NAMES_BYTES &&
    counts.recordBytes <= MAX_SYMBOL_RECORD_BYTES;
  const quality = view.getUint8(HeaderField.quality);
  if (size !== layout.end || !bounded || !isBuildId(buildId) || !isQuality(quality)) {
    throw damaged(path, `${size} bytes, where its header says ${layout.end}`);
  }
  return { view, buildId, quality, layout };
}

function isQuality(value: number): value is SymbolQuality {
  return value <= SymbolQuality.lines;
}

/** By page; page 0 has its own in the header. */
function readChecksums(
  fd: number,
  path: string,
  layout: SymbolFileLayout,
  expected: number,
): Uint32Array {
  const bytes = readExactly(fd, layout.checksums, layout.checksumCount * 4);
  if (crc32(bytes) !== expected) {
    throw damaged(path, 'the table of checksums differs from its checksum');
  }
  const checksums = new Uint32Array(layout.checksumCount + 1);
  new Uint8Array(checksums.buffer).set(bytes, 4);
  return checksums;
}

function damaged(path: string, what: string): EverflameError {
  return new EverflameError('invalid', `${path}: ${what}`, {
    field: 'symbol file',
    remedy: 'Upload the binary again.',
  });
}

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
