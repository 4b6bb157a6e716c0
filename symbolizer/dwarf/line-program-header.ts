/** The header of a line program and its tables of directories and files (DWARF 5, 6.2.4). */
import { EverflameError } from '../../profile/errors.ts';
import { DwarfCursor } from './dwarf-cursor.ts';
import type { DwarfSections } from './dwarf-input.ts';

const Form = {
  block2: 0x03,
  block4: 0x04,
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  block1: 0x0a,
  data1: 0x0b,
  sdata: 0x0d,
  strp: 0x0e,
  udata: 0x0f,
  secOffset: 0x17,
  strx: 0x1a,
  strpSup: 0x1d,
  data16: 0x1e,
  lineStrp: 0x1f,
  strx1: 0x25,
  strx2: 0x26,
  strx3: 0x27,
  strx4: 0x28,
  gnuStrpAlt: 0x1f21,
} as const;
const ContentType = { path: 1, directory: 2 } as const;
/** The section that a name is in. */
const Place = { none: 0, line: 1, str: 2, lineStr: 3 } as const;

/** Names of a table, one row each: where the name's bytes are, and a file's directory. */
export interface NameTable {
  places: number[];
  offsets: number[];
  directories: number[];
}

export interface LineProgramHeader {
  version: number;
  minInstructionLength: number;
  lineBase: number;
  lineRange: number;
  /** The first special opcode. */
  opcodeBase: number;
  /** LEB128 operands of each standard opcode. */
  operandCounts: Uint8Array;
  directories: NameTable;
  files: NameTable;
  /** The opcodes. */
  start: number;
  end: number;
}

/** What of the unit is needed to read its line program. */
export interface LineUnit {
  /** DW_AT_stmt_list. */
  offset: number;
  /** DW_AT_comp_dir; empty where there is none. */
  compDir: Uint8Array;
  /** Where index 0 is in .debug_str_offsets (DW_AT_str_offsets_base), for DW_FORM_strx. */
  strOffsetsBase: number;
}

/** Throws EverflameError for a header that is damaged or of another version than 2 to 5. */
export function readLineProgramHeader(sections: DwarfSections, unit: LineUnit): LineProgramHeader {
  const cursor = new DwarfCursor(sections.line, unit.offset, sections.line.length);
  let length = cursor.u32();
  const offsetSize = length === 0xffffffff ? 8 : 4;
  if (offsetSize === 8) length = cursor.u64();
  else if (length >= 0xfffffff0) throw unsupported(`unit length ${length}`, unit.offset);
  cursor.end = Math.min(cursor.end, cursor.at + length);
  const version = cursor.u16();
  if (version < 2 || version > 5) throw unsupported(`version ${version}`, cursor.at - 2);
  // Sizes of addresses and of segment selectors: DW_LNE_set_address has a length of its own.
  if (version >= 5) cursor.skip(2);
  const headerLength = cursor.unsigned(offsetSize);
  const start = cursor.at + headerLength;
  if (start > cursor.end) throw unsupported(`header length ${headerLength}`, cursor.at);
  const minInstructionLength = cursor.u8();
  // Instructions come in groups on VLIW machines only, which are none of those that we read.
  if (version >= 4) cursor.skip(1); // maximum operations per instruction
  cursor.skip(1); // default of is_stmt
  const lineBase = (cursor.u8() << 24) >> 24;
  const lineRange = cursor.u8();
  // Special opcodes are divided by it.
  if (lineRange === 0) throw unsupported('line range 0', cursor.at - 1);
  const opcodeBase = cursor.u8();
  const operandCounts = new Uint8Array(256);
  for (let opcode = 1; opcode < opcodeBase; opcode++) operandCounts[opcode] = cursor.u8();
  const { end } = cursor;
  cursor.end = start;
  const [directories, files] =
    version >= 5
      ? [
          readTable(cursor, offsetSize, sections, unit.strOffsetsBase),
          readTable(cursor, offsetSize, sections, unit.strOffsetsBase),
        ]
      : readOldTables(cursor);
  return {
    version,
    minInstructionLength,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    directories,
    files,
    start,
    end,
  };
}

/** Versions 2 to 4: names end in a zero byte, and so does each table. */
function readOldTables(cursor: DwarfCursor): [NameTable, NameTable] {
  const directories = emptyTable();
  for (let at = cursor.string(); cursor.at - at > 1; at = cursor.string()) {
    addName(directories, Place.line, at, 0);
  }
  const files = emptyTable();
  for (let at = cursor.string(); cursor.at - at > 1; at = cursor.string()) {
    addOldFile(files, cursor, at);
  }
  return [directories, files];
}

/** The rest of a file entry of versions 2 to 4, whose name is at `nameAt`. */
export function addOldFile(files: NameTable, cursor: DwarfCursor, nameAt: number): void {
  addName(files, Place.line, nameAt, cursor.uleb());
  cursor.skipLeb(); // time of modification
  cursor.skipLeb(); // length in bytes
}

/** Version 5: entries of a format that stands before them. */
function readTable(
  cursor: DwarfCursor,
  offsetSize: number,
  sections: DwarfSections,
  strOffsetsBase: number,
): NameTable {
  const formatCount = cursor.u8();
  const types: number[] = [];
  const forms: number[] = [];
  for (let i = 0; i < formatCount; i++) {
    types.push(cursor.uleb());
    forms.push(cursor.uleb());
  }
  const count = cursor.uleb();
  // Every form has at least a byte, so that the bytes bound the entries.
  if (formatCount === 0 && count > 0) throw unsupported('entries without a format', cursor.at);
  const table = emptyTable();
  for (let row = 0; row < count; row++) {
    addName(table, Place.none, 0, 0);
    for (let i = 0; i < formatCount; i++) {
      const form = forms[i] as number;
      if (types[i] === ContentType.path) {
        readName(cursor, form, offsetSize, table, row);
        if (isStringIndex(form)) resolveIndex(sections, offsetSize, strOffsetsBase, table, row);
      } else if (types[i] === ContentType.directory && !isBlock(form)) {
        table.directories[row] = readNumber(cursor, form, offsetSize);
      } else skipForm(cursor, form, offsetSize);
    }
  }
  return table;
}

function readName(
  cursor: DwarfCursor,
  form: number,
  offsetSize: number,
  table: NameTable,
  row: number,
): void {
  if (form === Form.string) {
    table.places[row] = Place.line;
    table.offsets[row] = cursor.string();
    return;
  }
  const isStr = form === Form.strp || isStringIndex(form);
  table.places[row] = form === Form.lineStrp ? Place.lineStr : isStr ? Place.str : Place.none;
  if (isBlock(form)) skipForm(cursor, form, offsetSize);
  else table.offsets[row] = readNumber(cursor, form, offsetSize);
}

function isStringIndex(form: number): boolean {
  return form === Form.strx || (form >= Form.strx1 && form <= Form.strx4);
}

function isBlock(form: number): boolean {
  const isCounted = form === Form.block || form === Form.block1;
  return isCounted || form === Form.block2 || form === Form.block4 || form === Form.data16;
}

/** The name at an index of .debug_str_offsets; none where the index is outside. */
function resolveIndex(
  sections: DwarfSections,
  offsetSize: number,
  base: number,
  table: NameTable,
  row: number,
): void {
  const at = base + (table.offsets[row] as number) * offsetSize;
  if (at + offsetSize > sections.strOffsets.length) table.places[row] = Place.none;
  else {
    const cursor = new DwarfCursor(sections.strOffsets, at, at + offsetSize);
    table.offsets[row] = cursor.unsigned(offsetSize);
  }
}

/** The value of a form that is a number, an offset or an index. */
function readNumber(cursor: DwarfCursor, form: number, offsetSize: number): number {
  switch (form) {
    case Form.data1:
    case Form.strx1:
      return cursor.u8();
    case Form.data2:
    case Form.strx2:
      return cursor.u16();
    case Form.strx3:
      return cursor.unsigned(3);
    case Form.data4:
    case Form.strx4:
      return cursor.u32();
    case Form.data8:
      return cursor.u64();
    case Form.udata:
    case Form.strx:
      return cursor.uleb();
    case Form.sdata:
      return cursor.sleb();
    case Form.strp:
    case Form.lineStrp:
    case Form.strpSup:
    case Form.gnuStrpAlt:
    case Form.secOffset:
      return cursor.unsigned(offsetSize);
    default:
      throw unsupported(`form 0x${form.toString(16)}`, cursor.at);
  }
}

function skipForm(cursor: DwarfCursor, form: number, offsetSize: number): void {
  if (form === Form.string) cursor.string();
  else if (form === Form.data16) cursor.skip(16);
  else if (form === Form.block) cursor.skip(cursor.uleb());
  else if (form === Form.block1) cursor.skip(cursor.u8());
  else if (form === Form.block2) cursor.skip(cursor.u16());
  else if (form === Form.block4) cursor.skip(cursor.u32());
  else readNumber(cursor, form, offsetSize);
}

function emptyTable(): NameTable {
  return { places: [], offsets: [], directories: [] };
}

function addName(table: NameTable, place: number, offset: number, directory: number): void {
  table.places.push(place);
  table.offsets.push(offset);
  table.directories.push(directory);
}

/** The bytes that a row's name begins in, or null where it has none that can be read. */
export function nameBytes(
  sections: DwarfSections,
  table: NameTable,
  row: number,
): Uint8Array | null {
  const place = table.places[row];
  if (place === Place.line) return sections.line;
  if (place === Place.str) return sections.str;
  return place === Place.lineStr ? sections.lineStr : null;
}

function unsupported(what: string, position: number): EverflameError {
  return new EverflameError('unsupported', `a line program with ${what}`, {
    field: 'file',
    position,
  });
}
