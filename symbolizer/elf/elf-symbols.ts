/**
 * The code symbols of an ELF file's .symtab and .dynsym as columns. Which of them names an address
 * is decided in symbol-ranges.ts.
 */
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_ELF_SYMBOLS,
  MAX_FUNCTIONS_PER_FILE,
  MAX_STRING_BYTES,
  MAX_STRING_TABLE_BYTES,
} from '../../profile/limits.ts';
import { ByteReader, type ByteSource, truncated } from './byte-reader.ts';
import { type ElfHeader, type ElfSection, ElfType, SectionFlag, SectionType } from './elf.ts';
import type { ElfFile } from './elf-file.ts';
import { type ExtendedSections, readExtendedSections, sectionNumberOf } from './symbol-sections.ts';

const SymbolType = { none: 0, func: 2, ifunc: 10 } as const;
const Binding = { local: 0, weak: 2 } as const;

const SLICE_SYMBOLS = 65_536;
/**
 * Bytes of names that are read, per byte of a symbol table and its strings. Names share their ends,
 * but those of real programs stay below 1; forged ones could all be the longest there is.
 */
const NAME_BYTES_PER_BYTE = 16;

/** One row per symbol that may name code. */
export interface CodeSymbols {
  count: number;
  start: Float64Array;
  /** As the file says; 0 = unknown. */
  size: Float64Array;
  /** Where the symbol's section ends. */
  sectionEnd: Float64Array;
  /** Row of `tables` and the name's place in it. */
  table: Uint8Array;
  nameOffset: Uint32Array;
  nameLength: Uint32Array;
  /** The greater, the better the name, before the names themselves are compared; 0 = NOTYPE. */
  rank: Uint8Array;
  tables: Uint8Array[];
  /** Whether .symtab and .dynsym had any. */
  fromSymtab: boolean;
  fromDynsym: boolean;
  /** Symbols of code that no name or no address can be read for. */
  skipped: number;
}

/** Bounded by the file's own size: a symbol needs 16 or 24 bytes of it. */
export function readCodeSymbols(
  source: ByteSource,
  header: ElfHeader,
  sections: readonly ElfSection[],
): CodeSymbols {
  const collector = new Collector(source, header, sections);
  const fromSymtab = collector.readTable(SectionType.symtab);
  const fromDynsym = collector.readTable(SectionType.dynsym);
  return { ...collector.columns, fromSymtab, fromDynsym };
}

/** Those of one of the two tables. */
export function readSymbolTable(
  { source, header, sections }: Pick<ElfFile, 'source' | 'header' | 'sections'>,
  type: typeof SectionType.symtab | typeof SectionType.dynsym,
): CodeSymbols {
  const collector = new Collector(source, header, sections);
  const found = collector.readTable(type);
  const fromSymtab = found && type === SectionType.symtab;
  return { ...collector.columns, fromSymtab, fromDynsym: found && !fromSymtab };
}

class Collector {
  readonly columns: CodeSymbols = emptyColumns();
  readonly #source: ByteSource;
  readonly #header: ElfHeader;
  readonly #sections: readonly ElfSection[];
  #nameBudget = 0;

  constructor(source: ByteSource, header: ElfHeader, sections: readonly ElfSection[]) {
    this.#source = source;
    this.#header = header;
    this.#sections = sections;
  }

  /** Adds the first table of a type; true if any of its symbols is code. */
  readTable(type: number): boolean {
    const section = this.#sections.find((candidate) => candidate.type === type);
    const strings = section === undefined ? undefined : this.#sections[section.link];
    if (section === undefined || strings?.type !== SectionType.strtab) return false;
    const entrySize = this.#header.is64 ? 24 : 16;
    if (section.entrySize !== entrySize) {
      throw truncated(`symbols of ${section.entrySize} bytes, not ${entrySize}`, section.offset);
    }
    const count = Math.floor(section.size / entrySize);
    checkLimit('symbols', count, 'MAX_ELF_SYMBOLS', MAX_ELF_SYMBOLS);
    const { size } = strings;
    checkLimit('bytes of names', size, 'MAX_STRING_TABLE_BYTES', MAX_STRING_TABLE_BYTES);
    this.#nameBudget = (section.size + size) * NAME_BYTES_PER_BYTE;
    const before = this.columns.count;
    const table = this.columns.tables.push(this.#source.read(strings.offset, size)) - 1;
    const number = this.#sections.indexOf(section);
    const extended = readExtendedSections(this.#source, this.#sections, number, count);
    for (let first = 0; first < count; first += SLICE_SYMBOLS) {
      const length = Math.min(SLICE_SYMBOLS, count - first);
      const bytes = this.#source.read(section.offset + first * entrySize, length * entrySize);
      const reader = new ByteReader(bytes);
      for (let i = 0; i < length; i++) this.#readSymbol(reader, table, extended, first + i);
    }
    return this.columns.count > before;
  }

  #readSymbol(reader: ByteReader, table: number, extended: ExtendedSections, row: number): void {
    const { is64 } = this.#header;
    const at = reader.position;
    reader.skip(is64 ? 4 : 12);
    const info = reader.u8();
    reader.skip(1); // visibility
    const shndx = reader.u16();
    const type = info & 0xf;
    if (type === SymbolType.func || type === SymbolType.none || type === SymbolType.ifunc) {
      const sectionNumber = sectionNumberOf(shndx, extended, row);
      const section = sectionNumber === 0 ? undefined : this.#sections[sectionNumber];
      const isCode = section !== undefined && (section.flags & SectionFlag.exec) !== 0;
      if (isCode) this.#add(reader, at, table, section, rankOf(type, info >>> 4));
    }
    reader.position = at + (is64 ? 24 : 16);
  }

  #add(reader: ByteReader, at: number, table: number, section: ElfSection, rank: number): void {
    const { is64, type } = this.#header;
    reader.position = at;
    const nameOffset = reader.u32();
    reader.skip(is64 ? 4 : 0);
    const fields = addressFields(reader, is64);
    const names = this.columns.tables[table] as Uint8Array;
    const end = this.#nameEnd(names, nameOffset);
    if (fields === null || end < 0) {
      this.columns.skipped++;
      return;
    }
    const nameLength = unversionedLength(names, nameOffset, end);
    const [value, size] = fields;
    // Object files have no addresses: a symbol's value is relative to its section. Their symbols
    // are placed where the bytes lie in the file.
    const base = type === ElfType.rel ? section.offset : section.address;
    const start = type === ElfType.rel ? base + value : value;
    if (nameLength === 0 || (rank === 0 && isMarker(names, nameOffset, nameLength))) return;
    const sectionEnd = Math.min(base + section.size, Number.MAX_SAFE_INTEGER);
    // Linkers mark places outside of a section by labels; a function there is forged.
    if (start < base || start >= sectionEnd) this.columns.skipped += rank > 0 && size > 0 ? 1 : 0;
    else {
      const length = Math.min(size, sectionEnd - start);
      this.#push(start, length, sectionEnd, table, nameOffset, nameLength, rank);
    }
  }

  /** Where a name ends, at most MAX_STRING_BYTES on; -1 where it does not, or costs too much. */
  #nameEnd(names: Uint8Array, start: number): number {
    const limit = Math.min(names.length, start + Math.min(MAX_STRING_BYTES, this.#nameBudget));
    let end = start;
    while (end < limit && names[end] !== 0) end++;
    this.#nameBudget -= end - start;
    return end < names.length && this.#nameBudget > 0 ? end : -1;
  }

  #push(
    start: number,
    size: number,
    sectionEnd: number,
    table: number,
    nameOffset: number,
    nameLength: number,
    rank: number,
  ): void {
    const { columns } = this;
    if (columns.count === columns.start.length) growColumns(columns);
    const row = columns.count++;
    columns.start[row] = start;
    columns.size[row] = size;
    columns.sectionEnd[row] = sectionEnd;
    columns.table[row] = table;
    columns.nameOffset[row] = nameOffset;
    columns.nameLength[row] = nameLength;
    columns.rank[row] = rank;
  }
}

/** Value and size; null where they are above 2^53, as no code in a file is. */
function addressFields(reader: ByteReader, is64: boolean): [number, number] | null {
  if (!is64) return [reader.u32(), reader.u32()];
  const valueLow = reader.u32();
  const valueHigh = reader.u32();
  const sizeLow = reader.u32();
  const sizeHigh = reader.u32();
  if (valueHigh >= 2 ** 21 || sizeHigh >= 2 ** 21) return null;
  return [valueHigh * 2 ** 32 + valueLow, sizeHigh * 2 ** 32 + sizeLow];
}

/** A function before an IFUNC (whose address is its resolver's); then global, weak, local. */
function rankOf(type: number, binding: number): number {
  if (type === SymbolType.none) return 0;
  const strength = binding === Binding.local ? 1 : binding === Binding.weak ? 2 : 3;
  return type === SymbolType.func ? 3 + strength : strength;
}

/** Labels that are no names: arm64's and RISC-V's `$x`, `$d.1`, and the assembler's own `.L`. */
function isMarker(names: Uint8Array, offset: number, length: number): boolean {
  const dollar = names[offset] === 0x24;
  return dollar || (length > 1 && names[offset] === 0x2e && names[offset + 1] === 0x4c);
}

/** Old linkers write `name@@GLIBC_2.34`: the version is cut off. */
function unversionedLength(names: Uint8Array, start: number, end: number): number {
  let at = end - 1;
  while (at > start && isVersionByte(names[at] as number)) at--;
  const isVersion = names[at] === 0x40 && at < end - 1;
  if (!isVersion || at === start) return end - start;
  const length = (names[at - 1] === 0x40 ? at - 1 : at) - start;
  return length > 0 ? length : end - start;
}

function isVersionByte(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  return isDigit || isLetter || byte === 0x5f || byte === 0x2e;
}

function emptyColumns(): CodeSymbols {
  return {
    count: 0,
    start: new Float64Array(1024),
    size: new Float64Array(1024),
    sectionEnd: new Float64Array(1024),
    table: new Uint8Array(1024),
    nameOffset: new Uint32Array(1024),
    nameLength: new Uint32Array(1024),
    rank: new Uint8Array(1024),
    tables: [],
    fromSymtab: false,
    fromDynsym: false,
    skipped: 0,
  };
}

function growColumns(columns: CodeSymbols): void {
  const length = columns.start.length * 2;
  checkLimit('functions', columns.count + 1, 'MAX_FUNCTIONS_PER_FILE', MAX_FUNCTIONS_PER_FILE);
  const { start, size, sectionEnd, table, nameOffset, nameLength, rank } = columns;
  columns.start = new Float64Array(length);
  columns.start.set(start);
  columns.size = new Float64Array(length);
  columns.size.set(size);
  columns.sectionEnd = new Float64Array(length);
  columns.sectionEnd.set(sectionEnd);
  columns.table = new Uint8Array(length);
  columns.table.set(table);
  columns.nameOffset = new Uint32Array(length);
  columns.nameOffset.set(nameOffset);
  columns.nameLength = new Uint32Array(length);
  columns.nameLength.set(nameLength);
  columns.rank = new Uint8Array(length);
  columns.rank.set(rank);
}

function checkLimit(what: string, count: number, name: string, limit: number): void {
  if (count <= limit) return;
  throw new EverflameError('too-large', `the file has ${count} ${what}`, {
    field: 'file',
    limit: `${name} = ${limit}`,
    remedy: 'Strip local symbols (strip -x).',
  });
}
