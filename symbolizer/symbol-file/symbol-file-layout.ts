/**
 * The places of everything in a symbol file (docs/formats.md section 4), from its counts alone, so
 * that no offset in it can be forged.
 */
export const SYMBOL_FILE_MAGIC = 0x0a_66_73_65; // "esf\n"
export const SYMBOL_FILE_VERSION = 2;
export const PAGE_BYTES = 4_096;

export const SEGMENT_BYTES = 40;
/** A power of two, so that no range lies across two pages. */
export const RANGE_BYTES = 16;
export const RANGES_PER_PAGE = PAGE_BYTES / RANGE_BYTES;
/** Name or record of a range that has none. */
export const NONE = 0xffff_ffff;

/** Where in the header page each field is. */
export const HeaderField = {
  magic: 0,
  version: 4,
  quality: 6,
  made: 7,
  pageBytes: 8,
  elfType: 12,
  machine: 14,
  segments: 16,
  ranges: 20,
  recordBytes: 24,
  texts: 28,
  textBytes: 32,
  functions: 36,
  inlinedCalls: 40,
  skipped: 44,
  lineBytes: 48,
  namedBytes: 56,
  checksumsCrc: 64,
  headerCrc: 68,
  buildIdLength: 72,
  buildId: 76,
} as const;

/**
 * What a symbol file was made from: bits of `made`. `damaged`: a part of that could not be read;
 * `incomplete`: it refers to files that were not there.
 */
export const MadeFrom = {
  symtab: 1,
  dynsym: 2,
  dwarf: 4,
  pclntab: 8,
  damaged: 16,
  incomplete: 32,
} as const;

export interface SymbolFileCounts {
  segments: number;
  ranges: number;
  recordBytes: number;
  texts: number;
  textBytes: number;
}

/** Byte offsets of the sections, each at a page's beginning, and the length of the file. */
export interface SymbolFileLayout {
  segments: number;
  /** First address of each page of ranges, 8 bytes each. */
  index: number;
  indexCount: number;
  ranges: number;
  records: number;
  /** Where each text begins, and where the last one ends: 4 bytes each. */
  textOffsets: number;
  texts: number;
  /** CRC-32 of each page from page 1 up to here, 4 bytes each. */
  checksums: number;
  checksumCount: number;
  end: number;
}

export function layOut(counts: SymbolFileCounts): SymbolFileLayout {
  const indexCount = Math.ceil(counts.ranges / RANGES_PER_PAGE);
  const segments = PAGE_BYTES;
  const index = segments + wholePages(counts.segments * SEGMENT_BYTES);
  const ranges = index + wholePages(indexCount * 8);
  const records = ranges + wholePages(counts.ranges * RANGE_BYTES);
  const textOffsets = records + wholePages(counts.recordBytes);
  const texts = textOffsets + wholePages((counts.texts + 1) * 4);
  const checksums = texts + wholePages(counts.textBytes);
  const checksumCount = checksums / PAGE_BYTES - 1;
  const end = checksums + checksumCount * 4;
  return {
    segments,
    index,
    indexCount,
    ranges,
    records,
    textOffsets,
    texts,
    checksums,
    checksumCount,
    end,
  };
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
