/** The headers of units (DWARF 5, 7.5.1; DWARF 4, 7.5.1.1). */
import { UnitType } from './dwarf-codes.ts';
import { damaged, unsupported } from './work-budget.ts';

const ESCAPE_64 = 0xffffffff;
const FIRST_RESERVED_LENGTH = 0xfffffff0;

export interface UnitHeader {
  /** Where the unit is in its section, and where it ends. */
  start: number;
  end: number;
  version: number;
  /** 4 or 8. */
  addressSize: number;
  /** 4 in 32-bit DWARF, 8 in 64-bit DWARF. */
  offsetSize: number;
  /** UnitType; `compile` before DWARF 5, where the first entry's tag says more. */
  type: number;
  abbrevOffset: number;
  /** DWARF 5's skeleton and split units. */
  dwoId: bigint | null;
  /** Where the first entry is. */
  firstEntry: number;
}

/** Where the unit at `start` says that it ends; infinity where it says nothing. */
export function unitEnd(view: DataView, start: number): number {
  if (start + 4 > view.byteLength) return Number.POSITIVE_INFINITY;
  const length = view.getUint32(start, true);
  if (length < FIRST_RESERVED_LENGTH) return start + 4 + length;
  if (length !== ESCAPE_64 || start + 12 > view.byteLength) return Number.POSITIVE_INFINITY;
  return start + 12 + u64(view, start + 4);
}

/** Throws EverflameError for a header that is damaged or of another version than 2 to 5. */
export function readUnitHeader(view: DataView, start: number): UnitHeader {
  const end = unitEnd(view, start);
  if (end > view.byteLength) throw damaged('a unit leaves its section', start);
  const offsetSize = view.getUint32(start, true) === ESCAPE_64 ? 8 : 4;
  let at = start + (offsetSize === 8 ? 12 : 4);
  if (at + 2 > end) throw damaged('a unit is shorter than its header', start);
  const version = view.getUint16(at, true);
  at += 2;
  if (version < 2 || version > 5) throw unsupported(`a unit of version ${version}`, start);
  if (at + (version >= 5 ? 2 : 1) + offsetSize > end) {
    throw damaged('a unit is shorter than its header', start);
  }
  const type = version >= 5 ? view.getUint8(at++) : UnitType.compile;
  let addressSize = version >= 5 ? view.getUint8(at++) : 0;
  const abbrevOffset = offsetSize === 8 ? u64(view, at) : view.getUint32(at, true);
  at += offsetSize;
  if (version < 5) addressSize = view.getUint8(at++);
  if (addressSize !== 4 && addressSize !== 8) {
    throw unsupported(`a unit with addresses of ${addressSize} bytes`, start);
  }
  let dwoId: bigint | null = null;
  if (type === UnitType.skeleton || type === UnitType.splitCompile) {
    if (at + 8 > end) throw damaged('a unit is shorter than its header', start);
    dwoId = view.getBigUint64(at, true);
    at += 8;
  } else if (type === UnitType.type || type === UnitType.splitType) at += 8 + offsetSize;
  if (at > end) throw damaged('a unit is shorter than its header', start);
  return {
    start,
    end,
    version,
    addressSize,
    offsetSize,
    type,
    abbrevOffset,
    dwoId,
    firstEntry: at,
  };
}

/** Not exact above 2^53, where nothing is. */
export function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
