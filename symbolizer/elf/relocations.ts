/**
 * Relocations of object files (ET_REL): what the linker would write into debug information. A place
 * in code is its file offset, because object files have no addresses.
 */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_ELF_SYMBOLS } from '../../profile/limits.ts';
import { checkSectionSize } from './compressed-section.ts';
import { Machine, SectionFlag, SectionType } from './elf.ts';
import type { ElfFile } from './elf-file.ts';
import { readExtendedSections, sectionNumberOf } from './symbol-sections.ts';

/**
 * A relocation's width in bytes; negative where it is relative to its own place, 0 where nobody
 * reads what it says: the places of variables of a thread.
 */
const WIDTHS = new Map<number, ReadonlyMap<number, number>>([
  [
    Machine.x86_64,
    new Map([
      [1, 8], // R_X86_64_64
      [2, -4], // R_X86_64_PC32
      [10, 4], // R_X86_64_32
      [11, 4], // R_X86_64_32S
      [17, 0], // R_X86_64_DTPOFF64
      [21, 0], // R_X86_64_DTPOFF32
      [24, -8], // R_X86_64_PC64
    ]),
  ],
  [
    Machine.aarch64,
    new Map([
      [257, 8], // R_AARCH64_ABS64
      [258, 4], // R_AARCH64_ABS32
      [260, -8], // R_AARCH64_PREL64
      [261, -4], // R_AARCH64_PREL32
      [1029, 0], // R_AARCH64_TLS_DTPREL
    ]),
  ],
  [
    Machine.i386,
    new Map([
      [1, 4], // R_386_32
      [2, -4], // R_386_PC32
      [32, 0], // R_386_TLS_LDO_32
    ]),
  ],
]);

const SLICE_ENTRIES = 65_536;

/** Values of a symbol table's symbols, by their number. */
export class SymbolValues {
  readonly #elf: ElfFile;
  #table = -1;
  #values = new Float64Array(0);

  constructor(elf: ElfFile) {
    this.#elf = elf;
  }

  /** Of the symbol table that is section number `table`; the last one asked for is kept. */
  of(table: number): Float64Array {
    if (table === this.#table) return this.#values;
    const { sections, header, source } = this.#elf;
    const section = sections[table];
    const entrySize = header.is64 ? 24 : 16;
    const count = section?.type === SectionType.symtab ? Math.floor(section.size / entrySize) : 0;
    if (count > MAX_ELF_SYMBOLS) {
      throw new EverflameError('too-large', `the file has ${count} symbols`, {
        field: 'file',
        limit: `MAX_ELF_SYMBOLS = ${MAX_ELF_SYMBOLS}`,
      });
    }
    const bytes = section === undefined ? null : source.read(section.offset, count * entrySize);
    this.#values = new Float64Array(count);
    this.#table = table;
    if (bytes === null) return this.#values;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const extended = readExtendedSections(source, sections, table, count);
    for (let i = 0; i < count; i++) {
      const at = i * entrySize;
      const shndx = view.getUint16(at + (header.is64 ? 6 : 14), true);
      const number = sectionNumberOf(shndx, extended, i);
      const place = number === 0 ? undefined : sections[number];
      const isCode = place !== undefined && (place.flags & SectionFlag.exec) !== 0;
      const value = header.is64 ? readWord(view, at + 8) : view.getUint32(at + 4, true);
      this.#values[i] = value + (isCode ? place.offset : 0);
    }
    return this.#values;
  }
}

/** Applies a section's relocations to its bytes, in place; returns how many were not understood. */
export function relocate(
  elf: ElfFile,
  sectionNumber: number,
  bytes: Uint8Array,
  symbols: SymbolValues,
): number {
  const widths = WIDTHS.get(elf.header.machine);
  const section = elf.sections.find(
    ({ type, info }) =>
      info === sectionNumber && (type === SectionType.rela || type === SectionType.rel),
  );
  if (widths === undefined || section === undefined) return 0;
  checkSectionSize('a section of relocations', section.size);
  const { is64 } = elf.header;
  const hasAddends = section.type === SectionType.rela;
  const wordSize = is64 ? 8 : 4;
  const entrySize = wordSize * (hasAddends ? 3 : 2);
  const values = symbols.of(section.link);
  const target = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(section.size / entrySize);
  let unknown = 0;
  for (let first = 0; first < count; first += SLICE_ENTRIES) {
    const length = Math.min(SLICE_ENTRIES, count - first) * entrySize;
    const slice = elf.source.read(section.offset + first * entrySize, length);
    const view = new DataView(slice.buffer, slice.byteOffset, slice.byteLength);
    for (let at = 0; at < length; at += entrySize) {
      const offset = is64 ? readWord(view, at) : view.getUint32(at, true);
      // r_info: symbol and type, 32 bits each, or 24 and 8.
      const info = view.getUint32(at + wordSize, true);
      const type = is64 ? info : info & 0xff;
      const symbol = is64 ? view.getUint32(at + 12, true) : info >>> 8;
      const known = widths.get(type);
      const width = known ?? 0;
      const end = offset + Math.abs(width);
      if (width === 0 || end > bytes.length || symbol >= values.length) {
        if (type !== 0 && (known !== 0 || end > bytes.length)) unknown++;
        continue;
      }
      const addend = hasAddends
        ? readSigned(view, at + wordSize * 2, wordSize)
        : readSigned(target, offset, Math.abs(width));
      const place = width < 0 ? offset : 0;
      writeWord(target, offset, Math.abs(width), (values[symbol] as number) + addend - place);
    }
  }
  return unknown;
}

/** Not exact above 2^53, where no file has a place. */
function readWord(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function readSigned(view: DataView, at: number, size: number): number {
  if (size === 4) return view.getInt32(at, true);
  return view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function writeWord(view: DataView, at: number, size: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  if (size === 8) view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
