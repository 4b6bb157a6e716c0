/**
 * Where the fields of a file with debug information are: what a mutation must hit to get past the
 * first check. Of files as compilers wrote them; what is compressed is one stretch of bytes.
 */
import { Cursor } from './fuzz-debuginfo-cursor.ts';
import { placeDwarf } from './fuzz-debuginfo-dwarf-places.ts';
import {
  addField,
  type FilePlaces,
  type PlacedSection,
  SHF_COMPRESSED,
} from './fuzz-debuginfo-fields.ts';
import { placeLinePrograms } from './fuzz-debuginfo-line-places.ts';

const SHT_NOBITS = 8;
const AR_MAGIC = '!<arch>\n';
const AR_HEADER = [16, 12, 6, 6, 8, 10, 2];

export function findPlaces(bytes: Buffer): FilePlaces {
  const places: FilePlaces = {
    is64: true,
    sections: [],
    fields: new Map(),
    entries: [],
    units: [],
    parts: [],
  };
  if (bytes.toString('latin1', 0, 8) === AR_MAGIC) placeArchive(places, bytes);
  else placeElf(places, bytes, 0);
  return places;
}

/** The members' own fields too: each is an ELF file. */
function placeArchive(places: FilePlaces, bytes: Buffer): void {
  for (let at = AR_MAGIC.length; at + 60 <= bytes.length; ) {
    let field = at;
    for (const length of AR_HEADER) {
      addField(places, 'ar.header', '', field, length);
      field += length;
    }
    const size = Number(bytes.toString('latin1', at + 48, at + 58));
    if (bytes.readUInt32LE(at + 60) === 0x464c457f) {
      placeElf(places, Buffer.from(bytes.subarray(at + 60, at + 60 + size)), at + 60);
    }
    at += 60 + size + (size & 1);
  }
}

/** `base` is where the ELF file begins in what is mutated. */
function placeElf(places: FilePlaces, bytes: Buffer, base: number): void {
  places.is64 = bytes[4] === 2;
  const { is64 } = places;
  const word = is64 ? 8 : 4;
  const header = is64 ? [16, 2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2] : [16, 2, 2, 4, 4, 4, 4, 4];
  addRecord(places, 'elf.header', '', base, is64 ? header : [...header, 2, 2, 2, 2, 2, 2]);
  const cursor = new Cursor(bytes, is64 ? 32 : 28);
  const segments = cursor.sized(word);
  const table = cursor.sized(word);
  cursor.skip(4 + 2 + 2);
  const segmentCount = cursor.u16();
  cursor.skip(2);
  const count = cursor.u16();
  const names = cursor.u16();
  const segment = is64 ? [4, 4, 8, 8, 8, 8, 8, 8] : [4, 4, 4, 4, 4, 4, 4, 4];
  for (let i = 0; i < segmentCount; i++) {
    addRecord(places, 'elf.segment', '', base + segments + i * (is64 ? 56 : 32), segment);
  }
  const size = is64 ? 64 : 40;
  const nameTable = readSection(bytes, table + names * size, is64).offset;
  const found: PlacedSection[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    const fields = is64 ? [4, 4, 8, 8, 8, 8, 4, 4, 8, 8] : [4, 4, 4, 4, 4, 4, 4, 4, 4, 4];
    addRecord(places, 'elf.section', '', base + at, fields);
    const { name, type, ...section } = readSection(bytes, at, is64);
    const text = new Cursor(bytes, nameTable + name).text();
    const isHere = type !== SHT_NOBITS && type !== 0;
    found.push({ ...section, size: isHere ? section.size : 0, name: text, header: at });
  }
  for (const section of found) placeSection(places, bytes, section, base);
  placeDwarf(places, bytes, found, base);
  placeLinePrograms(places, bytes, found, base);
  for (const section of found) {
    const { offset, header } = section;
    places.sections.push({ ...section, offset: offset + base, header: header + base });
  }
}

function readSection(bytes: Buffer, at: number, is64: boolean) {
  const cursor = new Cursor(bytes, at);
  const word = is64 ? 8 : 4;
  const name = cursor.u32();
  const type = cursor.u32();
  const flags = cursor.sized(word);
  const address = cursor.sized(word);
  const offset = cursor.sized(word);
  return { name, type, flags, address, offset, size: cursor.sized(word) };
}

function addRecord(
  places: FilePlaces,
  kind: string,
  section: string,
  at: number,
  lengths: readonly number[],
): void {
  let offset = at;
  for (const length of lengths) {
    addField(places, kind, section, offset, length);
    offset += length;
  }
}

/** Sections that are tables of records of one shape, or whose first bytes are a header. */
function placeSection(places: FilePlaces, bytes: Buffer, section: PlacedSection, base: number) {
  const { name, size, flags } = section;
  const at = section.offset + base;
  const word = places.is64 ? 8 : 4;
  const records = (kind: string, lengths: readonly number[]) => {
    const length = lengths.reduce((sum, one) => sum + one, 0);
    for (let i = 0; i + length <= size; i += length) addRecord(places, kind, name, at + i, lengths);
  };
  if ((flags & SHF_COMPRESSED) !== 0) {
    addRecord(places, 'compression.header', name, at, places.is64 ? [4, 4, 8, 8] : [4, 4, 4]);
    addBytes(places, 'compression.stream', section, base + 24);
  } else if (name.startsWith('.zdebug_')) {
    addRecord(places, 'compression.header', name, at, [4, 8]);
    addBytes(places, 'compression.stream', section, base + 12);
  } else if (name === '.symtab' || name === '.dynsym') {
    records('elf.symbol', places.is64 ? [4, 1, 1, 2, 8, 8] : [4, 4, 4, 1, 1, 2]);
  } else if (/^\.rela\./.test(name)) {
    records('elf.relocation', [word, word, word]);
  } else if (/^\.rel\./.test(name)) {
    records('elf.relocation', [word, word]);
  } else if (/^\.debug_(cu|tu)_index$/.test(name)) {
    records('package.index', [4]);
  } else if (name === '.debug_ranges' || name === '.debug_addr') {
    records(`dwarf${name.slice(6)}`, [word]);
  } else if (/^\.debug_(rnglists|str_offsets)/.test(name)) {
    records(`dwarf${name.slice(6)}`, [1, 1, 1, 1]);
  } else if (/^\.(debug_str|debug_line_str|strtab|dynstr|shstrtab)/.test(name)) {
    addBytes(places, 'strings', section, base);
  } else if (/^\.(gnu_debug|plt|note)/.test(name)) {
    addBytes(places, name.slice(1), section, base);
  }
  if (size > 64 && bytes.readUInt32LE(section.offset + 56) === 0xfffffff1) {
    placeGoTable(places, bytes, section, base);
  }
}

function addBytes(places: FilePlaces, kind: string, section: PlacedSection, base: number): void {
  const end = section.offset + section.size;
  for (let at = section.offset; at < end; at++) {
    addField(places, kind, section.name, at + base, Math.min(4, end - at));
  }
}

/** An extraction's section: 56 bytes of its own, the table, the trees of inlined calls. */
function placeGoTable(places: FilePlaces, bytes: Buffer, section: PlacedSection, base: number) {
  const { name } = section;
  const table = section.offset + 56;
  addRecord(places, 'go.extract', name, section.offset + base, [4, 4, 8, 8, 8, 8, 8, 8]);
  addRecord(places, 'go.header', name, table + base, [4, 1, 1, 1, 1, 8, 8, 8, 8, 8, 8, 8, 8]);
  const word = (index: number) => Number(bytes.readBigUInt64LE(table + 8 + index * 8));
  const count = word(0);
  const pcTables = word(6);
  const records = word(7);
  for (let i = 0; i < count; i++) {
    const row = table + records + i * 8;
    addRecord(places, 'go.row', name, row + base, [4, 4]);
    const at = table + records + bytes.readUInt32LE(row + 4);
    const fields = [4, 4, 4, 4, 4, 4, 4, 4, 4, 1, 1, 1, 1];
    addRecord(places, 'go.record', name, at + base, fields);
    const pcdata = bytes.readUInt32LE(at + 28);
    const data = at + 44 + pcdata * 4;
    for (let j = 0; j < pcdata + bytes.readUInt8(at + 43); j++) {
      addField(places, 'go.data', name, at + 44 + j * 4 + base, 4);
    }
    for (const offset of [at + 16, at + 20, at + 24, data - 4]) {
      const values = table + pcTables + bytes.readUInt32LE(offset);
      for (let j = 0; j < 8; j++) addField(places, 'go.pc-values', name, values + j + base, 1);
    }
  }
  const trees = table + Number(bytes.readBigUInt64LE(section.offset + 16));
  for (let at = trees; at + 16 <= section.offset + section.size; at += 16) {
    addRecord(places, 'go.tree', name, at + base, [1, 3, 4, 4, 4]);
  }
}
