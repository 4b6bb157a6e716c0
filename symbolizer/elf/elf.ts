/**
 * ELF files (System V gABI, chapters 4 and 5), 32 and 64 bits, little-endian: headers, sections,
 * segments, notes and the identity that profiles refer to. Reads only the parts that it needs.
 */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_ELF_NOTE_BYTES, MAX_ELF_SECTIONS, MAX_ELF_SEGMENTS } from '../../profile/limits.ts';
import type { BuildId } from '../../profile/units.ts';
import { gnuBuildId, goBuildId, hashBuildId, isBuildId } from './build-id.ts';
import { ByteReader, type ByteSource, truncated } from './byte-reader.ts';

export const ElfType = { rel: 1, exec: 2, dyn: 3, core: 4 } as const;
export const SegmentType = { load: 1, note: 4 } as const;
export const SectionType = {
  progbits: 1,
  symtab: 2,
  strtab: 3,
  rela: 4,
  note: 7,
  nobits: 8,
  rel: 9,
  dynsym: 11,
  shndx: 18,
} as const;
export const SectionFlag = { alloc: 2, exec: 4, group: 0x200, compressed: 0x800 } as const;
/** e_machine. */
export const Machine = { i386: 3, x86_64: 62, aarch64: 183 } as const;
/** Bit 0 of a segment's flags: its bytes may be executed. */
export const SEGMENT_EXEC = 1;

/** The owner and type of the note by which an extraction keeps the id of the file it is from. */
export const IDENTITY_NOTE_OWNER = 'everflame';
export const IDENTITY_NOTE_TYPE = 1;

/**
 * sh_type of a section of an extraction that holds the bytes of one of the PLT, whose number is its
 * sh_info. That one's own header stays as it was: debuggers want code to lie in a segment.
 */
export const PLT_EXTRACT_TYPE = 0x80706c74;

const GNU_BUILD_ID_TYPE = 3;
const GO_BUILD_ID_TYPE = 4;
/** What one note area costs of the budget, because each is a read. */
const MIN_SCAN_BYTES = 1_024;
/** e_phnum, e_shstrndx: the real number is in section 0. */
const EXTENDED = 0xffff;

export interface ElfHeader {
  is64: boolean;
  type: number;
  machine: number;
  segmentsOffset: number;
  segmentSize: number;
  segmentCount: number;
  sectionsOffset: number;
  sectionSize: number;
  sectionCount: number;
  /** Number of the section with the sections' names; 0 = none. */
  namesSection: number;
  /** Bytes of the header itself: 52 or 64. */
  headerSize: number;
}

export interface ElfSegment {
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  fileSize: number;
  memSize: number;
  align: number;
}

export interface ElfSection {
  nameOffset: number;
  type: number;
  flags: number;
  address: number;
  offset: number;
  size: number;
  link: number;
  /** Of relocations: the number of the section that they change. */
  info: number;
  entrySize: number;
  align: number;
}

export interface LoadSegment {
  /** Where its bytes lie in the file. */
  offset: number;
  fileSize: number;
  /** Where the linker placed them (p_vaddr). */
  vaddr: number;
  memSize: number;
  flags: number;
}

export interface ElfIdentity {
  buildId: BuildId;
  /** In the file's order, which is that of their addresses. */
  loadSegments: LoadSegment[];
  type: number;
  machine: number;
}

/**
 * What a profile needs to know of a mapped file: its id and how offsets become addresses. Reads the
 * headers and the notes, a few kB. Throws EverflameError for what is no such file.
 */
export function readElfIdentity(source: ByteSource): ElfIdentity {
  const header = readElfHeader(source);
  const segments = readSegments(source, header);
  return {
    buildId: readBuildId(source, header, segments),
    loadSegments: loadSegments(segments),
    type: header.type,
    machine: header.machine,
  };
}

export function loadSegments(segments: readonly ElfSegment[]): LoadSegment[] {
  const loads: LoadSegment[] = [];
  for (const { type, offset, fileSize, vaddr, memSize, flags } of segments) {
    if (type === SegmentType.load) loads.push({ offset, fileSize, vaddr, memSize, flags });
  }
  return loads;
}

/** The file header, with the counts that did not fit into it taken from section 0. */
export function readElfHeader(source: ByteSource): ElfHeader {
  const head = source.read(0, Math.min(64, source.size));
  if (head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46) {
    throw new EverflameError('invalid', 'the file does not begin with the ELF magic', {
      field: 'file',
      position: 0,
      remedy: 'Send an ELF executable, library, object or debug file.',
    });
  }
  const reader = new ByteReader(head);
  const ident = reader.take(16);
  const is64 = ident[4] === 2;
  if ((ident[4] !== 1 && !is64) || ident[5] !== 1 || ident[6] !== 1) {
    throw new EverflameError('unsupported', 'the file is not little-endian ELF, version 1', {
      field: 'file',
      position: 4,
      remedy: 'Only little-endian files are read.',
    });
  }
  const type = reader.u16();
  const machine = reader.u16();
  reader.skip(is64 ? 4 + 8 : 4 + 4); // version, entry
  const segmentsOffset = is64 ? reader.u64() : reader.u32();
  const sectionsOffset = is64 ? reader.u64() : reader.u32();
  reader.skip(4 + 2); // flags, header size
  const segmentSize = reader.u16();
  const segmentCount = reader.u16();
  const sectionSize = reader.u16();
  const sectionCount = reader.u16();
  const namesSection = reader.u16();
  const header: ElfHeader = {
    is64,
    type,
    machine,
    segmentsOffset,
    segmentSize,
    segmentCount,
    sectionsOffset,
    sectionSize,
    sectionCount: sectionsOffset === 0 ? 0 : sectionCount,
    namesSection,
    headerSize: is64 ? 64 : 52,
  };
  extendCounts(source, header);
  checkTables(header);
  return header;
}

/** Files with 65,280 sections or more keep the true counts in the first section's header. */
function extendCounts(source: ByteSource, header: ElfHeader): void {
  const { segmentCount, sectionCount, namesSection } = header;
  const extended = sectionCount === 0 || namesSection === EXTENDED || segmentCount === EXTENDED;
  if (!extended || header.sectionsOffset === 0) return;
  checkEntrySize('section', header.sectionSize, header.is64 ? 64 : 40);
  const reader = new ByteReader(source.read(header.sectionsOffset, header.sectionSize));
  reader.skip(header.is64 ? 32 : 20);
  const size = header.is64 ? reader.u64() : reader.u32();
  const link = reader.u32();
  const info = reader.u32();
  if (sectionCount === 0) header.sectionCount = size;
  if (namesSection === EXTENDED) header.namesSection = link;
  if (segmentCount === EXTENDED) header.segmentCount = info;
}

function checkTables(header: ElfHeader): void {
  checkCount('sections', header.sectionCount, 'MAX_ELF_SECTIONS', MAX_ELF_SECTIONS);
  checkCount('program headers', header.segmentCount, 'MAX_ELF_SEGMENTS', MAX_ELF_SEGMENTS);
  if (header.sectionCount > 0) {
    checkEntrySize('section', header.sectionSize, header.is64 ? 64 : 40);
  }
  if (header.segmentCount > 0) {
    checkEntrySize('program header', header.segmentSize, header.is64 ? 56 : 32);
  }
}

function checkCount(what: string, count: number, name: string, limit: number): void {
  if (count <= limit) return;
  throw new EverflameError('too-large', `the file claims ${count} ${what}`, {
    field: 'file',
    limit: `${name} = ${limit}`,
    remedy: 'Link it with fewer, or strip it.',
  });
}

function checkEntrySize(what: string, size: number, expected: number): void {
  if (size === expected) return;
  throw truncated(`a ${what} of ${size} bytes, not ${expected}`, 0);
}

export function readSegments(source: ByteSource, header: ElfHeader): ElfSegment[] {
  const { segmentCount, segmentSize, is64 } = header;
  if (segmentCount === 0) return [];
  const reader = new ByteReader(source.read(header.segmentsOffset, segmentCount * segmentSize));
  const segments: ElfSegment[] = [];
  for (let i = 0; i < segmentCount; i++) {
    segments.push(is64 ? readSegment64(reader) : readSegment32(reader));
  }
  return segments;
}

function readSegment64(reader: ByteReader): ElfSegment {
  const type = reader.u32();
  if (type !== SegmentType.load && type !== SegmentType.note) return skipSegment(reader, type, 52);
  const flags = reader.u32();
  const offset = reader.u64();
  const vaddr = reader.u64();
  reader.skip(8); // physical address
  const fileSize = reader.u64();
  const memSize = reader.u64();
  return { type, flags, offset, vaddr, fileSize, memSize, align: reader.u64() };
}

function readSegment32(reader: ByteReader): ElfSegment {
  const type = reader.u32();
  if (type !== SegmentType.load && type !== SegmentType.note) return skipSegment(reader, type, 28);
  const offset = reader.u32();
  const vaddr = reader.u32();
  reader.skip(4); // physical address
  const fileSize = reader.u32();
  const memSize = reader.u32();
  const flags = reader.u32();
  return { type, flags, offset, vaddr, fileSize, memSize, align: reader.u32() };
}

/** Fields of segments that nobody here uses may hold anything (GNU_STACK's often do). */
function skipSegment(reader: ByteReader, type: number, length: number): ElfSegment {
  reader.skip(length);
  return { type, flags: 0, offset: 0, vaddr: 0, fileSize: 0, memSize: 0, align: 0 };
}

/** The section headers; the row is the section's number. */
export function readSections(source: ByteSource, header: ElfHeader): ElfSection[] {
  const { sectionCount, sectionSize, is64 } = header;
  if (sectionCount === 0) return [];
  const reader = new ByteReader(source.read(header.sectionsOffset, sectionCount * sectionSize));
  const word = is64 ? () => reader.u64() : () => reader.u32();
  const sections: ElfSection[] = [];
  for (let i = 0; i < sectionCount; i++) {
    const nameOffset = reader.u32();
    const type = reader.u32();
    const flags = word();
    const address = word();
    const offset = word();
    const size = word();
    const link = reader.u32();
    const info = reader.u32();
    const align = word();
    const entrySize = word();
    sections.push({ nameOffset, type, flags, address, offset, size, link, info, entrySize, align });
  }
  return sections;
}

function readBuildId(source: ByteSource, header: ElfHeader, segments: ElfSegment[]): BuildId {
  const found = new Identities();
  for (const segment of segments) {
    if (segment.type === SegmentType.note) {
      found.scan(source, segment.offset, segment.fileSize, segment.align);
    }
  }
  if (found.gnu !== null) return found.gnu;
  // Object files have no segments, and an extraction's added note is in none. A packed program's
  // section headers may point anywhere.
  const end = header.sectionsOffset + header.sectionCount * header.sectionSize;
  for (const section of end <= source.size ? readSections(source, header) : []) {
    if (section.type === SectionType.note) {
      found.scan(source, section.offset, section.size, section.align);
    }
  }
  return found.gnu ?? found.go ?? found.kept ?? hashBuildId(source);
}

/** The ids in a file's notes, by who wrote them; the first of each counts. */
class Identities {
  gnu: BuildId | null = null;
  go: BuildId | null = null;
  kept: BuildId | null = null;
  /** Forged headers could name the same notes thousands of times. */
  #budgetBytes = 16 * MAX_ELF_NOTE_BYTES;

  /** A note area that is not in the file, or is no list of notes, holds no id. */
  scan(source: ByteSource, offset: number, size: number, align: number): void {
    const length = Math.min(size, MAX_ELF_NOTE_BYTES);
    if (this.#budgetBytes <= 0 || offset + length > source.size) return;
    this.#budgetBytes -= Math.max(length, MIN_SCAN_BYTES);
    const reader = new ByteReader(source.read(offset, length));
    const unit = align === 8 ? 8 : 4;
    while (reader.remaining >= 12) {
      const nameSize = reader.u32();
      const descriptorSize = reader.u32();
      const type = reader.u32();
      const namePadded = padded(nameSize, 4, unit);
      if (namePadded + descriptorSize > reader.remaining) return;
      const owner = Buffer.from(reader.take(namePadded)).toString('latin1', 0, nameSize);
      const descriptor = reader.take(descriptorSize);
      this.#note(owner, type, descriptor);
      reader.skip(Math.min(reader.remaining, padded(descriptorSize, 0, unit) - descriptorSize));
    }
  }

  #note(owner: string, type: number, descriptor: Uint8Array): void {
    if (owner === 'GNU\0' && type === GNU_BUILD_ID_TYPE) this.gnu ??= gnuBuildId(descriptor);
    if (owner === 'Go\0\0' && type === GO_BUILD_ID_TYPE) this.go ??= goBuildId(descriptor);
    if (owner === `${IDENTITY_NOTE_OWNER}\0` && type === IDENTITY_NOTE_TYPE) {
      const text = Buffer.from(descriptor).toString('latin1');
      if (isBuildId(text)) this.kept ??= text;
    }
  }
}

/** Length with the padding that follows; the 12 bytes before a name count for its alignment. */
function padded(length: number, before: number, unit: number): number {
  return Math.ceil((length + before) / unit) * unit - before;
}
