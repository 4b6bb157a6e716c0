/** The bytes of debug sections as their compiler meant them: decompressed and relocated. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_DEBUG_BYTES } from '../../profile/limits.ts';
import type { DwarfSections } from '../dwarf/dwarf-input.ts';
import {
  type CompressionHeader,
  checkSectionSize,
  decompress,
  isZstd,
  prepareZstd,
  readCompressionHeader,
  readZdebugHeader,
} from './compressed-section.ts';
import { type ElfSection, ElfType, SectionFlag, SectionType } from './elf.ts';
import type { ElfFile } from './elf-file.ts';
import { relocate, SymbolValues } from './relocations.ts';

const MAX_COMPRESSION_HEADER_BYTES = 24;

/** Reads sections of one file, which together are bounded by MAX_DEBUG_BYTES. */
export class DebugSectionReader {
  /** Relocations of kinds that debug information has no use for. */
  unknownRelocations = 0;
  /** Of all sections read so far, decompressed. */
  bytesRead = 0;
  readonly #elf: ElfFile;
  readonly #symbols: SymbolValues;

  constructor(elf: ElfFile) {
    this.#elf = elf;
    this.#symbols = new SymbolValues(elf);
  }

  /** A section's bytes; empty where it is absent. `.debug_x` may be there as `.zdebug_x`. */
  async read(name: string): Promise<Uint8Array> {
    const number = findSection(this.#elf, name);
    const section = this.#elf.sections[number];
    const compression = section === undefined ? null : this.#compression(number, section);
    if (compression !== null && isZstd(compression)) await prepareZstd();
    return this.readPrepared(name);
  }

  /** As `read`, once prepareZstd has resolved. `number`: which of several of that name. */
  readPrepared(name: string, number = findSection(this.#elf, name)): Uint8Array {
    const section = this.#elf.sections[number];
    if (section === undefined) return new Uint8Array(0);
    const { source, header } = this.#elf;
    checkSectionSize(name, section.size);
    const compression = this.#compression(number, section);
    this.#spend(name, compression?.size ?? section.size);
    let bytes = source.read(section.offset, section.size);
    if (compression !== null) bytes = decompress(name, bytes, compression);
    if (header.type !== ElfType.rel) return bytes;
    // The source may hold the bytes still.
    if (compression === null) bytes = Uint8Array.from(bytes);
    this.unknownRelocations += relocate(this.#elf, number, bytes, this.#symbols);
    return bytes;
  }

  #compression(number: number, section: ElfSection): CompressionHeader | null {
    const { source, header, names } = this.#elf;
    const length = Math.min(MAX_COMPRESSION_HEADER_BYTES, section.size);
    const head = source.read(section.offset, length);
    if ((section.flags & SectionFlag.compressed) !== 0) {
      return readCompressionHeader(head, header.is64);
    }
    return names[number]?.startsWith('.zdebug_') ? readZdebugHeader(head) : null;
  }

  #spend(name: string, size: number): void {
    if (this.bytesRead + size <= MAX_DEBUG_BYTES) {
      this.bytesRead += size;
      return;
    }
    throw new EverflameError('too-large', `the debug sections up to ${name} are too large`, {
      field: 'file',
      limit: `MAX_DEBUG_BYTES = ${MAX_DEBUG_BYTES}`,
      remedy: 'Build with less debug information (-g1), or split it (-gsplit-dwarf).',
    });
  }
}

/**
 * The number of the first section of that name that has bytes here, or -1. In object files, type
 * units are sections of the same name in groups; what is in no group comes first.
 */
export function findSection(elf: ElfFile, name: string): number {
  const numbers = findSections(elf, name);
  const isAlone = (number: number) =>
    ((elf.sections[number]?.flags ?? 0) & SectionFlag.group) === 0;
  return numbers.find(isAlone) ?? numbers[0] ?? -1;
}

/** The numbers of all of that name that have bytes here. */
export function findSections(elf: ElfFile, name: string): number[] {
  const legacy = name.startsWith('.debug_') ? name.replace('.debug_', '.zdebug_') : name;
  const numbers: number[] = [];
  for (let number = 0; number < elf.sections.length; number++) {
    const isNamed = elf.names[number] === name || elf.names[number] === legacy;
    if (isNamed && elf.sections[number]?.type !== SectionType.nobits) numbers.push(number);
  }
  return numbers;
}

/** A section's bytes, decompressed and, in an object file, relocated; empty where it is absent. */
export async function readSection(elf: ElfFile, name: string): Promise<Uint8Array> {
  return await new DebugSectionReader(elf).read(name);
}

/** The sections that DWARF is read from, as they are called in a file that is not split. */
const DWARF_NAMES: Readonly<Record<keyof DwarfSections, string>> = {
  info: '.debug_info',
  abbrev: '.debug_abbrev',
  str: '.debug_str',
  lineStr: '.debug_line_str',
  line: '.debug_line',
  strOffsets: '.debug_str_offsets',
  addr: '.debug_addr',
  ranges: '.debug_ranges',
  rnglists: '.debug_rnglists',
};

/**
 * All that DWARF is read from. `dwo`: a split file's own sections. A section that is damaged or too
 * large is empty, and `problems` has a sentence on it.
 */
export async function readDwarfSections(
  elf: ElfFile,
  { dwo }: { dwo: boolean },
  problems: string[],
): Promise<DwarfSections> {
  const reader = new DebugSectionReader(elf);
  const sections = emptySections();
  for (const [key, name] of dwarfNames(dwo)) {
    try {
      sections[key] = await reader.read(name);
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
      problems.push(error.message);
    }
  }
  const { unknownRelocations } = reader;
  if (unknownRelocations > 0) {
    problems.push(`${unknownRelocations} relocations of debug sections could not be applied`);
  }
  return sections;
}

/**
 * A split file's own sections, once prepareZstd has resolved; `info` is the number of the one with
 * the units, where there are several. Throws EverflameError.
 */
export function readDwoSections(reader: DebugSectionReader, info?: number): DwarfSections {
  const sections = emptySections();
  for (const [key, name] of dwarfNames(true)) {
    sections[key] = reader.readPrepared(name, key === 'info' ? info : undefined);
  }
  return sections;
}

function dwarfNames(dwo: boolean): [keyof DwarfSections, string][] {
  const keys = Object.keys(DWARF_NAMES) as (keyof DwarfSections)[];
  return keys.map((key) => [key, dwo ? `${DWARF_NAMES[key]}.dwo` : DWARF_NAMES[key]]);
}

function emptySections(): DwarfSections {
  const empty = new Uint8Array(0);
  return {
    info: empty,
    abbrev: empty,
    str: empty,
    lineStr: empty,
    line: empty,
    strOffsets: empty,
    addr: empty,
    ranges: empty,
    rnglists: empty,
  };
}
