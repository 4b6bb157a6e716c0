/**
 * The places of everything in a symbol file (docs/formats.md section 4), from its counts alone, so
 * that no offset in it can be forged.
 */
export const SYMBOL_FILE_MAGIC = 0x0a_66_73_65; // "esf\n"
export const SYMBOL_FILE_VERSION = 1;
export const PAGE_BYTES = 4_096;

export const SEGMENT_BYTES = 40;
/** Ranges and functions: a power of two, so that none lies across two pages. */
export const RECORD_BYTES = 16;
export const RECORDS_PER_PAGE = PAGE_BYTES / RECORD_BYTES;
/** The function of a range that nothing covers. */
export const NO_FUNCTION = 0xffff_ffff;

/** Where in the header page each field is. */
export const HeaderField = {
  magic: 0,
  version: 4,
  flags: 6,
  pageBytes: 8,
  elfType: 12,
  machine: 14,
  segments: 16,
  ranges: 20,
  functions: 24,
  namesBytes: 28,
  skipped: 32,
  checksumsCrc: 36,
  headerCrc: 40,
  buildIdLength: 44,
  buildId: 48,
} as const;

export const SymbolFileFlag = { symtab: 1, dynsym: 2 } as const;

export interface SymbolFileCounts {
  segments: number;
  ranges: number;
  functions: number;
  namesBytes: number;
}

/** Byte offsets of the sections, each at a page's beginning, and the length of the file. */
export interface SymbolFileLayout {
  segments: number;
  /** First address of each page of ranges, 8 bytes each. */
  index: number;
  indexCount: number;
  ranges: number;
  functions: number;
  names: number;
  /** CRC-32 of each page from page 1 up to here, 4 bytes each. */
  checksums: number;
  checksumCount: number;
  end: number;
}

export function layOut(counts: SymbolFileCounts): SymbolFileLayout {
  const indexCount = Math.ceil(counts.ranges / RECORDS_PER_PAGE);
  const segments = PAGE_BYTES;
  const index = segments + wholePages(counts.segments * SEGMENT_BYTES);
  const ranges = index + wholePages(indexCount * 8);
  const functions = ranges + wholePages(counts.ranges * RECORD_BYTES);
  const names = functions + wholePages(counts.functions * RECORD_BYTES);
  const checksums = names + wholePages(counts.namesBytes);
  const checksumCount = checksums / PAGE_BYTES - 1;
  const end = checksums + checksumCount * 4;
  return {
    segments,
    index,
    indexCount,
    ranges,
    functions,
    names,
    checksums,
    checksumCount,
    end,
  };
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
