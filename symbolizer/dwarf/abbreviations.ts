/**
 * Abbreviation tables (DWARF 5, 7.5.3), each abbreviation compiled into a short program: the
 * attributes that matter are read into slots, runs of the others are skipped in one addition.
 */
import { Attribute, Form, Tag } from './dwarf-codes.ts';
import { damaged, type WorkBudget } from './work-budget.ts';

/** Where the values of an entry go; each is a bit of `EntryCursor.seen` too. */
export const Slot = {
  sibling: 0,
  name: 1,
  linkageName: 2,
  lowPc: 3,
  highPc: 4,
  ranges: 5,
  abstractOrigin: 6,
  specification: 7,
  callFile: 8,
  callLine: 9,
  stmtList: 10,
  compDir: 11,
  language: 12,
  entryPc: 13,
  strOffsetsBase: 14,
  addrBase: 15,
  rnglistsBase: 16,
  dwoId: 17,
  gnuRangesBase: 18,
} as const;
export const SLOT_COUNT = 19;

/** What an entry means to whoever walks over them. */
export const EntryKind = { plain: 0, subprogram: 1, inlined: 2, type: 3, unit: 4 } as const;

/** The programs' operations. From `read` on, the slot is added to the number. */
export const Op = {
  end: 0,
  /** Operand: bytes. */
  skip: 1,
  leb: 2,
  string: 3,
  block1: 4,
  block2: 5,
  block4: 6,
  block: 7,
  indirect: 8,
  unknown: 9,
  /** Operands: form, its size (-1 = not fixed) or DW_FORM_implicit_const's constant. */
  read: 16,
} as const;

/** What decides on the size of forms. */
export interface FormSizes {
  version: number;
  /** 4 or 8. */
  addressSize: number;
  /** 4 in 32-bit DWARF, 8 in 64-bit DWARF. */
  offsetSize: number;
}

/** Codes up to this per abbreviation are found by indexing; compilers number from 1. */
const DENSE_CODES = 2;
const MIN_DENSE_CODES = 64;
/** A table costs at least this of the budget: it is an object. */
const MIN_TABLE_BYTES = 256;

export interface AbbreviationTable {
  /** The row of an abbreviation code, or -1. */
  dense: Int32Array;
  sparse: Map<number, number>;
  tag: Int32Array;
  kind: Uint8Array;
  hasChildren: Uint8Array;
  /** Bytes of an entry of which nothing is read and whose size is always the same, else -1. */
  fixedSize: Int32Array;
  /** Where a row's program begins in `program`. */
  start: Int32Array;
  program: Int32Array;
}

export function findAbbreviation(table: AbbreviationTable, code: number): number {
  if (code < table.dense.length) return table.dense[code] as number;
  return table.sparse.get(code) ?? -1;
}

/** Reads the table at an offset of .debug_abbrev. Throws EverflameError where it is damaged. */
export function readAbbreviations(
  bytes: Uint8Array,
  offset: number,
  sizes: FormSizes,
  budget: WorkBudget,
): AbbreviationTable {
  const reader = new AbbreviationReader(bytes, offset, sizes);
  while (reader.readOne());
  budget.spend(Math.max(MIN_TABLE_BYTES, reader.at - offset));
  return reader.table();
}

class AbbreviationReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #sizes: FormSizes;
  readonly #codes: number[] = [];
  readonly #tags: number[] = [];
  readonly #children: number[] = [];
  readonly #fixedSizes: number[] = [];
  readonly #starts: number[] = [];
  readonly #program: number[] = [];

  constructor(bytes: Uint8Array, offset: number, sizes: FormSizes) {
    this.#bytes = bytes;
    this.#sizes = sizes;
    this.at = offset;
  }

  /** False at the end of the table. */
  readOne(): boolean {
    const code = this.#uleb();
    if (code === 0) return false;
    const tag = this.#uleb();
    this.#codes.push(code);
    this.#tags.push(tag);
    this.#children.push(this.#byte() === 0 ? 0 : 1);
    this.#compile(entryKind(tag));
    return true;
  }

  table(): AbbreviationTable {
    const codes = this.#codes;
    const dense = new Int32Array(MIN_DENSE_CODES + DENSE_CODES * codes.length).fill(-1);
    const sparse = new Map<number, number>();
    // Backwards, because the first of equal codes counts.
    for (let row = codes.length - 1; row >= 0; row--) {
      const code = codes[row] as number;
      if (code < dense.length) dense[code] = row;
      else sparse.set(code, row);
    }
    return {
      dense,
      sparse,
      tag: Int32Array.from(this.#tags),
      kind: Uint8Array.from(this.#tags, entryKind),
      hasChildren: Uint8Array.from(this.#children),
      fixedSize: Int32Array.from(this.#fixedSizes),
      start: Int32Array.from(this.#starts),
      program: Int32Array.from(this.#program),
    };
  }

  #compile(kind: number): void {
    const program = this.#program;
    const start = program.length;
    this.#starts.push(start);
    let taken = 0;
    let pending = 0;
    for (;;) {
      const attribute = this.#uleb();
      const form = this.#uleb();
      const constant = form === Form.implicitConst ? this.#sleb() : 0;
      if (attribute === 0 && form === 0) break;
      const slot = slotOf(attribute, kind);
      const isRead = slot >= 0 && (taken & (1 << slot)) === 0;
      const size = formSize(form, this.#sizes);
      if (!isRead && size >= 0) {
        pending += size;
        continue;
      }
      if (pending > 0) program.push(Op.skip, pending);
      pending = 0;
      if (isRead) {
        taken |= 1 << slot;
        program.push(Op.read + slot, form, form === Form.implicitConst ? constant : size);
      } else program.push(skipOperation(form));
    }
    const isFixed = program.length === start;
    this.#fixedSizes.push(isFixed ? pending : -1);
    if (pending > 0) program.push(Op.skip, pending);
    program.push(Op.end);
  }

  #byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw damaged('a table of abbreviations has no end', this.at);
    this.at++;
    return byte;
  }

  #uleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale = Math.min(scale * 128, 2 ** 70);
    }
  }

  /** Of 32 bits; constants in abbreviations are lines and numbers of files. */
  #sleb(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.#byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && (byte & 0x40) !== 0 ? value | (-1 << shift) : value;
    }
  }
}

function entryKind(tag: number): number {
  switch (tag) {
    case Tag.subprogram:
      return EntryKind.subprogram;
    case Tag.inlinedSubroutine:
      return EntryKind.inlined;
    case Tag.classType:
    case Tag.structureType:
    case Tag.unionType:
    case Tag.interfaceType:
    case Tag.enumerationType:
      return EntryKind.type;
    case Tag.compileUnit:
    case Tag.partialUnit:
    case Tag.skeletonUnit:
    case Tag.typeUnit:
      return EntryKind.unit;
    default:
      return EntryKind.plain;
  }
}

const FUNCTION_SLOTS = new Map<number, number>([
  [Attribute.name, Slot.name],
  [Attribute.linkageName, Slot.linkageName],
  [Attribute.mipsLinkageName, Slot.linkageName],
  [Attribute.lowPc, Slot.lowPc],
  [Attribute.highPc, Slot.highPc],
  [Attribute.ranges, Slot.ranges],
  [Attribute.abstractOrigin, Slot.abstractOrigin],
  [Attribute.specification, Slot.specification],
  [Attribute.callFile, Slot.callFile],
  [Attribute.callLine, Slot.callLine],
]);

const UNIT_SLOTS = new Map<number, number>([
  [Attribute.name, Slot.name],
  [Attribute.lowPc, Slot.lowPc],
  [Attribute.highPc, Slot.highPc],
  [Attribute.ranges, Slot.ranges],
  [Attribute.entryPc, Slot.entryPc],
  [Attribute.stmtList, Slot.stmtList],
  [Attribute.compDir, Slot.compDir],
  [Attribute.language, Slot.language],
  [Attribute.strOffsetsBase, Slot.strOffsetsBase],
  [Attribute.addrBase, Slot.addrBase],
  [Attribute.gnuAddrBase, Slot.addrBase],
  [Attribute.rnglistsBase, Slot.rnglistsBase],
  [Attribute.gnuDwoId, Slot.dwoId],
  [Attribute.gnuRangesBase, Slot.gnuRangesBase],
]);

/** The slot that an attribute is read into, or -1. */
function slotOf(attribute: number, kind: number): number {
  switch (kind) {
    case EntryKind.subprogram:
    case EntryKind.inlined:
      return FUNCTION_SLOTS.get(attribute) ?? -1;
    case EntryKind.unit:
      return UNIT_SLOTS.get(attribute) ?? -1;
    case EntryKind.type:
      return attribute === Attribute.sibling ? Slot.sibling : -1;
    default:
      return -1;
  }
}

/** Bytes of a form whose size does not depend on its value, else -1. */
export function formSize(form: number, sizes: FormSizes): number {
  switch (form) {
    case Form.implicitConst:
    case Form.flagPresent:
      return 0;
    case Form.data1:
    case Form.ref1:
    case Form.flag:
    case Form.strx1:
    case Form.addrx1:
      return 1;
    case Form.data2:
    case Form.ref2:
    case Form.strx2:
    case Form.addrx2:
      return 2;
    case Form.strx3:
    case Form.addrx3:
      return 3;
    case Form.data4:
    case Form.ref4:
    case Form.refSup4:
    case Form.strx4:
    case Form.addrx4:
      return 4;
    case Form.data8:
    case Form.ref8:
    case Form.refSup8:
    case Form.refSig8:
      return 8;
    case Form.data16:
      return 16;
    case Form.addr:
      return sizes.addressSize;
    case Form.refAddr:
      return sizes.version <= 2 ? sizes.addressSize : sizes.offsetSize;
    case Form.secOffset:
    case Form.strp:
    case Form.lineStrp:
    case Form.strpSup:
    case Form.gnuRefAlt:
    case Form.gnuStrpAlt:
      return sizes.offsetSize;
    default:
      return -1;
  }
}

function skipOperation(form: number): number {
  switch (form) {
    case Form.udata:
    case Form.sdata:
    case Form.refUdata:
    case Form.strx:
    case Form.addrx:
    case Form.loclistx:
    case Form.rnglistx:
    case Form.gnuAddrIndex:
    case Form.gnuStrIndex:
      return Op.leb;
    case Form.string:
      return Op.string;
    case Form.block1:
      return Op.block1;
    case Form.block2:
      return Op.block2;
    case Form.block4:
      return Op.block4;
    case Form.block:
    case Form.exprloc:
      return Op.block;
    case Form.indirect:
      return Op.indirect;
    default:
      return Op.unknown;
  }
}
