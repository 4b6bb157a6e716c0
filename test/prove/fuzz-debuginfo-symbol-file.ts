/** What a symbol file is, read as docs/formats.md section 4 has it and by no other code. */
import { crc32 } from 'node:zlib';
import { assert, EverflameError } from '../../profile/errors.ts';
import { openSymbolFile, type SymbolFile } from '../../symbolizer/symbol-file/symbol-file.ts';
import {
  HeaderField,
  layOut,
  NONE,
  PAGE_BYTES,
  RANGE_BYTES,
} from '../../symbolizer/symbol-file/symbol-file-layout.ts';
import { oneOf, type Random } from './fuzz-debuginfo-random.ts';

export interface RawRange {
  start: number;
  end: number;
  name: number;
  hasLines: boolean;
}

export interface RawSymbolFile {
  ranges: RawRange[];
  texts: Buffer[];
  functions: number;
  namedBytes: number;
  lineBytes: number;
}

/** Inlined calls around an address that a look-up may tell of, and the function itself. */
const MAX_LINES = 129;
/** What a damaged record can claim: a page of nodes inside each other. */
const MAX_DAMAGED_LINES = 2_000;
const ELSEWHERE = [0, 1, 0x1000, 0x400fff, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER];
/** Ranges of one file that are looked up. */
const MAX_LOOKED_UP = 150;

/** Asserts every promise of the layout. */
export function readRaw(bytes: Buffer): RawSymbolFile {
  const u32 = (at: number) => bytes.readUInt32LE(at);
  const counts = {
    segments: u32(HeaderField.segments),
    ranges: u32(HeaderField.ranges),
    recordBytes: u32(HeaderField.recordBytes),
    texts: u32(HeaderField.texts),
    textBytes: u32(HeaderField.textBytes),
  };
  const layout = layOut(counts);
  assert(bytes.length === layout.end, `${bytes.length} bytes, not ${layout.end}`);
  checkChecksums(bytes, layout.checksums);
  const ranges: RawRange[] = [];
  for (let i = 0; i < counts.ranges; i++) {
    const at = layout.ranges + i * RANGE_BYTES;
    const start = Number(bytes.readBigUInt64LE(at));
    const last = ranges.at(-1);
    assert(last === undefined || last.start < start, `range ${i} begins before the one before`);
    if (last !== undefined) last.end = start;
    const record = u32(at + 12);
    assert(record === NONE || record < counts.recordBytes, 'a record outside the records');
    ranges.push({ start, end: start, name: u32(at + 8), hasLines: record !== NONE });
  }
  assert(ranges.length === 0 || ranges.at(-1)?.name === NONE, 'the last range has a name');
  const texts: Buffer[] = [];
  for (let i = 0; i < counts.texts; i++) {
    const at = layout.textOffsets + i * 4;
    assert(u32(at) <= u32(at + 4) && u32(at + 4) <= counts.textBytes, `text ${i} is outside`);
    texts.push(bytes.subarray(layout.texts + u32(at), layout.texts + u32(at + 4)));
  }
  return {
    ranges,
    texts,
    functions: u32(HeaderField.functions),
    namedBytes: bytes.readDoubleLE(HeaderField.namedBytes),
    lineBytes: bytes.readDoubleLE(HeaderField.lineBytes),
  };
}

function checkChecksums(bytes: Buffer, checksums: number): void {
  for (let page = 1; page < checksums / PAGE_BYTES; page++) {
    const content = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    const expected = bytes.readUInt32LE(checksums + (page - 1) * 4);
    assert(crc32(content) === expected, `page ${page} differs from its checksum`);
  }
}

/** The header's figures are those of the ranges. */
export function checkCounts(raw: RawSymbolFile): void {
  const named = raw.ranges.filter(({ name }) => name !== NONE);
  const names = new Set(named.map(({ name }) => name));
  assert(names.size === raw.functions, `${names.size} functions, not ${raw.functions}`);
  const namedBytes = named.reduce((sum, { start, end }) => sum + end - start, 0);
  assert(namedBytes === raw.namedBytes, `${namedBytes} bytes with names, not ${raw.namedBytes}`);
  const withLines = named.filter(({ hasLines }) => hasLines);
  const mostBytes = withLines.reduce((sum, { start, end }) => sum + end - start, 0);
  assert(raw.lineBytes >= 0 && raw.lineBytes <= mostBytes, `${raw.lineBytes} bytes with lines`);
  for (const { name } of named) assert(name < raw.texts.length, 'a name that is not there');
}

/** Every range by its first byte, one inside and its last one. */
export function checkLookups(file: SymbolFile, raw: RawSymbolFile, random: Random): void {
  const step = Math.max(1, Math.floor(raw.ranges.length / MAX_LOOKED_UP));
  for (let i = 0; i < raw.ranges.length; i += step) {
    const { start, end, name } = raw.ranges[i] as RawRange;
    if (end === start) continue;
    for (const address of [start, start + random(Math.min(end - start, 2 ** 31)), end - 1]) {
      const found = file.lookup(address, 'elf');
      if (found.kind === 'unknown') {
        assert(found.reason !== 'damaged', `damaged at ${address}`);
        assert(name === NONE, `nothing at ${address}, which has a name`);
        continue;
      }
      assert(name !== NONE, `a name at ${address}, which has none`);
      const { lines } = found;
      assert(lines.length >= 1 && lines.length <= MAX_LINES, `${lines.length} lines`);
      const expected = (raw.texts[name] as Buffer).toString('utf8');
      assert(lines.at(-1)?.name === expected, `${lines.at(-1)?.name}, not ${expected}`);
      for (const { line } of lines) {
        assert(Number.isInteger(line) && line >= 0 && line < 2 ** 32, `line ${line} at ${address}`);
      }
    }
  }
  for (const address of ELSEWHERE) {
    for (const space of ['elf', 'file'] as const) {
      const found = file.lookup(address, space);
      assert(found.kind === 'symbol' || found.reason !== 'damaged', `damaged at ${address}`);
    }
  }
}

/** A copy that is wrong somewhere; for half of them the checksums say that it is right. */
export function damageSymbolFile(bytes: Buffer, random: Random): Buffer {
  const damaged = Buffer.from(bytes);
  const header = Object.values(HeaderField);
  for (let times = 1 + random(4); times > 0; times--) {
    const choice = random(3);
    const at = choice === 0 ? oneOf(random, header) + random(4) : random(damaged.length);
    const value = oneOf(random, [0, 1, 0x7f, 0x80, 0xff, random(256), random(256)]);
    if (random(4) === 0 && at + 4 <= damaged.length) damaged.writeUInt32LE(random(2 ** 32), at);
    else damaged.writeUInt8(value, at);
  }
  if (random(20) === 0) return damaged.subarray(0, random(damaged.length));
  if (random(2) === 0) resealSymbolFile(damaged);
  return damaged;
}

/** Makes all checksums right, as far as the header's own counts lie in the file. */
function resealSymbolFile(bytes: Buffer): void {
  const u32 = (at: number) => bytes.readUInt32LE(at);
  const { checksums, end } = layOut({
    segments: u32(HeaderField.segments),
    ranges: u32(HeaderField.ranges),
    recordBytes: u32(HeaderField.recordBytes),
    texts: u32(HeaderField.texts),
    textBytes: u32(HeaderField.textBytes),
  });
  if (end === bytes.length) {
    for (let page = 1; page < checksums / PAGE_BYTES; page++) {
      const content = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      bytes.writeUInt32LE(crc32(content), checksums + (page - 1) * 4);
    }
    bytes.writeUInt32LE(crc32(bytes.subarray(checksums)), HeaderField.checksumsCrc);
  }
  bytes.writeUInt32LE(0, HeaderField.headerCrc);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, PAGE_BYTES)), HeaderField.headerCrc);
}

/** True if it opens; whatever it then answers, it throws nothing. */
export function tryDamaged(path: string, addresses: readonly number[]): boolean {
  let file: SymbolFile;
  try {
    file = openSymbolFile(path);
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
  try {
    for (const address of [...addresses, ...ELSEWHERE]) {
      for (const space of ['elf', 'file'] as const) {
        const found = file.lookup(address, space);
        if (found.kind === 'unknown') continue;
        assert(found.lines.length <= MAX_DAMAGED_LINES, `${found.lines.length} lines`);
      }
    }
    return true;
  } finally {
    file.close();
  }
}
