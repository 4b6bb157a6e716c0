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
import { type ElfSection, Machine, PLT_EXTRACT_TYPE, SectionFlag, SectionType } from './elf.ts';
import type { ElfFile } from './elf-file.ts';
import type { CodeSymbols } from './elf-symbols.ts';
import { decodeArmStubs, decodeI386Stubs, decodeX86Stubs, type PltStub } from './plt-stubs.ts';

const STUB_SECTIONS = new Set(['.plt', '.plt.sec', '.plt.got']);
const SUFFIX = Buffer.from('@plt');
const SLICE_ENTRIES = 16_384;

/** What differs by machine; the class is that of the machine's usual programs. */
interface PltKind {
  is64: boolean;
  /** Relocations that put a function's address into a slot: JUMP_SLOT and GLOB_DAT. */
  slotTypes: readonly number[];
  relocationSections: readonly string[];
  relocationBytes: number;
  symbolBytes: number;
  decode(bytes: Uint8Array, address: number, elf: ElfFile): PltStub[];
}

const KIND_64 = {
  is64: true,
  relocationSections: ['.rela.plt', '.rela.dyn'],
  relocationBytes: 24,
  symbolBytes: 24,
};
const KINDS = new Map<number, PltKind>([
  [Machine.x86_64, { ...KIND_64, slotTypes: [7, 6], decode: decodeX86Stubs }],
  [Machine.aarch64, { ...KIND_64, slotTypes: [1026, 1025], decode: decodeArmStubs }],
  [
    Machine.i386,
    {
      is64: false,
      slotTypes: [7, 6],
      relocationSections: ['.rel.plt', '.rel.dyn'],
      relocationBytes: 8,
      symbolBytes: 16,
      decode: (bytes, _, elf) => decodeI386Stubs(bytes, globalOffsetTable(elf)),
    },
  ],
]);

/** A stub with its place and, once its relocation is found, the number of its symbol. */
interface NamedStub {
  start: number;
  size: number;
  sectionEnd: number;
  symbol: number;
}

/** Stubs as symbols of the lowest rank; none on machines other than x86-64, i386 and arm64. */
export function readPltSymbols(elf: ElfFile): CodeSymbols {
  const kind = kindOf(elf);
  const stubs = findStubs(elf, kind);
  const names = new NameTable();
  const rows: NamedStub[] = [];
  let skipped = 0;
  if (kind !== null && stubs.size > 0) {
    const symbolTable = nameSlots(elf, kind, stubs);
    const dynamic = openSymbolNames(elf, kind, symbolTable);
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

function kindOf({ header }: ElfFile): PltKind | null {
  const kind = KINDS.get(header.machine);
  return kind?.is64 === header.is64 ? kind : null;
}

/** All stubs by the slot that they jump by; of two that jump by the same one, the last. */
function findStubs(elf: ElfFile, kind: PltKind | null): Map<number, NamedStub> {
  const { sections, names, source } = elf;
  const stubs = new Map<number, NamedStub>();
  if (kind === null) return stubs;
  let budgetBytes = MAX_PLT_BYTES;
  const kept = new Map<number, ElfSection>();
  for (const section of sections) {
    if (section.type === PLT_EXTRACT_TYPE) kept.set(section.info, section);
  }
  sections.forEach((section, number) => {
    const { flags, address } = section;
    if (!STUB_SECTIONS.has(names[number] ?? '') || (flags & SectionFlag.exec) === 0) return;
    const isElsewhere = section.type === SectionType.nobits;
    const { type, offset, size } = isElsewhere ? (kept.get(number) ?? section) : section;
    if (type === SectionType.nobits) return;
    budgetBytes -= size;
    if (budgetBytes < 0) return;
    for (const { start, end, slot } of kind.decode(source.read(offset, size), address, elf)) {
      const place = { start: address + start, size: end - start, sectionEnd: address + size };
      stubs.set(slot, { ...place, symbol: 0 });
    }
  });
  return stubs;
}

/** Gives the stubs the symbols of their slots; returns the number of the symbols' table. */
function nameSlots(
  elf: ElfFile,
  { is64, slotTypes, relocationSections, relocationBytes }: PltKind,
  stubs: ReadonlyMap<number, NamedStub>,
): number {
  const wanted = is64 ? SectionType.rela : SectionType.rel;
  let symbolTable = 0;
  for (const name of relocationSections) {
    const section = elf.section(name);
    if (section?.type !== wanted || section.link === 0) continue;
    symbolTable = section.link;
    const count = Math.floor(section.size / relocationBytes);
    for (let first = 0; first < count; first += SLICE_ENTRIES) {
      const length = Math.min(SLICE_ENTRIES, count - first) * relocationBytes;
      const view = viewOf(elf.source, section.offset + first * relocationBytes, length);
      for (let at = 0; at < length; at += relocationBytes) {
        // r_info: type and symbol, 32 bits each, or 8 and 24.
        const info = view.getUint32(at + (is64 ? 8 : 4), true);
        if (!slotTypes.includes(is64 ? info : info & 0xff)) continue;
        const high = is64 ? view.getUint32(at + 4, true) : 0;
        const stub = stubs.get(high * 2 ** 32 + view.getUint32(at, true));
        if (stub !== undefined) stub.symbol = is64 ? view.getUint32(at + 12, true) : info >>> 8;
      }
    }
  }
  return symbolTable;
}

/** What %ebx holds in position-independent code of i386 (DT_PLTGOT, by the section it is of). */
function globalOffsetTable(elf: ElfFile): number {
  return (elf.section('.got.plt') ?? elf.section('.got'))?.address ?? 0;
}

function viewOf(source: ByteSource, offset: number, length: number): DataView {
  const bytes = source.read(offset, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface SymbolNames {
  source: ByteSource;
  table: ElfSection;
  symbolBytes: number;
  strings: Uint8Array;
}

function openSymbolNames(
  elf: ElfFile,
  { symbolBytes }: PltKind,
  number: number,
): SymbolNames | null {
  const table = elf.sections[number];
  const strings = table === undefined ? undefined : elf.sections[table.link];
  if (table?.type !== SectionType.dynsym || strings?.type !== SectionType.strtab) return null;
  if (strings.size > MAX_STRING_TABLE_BYTES) return null;
  const bytes = elf.source.read(strings.offset, strings.size);
  return { source: elf.source, table, symbolBytes, strings: bytes };
}

/** The names with their suffix, one after the other. */
class NameTable {
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** False where the symbol has no name that can be read, or all names are too long together. */
  add({ source, table, symbolBytes, strings }: SymbolNames, symbol: number): boolean {
    if ((symbol + 1) * symbolBytes > table.size) return false;
    const start = viewOf(source, table.offset + symbol * symbolBytes, 4).getUint32(0, true);
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
