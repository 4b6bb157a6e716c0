/** Ranges of addresses: a single one, a list of DWARF 2 to 4 or one of DWARF 5 (2.17.3). */
import { EverflameError } from '../../profile/errors.ts';
import { Slot } from './abbreviations.ts';
import { Form, isConstantForm } from './dwarf-codes.ts';
import type { EntryCursor } from './entry-cursor.ts';
import { addressAt, addressOf, offsetOf, type Unit } from './unit.ts';
import { u64 } from './unit-header.ts';
import { damaged } from './work-budget.ts';

/** DWARF 5, 7.25. */
const Rle = {
  endOfList: 0,
  baseAddressx: 1,
  startxEndx: 2,
  startxLength: 3,
  offsetPair: 4,
  baseAddress: 5,
  startEnd: 6,
  startLength: 7,
} as const;

/** What damaged ranges cost of the budget: an error is built. */
const DAMAGED_RANGES_BYTES = 512;

/** The ranges of the entry read last; only those that are not empty and begin in code. */
export class RangeReader {
  count = 0;
  /** Entries whose ranges could not be read to their end. */
  damagedRanges = 0;
  /** Ranges outside the code. */
  droppedRanges = 0;
  /** The first damage met, for people; empty where there was none. */
  firstProblem = '';
  low: Float64Array = new Float64Array(64);
  high: Float64Array = new Float64Array(64);
  readonly #isCode: (address: number) => boolean;
  /** Where the list is read. */
  #at = 0;

  constructor(isCode: (address: number) => boolean) {
    this.#isCode = isCode;
  }

  /**
   * Reads the ranges of an entry. Damage costs those behind it. Throws EverflameError when the
   * budget is used up.
   */
  read(unit: Unit, cursor: EntryCursor): void {
    this.count = 0;
    try {
      this.#readAny(unit, cursor);
    } catch (error) {
      if (!(error instanceof EverflameError) || error.kind === 'too-large') throw error;
      this.damagedRanges++;
      if (this.firstProblem === '') this.firstProblem = error.message;
      unit.file.budget.spend(DAMAGED_RANGES_BYTES);
    }
  }

  #readAny(unit: Unit, cursor: EntryCursor): void {
    if (cursor.has(Slot.lowPc) && cursor.has(Slot.highPc)) {
      const low = addressOf(unit, cursor, Slot.lowPc);
      // From DWARF 4 on a constant is the length.
      const isLength = isConstantForm(cursor.forms[Slot.highPc] as number);
      const high = isLength
        ? low + (cursor.values[Slot.highPc] as number)
        : addressOf(unit, cursor, Slot.highPc);
      this.#add(low, high);
    } else if (cursor.has(Slot.ranges)) {
      if (unit.version < 5) {
        this.#readOldList(unit, offsetOf(cursor, Slot.ranges) + unit.rangesBase);
      } else if (cursor.forms[Slot.ranges] === Form.rnglistx) {
        this.#readList(unit, listOffset(unit, cursor.values[Slot.ranges] as number));
      } else this.#readList(unit, offsetOf(cursor, Slot.ranges) + unit.rnglistsOffset);
    }
  }

  #add(low: number, high: number): void {
    if (low === high) return;
    if (!(low < high) || high > Number.MAX_SAFE_INTEGER || !this.#isCode(low)) {
      this.droppedRanges++;
      return;
    }
    if (this.count === this.low.length) this.#grow();
    this.low[this.count] = low;
    this.high[this.count] = high;
    this.count++;
  }

  #grow(): void {
    const low = new Float64Array(this.low.length * 2);
    const high = new Float64Array(this.low.length * 2);
    low.set(this.low);
    high.set(this.high);
    this.low = low;
    this.high = high;
  }

  /** Pairs of offsets from a base address; the highest address selects another base. */
  #readOldList(unit: Unit, offset: number): void {
    const { ranges, addressSize } = unit;
    let base = unit.baseAddress;
    let at = offset;
    for (;;) {
      if (at + 2 * addressSize > ranges.byteLength) {
        // Each of many units may have one such.
        unit.file.budget.spend(at - offset);
        throw damaged('a range list leaves .debug_ranges', at);
      }
      const low = addressSize === 8 ? u64(ranges, at) : ranges.getUint32(at, true);
      at += addressSize;
      const high = addressSize === 8 ? u64(ranges, at) : ranges.getUint32(at, true);
      at += addressSize;
      if (low === 0 && high === 0) break;
      if (isHighest(ranges, at - 2 * addressSize, addressSize)) base = high;
      else this.#add(base + low, base + high);
    }
    unit.file.budget.spend(at - offset);
  }

  #readList(unit: Unit, offset: number): void {
    this.#at = offset;
    try {
      this.#readEntries(unit);
    } finally {
      unit.file.budget.spend(this.#at - offset);
    }
  }

  #readEntries(unit: Unit): void {
    const { rnglists } = unit.file.views;
    let base = unit.baseAddress;
    for (;;) {
      const kind = this.#byte(rnglists);
      if (kind === Rle.endOfList) break;
      switch (kind) {
        case Rle.baseAddressx:
          base = addressAt(unit, this.#uleb(rnglists));
          break;
        case Rle.baseAddress:
          base = this.#address(rnglists, unit.addressSize);
          break;
        case Rle.offsetPair: {
          const low = base + this.#uleb(rnglists);
          this.#add(low, base + this.#uleb(rnglists));
          break;
        }
        case Rle.startxEndx: {
          const low = addressAt(unit, this.#uleb(rnglists));
          this.#add(low, addressAt(unit, this.#uleb(rnglists)));
          break;
        }
        case Rle.startxLength: {
          const low = addressAt(unit, this.#uleb(rnglists));
          this.#add(low, low + this.#uleb(rnglists));
          break;
        }
        case Rle.startEnd: {
          const low = this.#address(rnglists, unit.addressSize);
          this.#add(low, this.#address(rnglists, unit.addressSize));
          break;
        }
        case Rle.startLength: {
          const low = this.#address(rnglists, unit.addressSize);
          this.#add(low, low + this.#uleb(rnglists));
          break;
        }
        default:
          throw damaged(`a range list has an entry of kind ${kind}`, this.#at - 1);
      }
    }
  }

  #byte(view: DataView): number {
    if (this.#at >= view.byteLength) throw damaged('a range list leaves .debug_rnglists', this.#at);
    return view.getUint8(this.#at++);
  }

  #uleb(view: DataView): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#byte(view);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale = Math.min(scale * 128, 2 ** 70);
    }
  }

  #address(view: DataView, size: number): number {
    const at = this.#at;
    this.#at = at + size;
    if (this.#at > view.byteLength) throw damaged('a range list leaves .debug_rnglists', at);
    return size === 8 ? u64(view, at) : view.getUint32(at, true);
  }
}

function isHighest(view: DataView, at: number, size: number): boolean {
  if (view.getUint32(at, true) !== 0xffffffff) return false;
  return size === 4 || view.getUint32(at + 4, true) === 0xffffffff;
}

/** Where the list with an index is: offsets from the base are in a table there (7.28). */
function listOffset(unit: Unit, index: number): number {
  const { rnglists } = unit.file.views;
  const { offsetSize, rnglistsBase } = unit;
  const at = rnglistsBase + index * offsetSize;
  if (at + offsetSize > rnglists.byteLength) {
    throw damaged('a range list is not in .debug_rnglists', at);
  }
  return rnglistsBase + (offsetSize === 8 ? u64(rnglists, at) : rnglists.getUint32(at, true));
}
