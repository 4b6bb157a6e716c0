/** A unit: its header and what its first entry says of all others. */
import { NO_TEXT, type TextId } from '../code-piece.ts';
import { type AbbreviationTable, EntryKind, findAbbreviation, Slot } from './abbreviations.ts';
import {
  Form,
  isAddressForm,
  isAddressIndexForm,
  isOffsetForm,
  isStringIndexForm,
  isSupplementaryString,
  Tag,
  UnitType,
} from './dwarf-codes.ts';
import type { DwarfFile } from './dwarf-file.ts';
import type { SplitUnit } from './dwarf-input.ts';
import type { EntryCursor } from './entry-cursor.ts';
import { stringEnd } from './string-section.ts';
import { readUnitHeader, type UnitHeader, u64 } from './unit-header.ts';
import { damaged } from './work-budget.ts';

export interface Unit extends UnitHeader {
  file: DwarfFile;
  abbreviations: AbbreviationTable;
  /** DW_TAG of the first entry; 0 = the unit has none. */
  tag: number;
  /** What ranges are relative to. */
  baseAddress: number;
  /** Whether it says where its code ends. */
  hasRange: boolean;
  /** Where the unit's line program is; -1 = it has none. */
  stmtList: number;
  compDir: Uint8Array;
  /** DW_AT_language, 0 = not said. */
  language: number;
  /** DW_AT_GNU_dwo_id or the header's; null = this is not a skeleton. */
  splitId: bigint | null;
  strOffsetsBase: number;
  /** Addresses by index: the section (a split unit's is in the main file) and where it begins. */
  addr: DataView;
  addrBase: number;
  /** Range lists before DWARF 5, and what is added to the split unit's offsets of them. */
  ranges: DataView;
  rangesBase: number;
  /** Range lists of DWARF 5: by offset, and by index. */
  rnglistsOffset: number;
  rnglistsBase: number;
  /** DW_AT_GNU_ranges_base, for the split unit of this skeleton. */
  splitRangesBase: number;
}

/** A split unit, and the skeleton in the main file that it belongs to. */
export interface SplitPart {
  split: SplitUnit;
  skeleton: Unit;
}

/** Throws EverflameError for a unit that cannot be read. */
export function openUnit(file: DwarfFile, start: number, part: SplitPart | null): Unit {
  const header = readUnitHeader(file.views.info, start);
  const abbrevOffset = header.abbrevOffset + (part?.split.abbrevOffset ?? 0);
  const abbreviations = file.abbreviations(abbrevOffset, header);
  const unit = part === null ? wholeUnit(file, header) : splitUnit(file, header, part);
  unit.abbreviations = abbreviations;
  readFirstEntry(unit);
  return unit;
}

const NO_TABLE: AbbreviationTable = {
  dense: new Int32Array(),
  sparse: new Map(),
  tag: new Int32Array(),
  kind: new Uint8Array(),
  hasChildren: new Uint8Array(),
  fixedSize: new Int32Array(),
  start: new Int32Array(),
  program: new Int32Array(),
};

const NO_BYTES = new Uint8Array();

/** Bases that no attribute names are those of the section's first table, behind its header. */
function wholeUnit(file: DwarfFile, header: UnitHeader): Unit {
  const is64 = header.offsetSize === 8;
  // Field by field: a spread of so many would cost more than all the rest of a small unit.
  return {
    start: header.start,
    end: header.end,
    version: header.version,
    addressSize: header.addressSize,
    offsetSize: header.offsetSize,
    type: header.type,
    abbrevOffset: header.abbrevOffset,
    dwoId: header.dwoId,
    firstEntry: header.firstEntry,
    file,
    abbreviations: NO_TABLE,
    tag: 0,
    baseAddress: 0,
    hasRange: false,
    stmtList: -1,
    compDir: NO_BYTES,
    language: 0,
    splitId: header.type === UnitType.skeleton ? header.dwoId : null,
    // Before DWARF 5 only split units have such tables, and those have no headers.
    strOffsetsBase: header.version < 5 ? 0 : is64 ? 16 : 8,
    addr: file.views.addr,
    addrBase: header.version < 5 ? 0 : is64 ? 16 : 8,
    ranges: file.views.ranges,
    rangesBase: 0,
    rnglistsOffset: 0,
    rnglistsBase: is64 ? 20 : 12,
    splitRangesBase: 0,
  };
}

/** What a split unit does not say itself is its skeleton's (DWARF 5, 3.1.3). */
function splitUnit(file: DwarfFile, header: UnitHeader, { split, skeleton }: SplitPart): Unit {
  const unit = wholeUnit(file, header);
  const { strOffsetsBase, rnglistsBase } = unit;
  unit.strOffsetsBase = split.strOffsetsOffset + strOffsetsBase;
  unit.baseAddress = skeleton.baseAddress;
  unit.stmtList = skeleton.stmtList;
  unit.compDir = skeleton.compDir;
  unit.addr = skeleton.addr;
  unit.addrBase = skeleton.addrBase;
  unit.ranges = skeleton.ranges;
  unit.rangesBase = skeleton.splitRangesBase;
  unit.rnglistsOffset = split.rnglistsOffset;
  unit.rnglistsBase = split.rnglistsOffset + rnglistsBase;
  unit.splitId = null;
  return unit;
}

function readFirstEntry(unit: Unit): void {
  const { file, firstEntry, end, abbreviations } = unit;
  const cursor = file.unitCursor;
  cursor.enter(file.views.info, file.sections.info, firstEntry, end, unit);
  if (firstEntry === end) return;
  const code = cursor.uleb();
  const row = findAbbreviation(abbreviations, code);
  if (row < 0) {
    if (code === 0) return;
    throw damaged('a unit begins with an unknown abbreviation', firstEntry);
  }
  if (abbreviations.kind[row] !== EntryKind.unit) {
    throw damaged('a unit does not begin with a unit', firstEntry);
  }
  cursor.readAttributes(abbreviations, row);
  file.budget.spend(cursor.position - firstEntry);
  unit.tag = abbreviations.tag[row] as number;
  takeBases(unit, cursor);
  const { values } = cursor;
  if (cursor.has(Slot.lowPc)) unit.baseAddress = addressOf(unit, cursor, Slot.lowPc);
  else if (hasEntryAddress(cursor)) unit.baseAddress = addressOf(unit, cursor, Slot.entryPc);
  unit.hasRange = cursor.has(Slot.highPc) || cursor.has(Slot.ranges);
  if (cursor.has(Slot.language)) unit.language = values[Slot.language] as number;
  if (cursor.has(Slot.compDir)) unit.compDir = bytesOf(unit, cursor, Slot.compDir);
}

/** From DWARF 5 on it may be a constant too, relative to the base address that it is not then. */
function hasEntryAddress(cursor: EntryCursor): boolean {
  return cursor.has(Slot.entryPc) && isAddressForm(cursor.forms[Slot.entryPc] as number);
}

function takeBases(unit: Unit, cursor: EntryCursor): void {
  if (cursor.has(Slot.strOffsetsBase)) unit.strOffsetsBase = offsetOf(cursor, Slot.strOffsetsBase);
  if (cursor.has(Slot.addrBase)) unit.addrBase = offsetOf(cursor, Slot.addrBase);
  if (cursor.has(Slot.rnglistsBase)) unit.rnglistsBase = offsetOf(cursor, Slot.rnglistsBase);
  if (cursor.has(Slot.gnuRangesBase)) unit.splitRangesBase = offsetOf(cursor, Slot.gnuRangesBase);
  if (cursor.has(Slot.stmtList)) unit.stmtList = offsetOf(cursor, Slot.stmtList);
  if (cursor.has(Slot.dwoId) && cursor.forms[Slot.dwoId] === Form.data8) {
    unit.splitId = cursor.dwoId();
  }
}

/** Whether code is in it: a partial unit is only referred to, a type unit has none. */
export function hasCode(unit: Unit): boolean {
  return unit.tag === Tag.compileUnit || unit.tag === Tag.skeletonUnit;
}

/**
 * An attribute's address: as it stands, or by its index in .debug_addr. Throws EverflameError for a
 * form that says something else.
 */
export function addressOf(unit: Unit, cursor: EntryCursor, slot: number): number {
  const value = cursor.values[slot] as number;
  const form = cursor.forms[slot] as number;
  if (form === Form.addr) return value;
  if (isAddressIndexForm(form)) return addressAt(unit, value);
  throw damaged(`an address has form 0x${form.toString(16)}`, cursor.position);
}

/** An attribute's offset in a section. */
export function offsetOf(cursor: EntryCursor, slot: number): number {
  const form = cursor.forms[slot] as number;
  if (isOffsetForm(form)) return cursor.values[slot] as number;
  throw damaged(`an offset has form 0x${form.toString(16)}`, cursor.position);
}

/** Throws EverflameError for an index outside .debug_addr. */
export function addressAt(unit: Unit, index: number): number {
  const { addr, addressSize } = unit;
  const at = unit.addrBase + index * addressSize;
  if (at + addressSize > addr.byteLength) throw damaged('an address is not in .debug_addr', at);
  return addressSize === 8 ? u64(addr, at) : addr.getUint32(at, true);
}

/** A string attribute as a text; NO_TEXT for one in a supplementary file that is not here. */
export function textOf(unit: Unit, cursor: EntryCursor, slot: number): TextId {
  const { file } = unit;
  const form = cursor.forms[slot] as number;
  const value = cursor.values[slot] as number;
  if (form === Form.strp) return file.str.text(value);
  if (form === Form.string) {
    const { bytes } = cursor;
    const end = stringEnd(bytes, value, unit.end, file.budget);
    return end === value ? NO_TEXT : file.texts.intern(bytes, value, end);
  }
  if (form === Form.lineStrp) return file.lineStr.text(value);
  if (isStringIndexForm(form)) return file.str.text(stringOffset(unit, value));
  if (isSupplementaryString(form)) {
    return file.supplementary === null ? NO_TEXT : file.supplementary.str.text(value);
  }
  throw damaged(`a name has form 0x${form.toString(16)}`, cursor.position);
}

function stringOffset(unit: Unit, index: number): number {
  const { strOffsets } = unit.file.views;
  const { offsetSize } = unit;
  const at = unit.strOffsetsBase + index * offsetSize;
  if (at + offsetSize > strOffsets.byteLength) {
    throw damaged('a string is not in .debug_str_offsets', at);
  }
  return offsetSize === 8 ? u64(strOffsets, at) : strOffsets.getUint32(at, true);
}

/** A string attribute's bytes, for a name that is only part of another. */
function bytesOf(unit: Unit, cursor: EntryCursor, slot: number): Uint8Array {
  const { file } = unit;
  const form = cursor.forms[slot] as number;
  let start = cursor.values[slot] as number;
  let bytes: Uint8Array;
  if (form === Form.string) bytes = cursor.bytes;
  else if (form === Form.lineStrp) bytes = file.sections.lineStr;
  else if (isSupplementaryString(form)) {
    if (file.supplementary === null) return NO_BYTES;
    bytes = file.supplementary.sections.str;
  } else {
    bytes = file.sections.str;
    if (isStringIndexForm(form)) start = stringOffset(unit, start);
    else if (form !== Form.strp) {
      throw damaged(`a name has form 0x${form.toString(16)}`, cursor.position);
    }
  }
  const end = stringEnd(bytes, start, bytes.length, file.budget);
  return bytes.subarray(start, end);
}
