/** A cursor over the entries of .debug_info: runs abbreviations' programs, fills the slots. */
import {
  type AbbreviationTable,
  type FormSizes,
  formSize,
  Op,
  SLOT_COUNT,
  Slot,
} from './abbreviations.ts';
import { Form } from './dwarf-codes.ts';
import { damaged } from './work-budget.ts';

const EMPTY = new Uint8Array();
/** Padding may go on for ever; what is added to a value must stay a number. */
const MAX_SCALE = 2 ** 77;

export class EntryCursor {
  bytes: Uint8Array = EMPTY;
  view: DataView = new DataView(EMPTY.buffer);
  position = 0;
  /** The end of the unit that the cursor is in. */
  end = 0;
  /** Bit `slot` = the entry has that attribute; only then its value and form count. */
  seen = 0;
  /**
   * Numbers are exact up to 2^53. A string's value is where it begins: in .debug_info for
   * DW_FORM_string, else in its section, or its index.
   */
  readonly values: Float64Array = new Float64Array(SLOT_COUNT);
  readonly forms: Int32Array = new Int32Array(SLOT_COUNT);
  /** Where the last DW_AT_GNU_dwo_id is. */
  dwoIdAt = 0;
  #sizes: FormSizes = { version: 5, addressSize: 8, offsetSize: 4 };

  /** Goes to a place in a section of entries; `end` is checked to be in it. */
  enter(view: DataView, bytes: Uint8Array, position: number, end: number, sizes: FormSizes): void {
    if (position > end || end > bytes.length) throw damaged('an entry is in no unit', position);
    this.view = view;
    this.bytes = bytes;
    this.position = position;
    this.end = end;
    this.#sizes = sizes;
  }

  has(slot: number): boolean {
    return (this.seen & (1 << slot)) !== 0;
  }

  /** Not exact above 2^53. */
  uleb(): number {
    const { bytes } = this;
    let at = this.position;
    let byte = bytes[at++] as number;
    let value = byte & 0x7f;
    let scale = 128;
    while (byte >= 0x80 && at < this.end) {
      byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      scale = Math.min(scale * 128, MAX_SCALE);
    }
    this.position = at;
    return value;
  }

  sleb(): number {
    const { bytes } = this;
    let at = this.position;
    let value = 0;
    let scale = 1;
    let byte = 0x80;
    while (byte >= 0x80 && at < this.end) {
      byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      scale = Math.min(scale * 128, MAX_SCALE);
    }
    this.position = at;
    return (byte & 0x40) !== 0 ? value - scale : value;
  }

  /** Reads the attributes of an entry, the cursor being behind its code. */
  readAttributes(table: AbbreviationTable, row: number): void {
    const { program } = table;
    let i = table.start[row] as number;
    let seen = 0;
    for (;;) {
      const op = program[i++] as number;
      if (op >= Op.read) {
        const slot = op - Op.read;
        const form = program[i++] as number;
        const operand = program[i++] as number;
        this.forms[slot] = form;
        if (form === Form.implicitConst) this.values[slot] = notBelow0(operand);
        else if (operand >= 0) this.values[slot] = this.#fixed(operand);
        else this.values[slot] = this.#read(form, slot);
        seen |= 1 << slot;
        // Not `form`, which may be indirect.
        if (slot === Slot.dwoId && this.forms[slot] === Form.data8) {
          this.dwoIdAt = this.position - 8;
        }
      } else if (op === Op.skip) this.position += program[i++] as number;
      else if (op === Op.end) break;
      else this.#skip(op);
      if (this.position > this.end) throw damaged('an entry leaves its unit', this.position);
    }
    this.seen = seen;
  }

  /** DW_AT_GNU_dwo_id, all 64 bits of it. */
  dwoId(): bigint {
    return this.view.getBigUint64(this.dwoIdAt, true);
  }

  #skip(op: number): void {
    const { bytes } = this;
    switch (op) {
      case Op.leb:
        while ((bytes[this.position++] as number) >= 0x80);
        break;
      case Op.string:
        this.#skipString();
        break;
      case Op.block1:
        this.#skipBytes(this.#fixed(1));
        break;
      case Op.block2:
        this.#skipBytes(this.#fixed(2));
        break;
      case Op.block4:
        this.#skipBytes(this.#fixed(4));
        break;
      case Op.block:
        this.#skipBytes(this.uleb());
        break;
      case Op.indirect:
        this.#readIndirect(-1);
        break;
      default:
        throw damaged('an attribute has an unknown form', this.position);
    }
  }

  #skipBytes(length: number): void {
    this.position += length;
  }

  #skipString(): void {
    const { bytes } = this;
    let at = this.position;
    while (at < this.end && bytes[at] !== 0) at++;
    this.position = at + 1;
  }

  #readIndirect(slot: number): number {
    const form = this.uleb();
    // Neither says anything here: the constant is missing, the form could name itself for ever.
    if (form === Form.implicitConst || form === Form.indirect) {
      throw damaged('an indirect form is none', this.position);
    }
    if (slot >= 0) this.forms[slot] = form;
    return this.#read(form, slot);
  }

  /** The value of a form; blocks and 16 bytes of data have none. */
  #read(form: number, slot: number): number {
    const at = this.position;
    switch (form) {
      case Form.string:
        this.#skipString();
        return at;
      case Form.udata:
      case Form.refUdata:
      case Form.strx:
      case Form.addrx:
      case Form.loclistx:
      case Form.rnglistx:
      case Form.gnuAddrIndex:
      case Form.gnuStrIndex:
        return this.uleb();
      case Form.sdata:
        return notBelow0(this.sleb());
      case Form.block1:
        return this.#skipBlock(Op.block1);
      case Form.block2:
        return this.#skipBlock(Op.block2);
      case Form.block4:
        return this.#skipBlock(Op.block4);
      case Form.block:
      case Form.exprloc:
        return this.#skipBlock(Op.block);
      case Form.flagPresent:
        return 1;
      case Form.indirect:
        return this.#readIndirect(slot);
      default:
        return this.#fixed(formSize(form, this.#sizes));
    }
  }

  #skipBlock(op: number): number {
    this.#skip(op);
    return 0;
  }

  #fixed(size: number): number {
    const { view } = this;
    const at = this.position;
    if (size < 0) throw damaged('an attribute has an unknown form', at);
    this.position = at + size;
    if (this.position > this.end) throw damaged('an entry leaves its unit', at);
    switch (size) {
      case 1:
        return view.getUint8(at);
      case 2:
        return view.getUint16(at, true);
      case 3:
        return view.getUint16(at, true) + view.getUint8(at + 2) * 65_536;
      case 4:
        return view.getUint32(at, true);
      case 8:
        return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      default:
        return 0;
    }
  }
}

/** Offsets, addresses and numbers of lines are all that is read: below 0 is outside of all. */
function notBelow0(value: number): number {
  return value >= 0 ? value : 2 ** 53;
}
