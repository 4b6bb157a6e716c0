/**
 * Names of the stubs through which a file calls functions of others: `malloc@plt`. No symbol
 * table has them; they follow from the relocation of the slot that a stub jumps by.
 */
import {
  MAX_PLT_BYTES,
  MAX_PLT_NAMES_BYTES,
  MAX_STRING_BYTES,
  MAX_STRING_TABLE_BYTES,
} from '../../profile/limits.ts';
import type { ByteSource } from './byte-reader.ts';
import { type ElfSection, Machine, SectionFlag, SectionType } from './elf.ts';
import type { ElfFile } from './elf-file.ts';
import type { CodeSymbols } from './elf-symbols.ts';
import { decodeArmStubs, decodeX86Stubs } from './plt-stubs.ts';

const STUB_SECTIONS = new Set(['.plt', '.plt.sec', '.plt.got']);
const RELOCATION_SECTIONS = ['.rela.plt', '.rela.dyn'];
/** Relocations that put a function's address into a slot: JUMP_SLOT and GLOB_DAT. */
const SLOT_TYPES = new Map<number, readonly number[]>([
  [Machine.x86_64, [7, 6]],
  [Machine.aarch64, [1026, 1025]],
]);
const SUFFIX = Buffer.from('@plt');
const RELA_BYTES = 24;
const SYMBOL_BYTES = 24;
const SLICE_ENTRIES = 16_384;

/** A stub with its place and, once its relocation is found, the number of its symbol. */
interface NamedStub {
  start: number;
  size: number;
  sectionEnd: number;
  symbol: number;
}

/** Stubs as symbols of the lowest rank; none on machines other than x86-64 and arm64. */
export function readPltSymbols(elf: ElfFile): CodeSymbols {
  const stubs = findStubs(elf);
  const names = new NameTable();
  const rows: NamedStub[] = [];
  let skipped = 0;
  if (stubs.size > 0) {
    const symbolTable = nameSlots(elf, stubs);
    const dynamic = openSymbolNames(elf, symbolTable);
    for (const stub of stubs.values()) {
      if (stub.symbol === 0 || dynamic === null) continue;
      if (names.add(dynamic, stub.symbol)) rows.push(stub);
      else skipped++;
    }
  }
  return {
    count: rows.length,
    start: Float64Array.from(rows, ({ start }) => start),
    size: Float64Array.from(rows, ({ size }) => size),
    sectionEnd: Float64Array.from(rows, ({ sectionEnd }) => sectionEnd),
    table: new Uint8Array(rows.length),
    nameOffset: Uint32Array.from(names.offsets),
    nameLength: Uint32Array.from(names.lengths),
    rank: new Uint8Array(rows.length),
    tables: [names.bytes()],
    fromSymtab: false,
    fromDynsym: false,
    skipped,
  };
}

/** All stubs by the slot that they jump by; of two that jump by the same one, the last. */
function findStubs(elf: ElfFile): Map<number, NamedStub> {
  const { header, sections, names, source } = elf;
  const stubs = new Map<number, NamedStub>();
  if (!SLOT_TYPES.has(header.machine) || !header.is64) return stubs;
  const decode = header.machine === Machine.x86_64 ? decodeX86Stubs : decodeArmStubs;
  let budgetBytes = MAX_PLT_BYTES;
  sections.forEach((section, number) => {
    const { type, flags, address, offset, size } = section;
    if (!STUB_SECTIONS.has(names[number] ?? '') || type === SectionType.nobits) return;
    if ((flags & SectionFlag.exec) === 0) return;
    budgetBytes -= size;
    if (budgetBytes < 0) return;
    for (const { start, end, slot } of decode(source.read(offset, size), address)) {
      const place = { start: address + start, size: end - start, sectionEnd: address + size };
      stubs.set(slot, { ...place, symbol: 0 });
    }
  });
  return stubs;
}

/** Gives the stubs the symbols of their slots; returns the number of the symbols' table. */
function nameSlots(elf: ElfFile, stubs: ReadonlyMap<number, NamedStub>): number {
  const types = SLOT_TYPES.get(elf.header.machine) ?? [];
  let symbolTable = 0;
  for (const name of RELOCATION_SECTIONS) {
    const section = elf.section(name);
    if (section?.type !== SectionType.rela || section.link === 0) continue;
    symbolTable = section.link;
    const count = Math.floor(section.size / RELA_BYTES);
    for (let first = 0; first < count; first += SLICE_ENTRIES) {
      const length = Math.min(SLICE_ENTRIES, count - first) * RELA_BYTES;
      const view = viewOf(elf.source, section.offset + first * RELA_BYTES, length);
      for (let at = 0; at < length; at += RELA_BYTES) {
        if (!types.includes(view.getUint32(at + 8, true))) continue;
        const slot = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
        const stub = stubs.get(slot);
        if (stub !== undefined) stub.symbol = view.getUint32(at + 12, true);
      }
    }
  }
  return symbolTable;
}

function viewOf(source: ByteSource, offset: number, length: number): DataView {
  const bytes = source.read(offset, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface SymbolNames {
  source: ByteSource;
  table: ElfSection;
  strings: Uint8Array;
}

function openSymbolNames(elf: ElfFile, number: number): SymbolNames | null {
  const table = elf.sections[number];
  const strings = table === undefined ? undefined : elf.sections[table.link];
  if (table?.type !== SectionType.dynsym || strings?.type !== SectionType.strtab) return null;
  if (strings.size > MAX_STRING_TABLE_BYTES) return null;
  return { source: elf.source, table, strings: elf.source.read(strings.offset, strings.size) };
}

/** The names with their suffix, one after the other. */
class NameTable {
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** False where the symbol has no name that can be read, or all names are too long together. */
  add({ source, table, strings }: SymbolNames, symbol: number): boolean {
    if ((symbol + 1) * SYMBOL_BYTES > table.size) return false;
    const start = viewOf(source, table.offset + symbol * SYMBOL_BYTES, 4).getUint32(0, true);
    const limit = Math.min(strings.length, start + MAX_STRING_BYTES);
    let end = start;
    while (end < limit && strings[end] !== 0) end++;
    const length = end - start + SUFFIX.length;
    if (end <= start || end === limit || this.#length + length > MAX_PLT_NAMES_BYTES) return false;
    this.offsets.push(this.#length);
    this.lengths.push(length);
    this.#parts.push(strings.subarray(start, end), SUFFIX);
    this.#length += length;
    return true;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#parts, this.#length));
  }
}
