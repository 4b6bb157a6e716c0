/**
 * One walk over the entries of a unit: finds the functions with code and the calls inlined into
 * them. Most entries are types and variables and are only stepped over.
 */
import { NO_TEXT } from '../code-piece.ts';
import { EntryKind, findAbbreviation, Slot } from './abbreviations.ts';
import { isConstantForm } from './dwarf-codes.ts';
import { EntryCursor } from './entry-cursor.ts';
import type { EntryNames } from './entry-names.ts';
import type { RangeReader } from './range-reader.ts';
import type { Unit } from './unit.ts';
import { NONE, type UnitScopes } from './unit-scopes.ts';
import { damaged } from './work-budget.ts';

/** Entries inside each other; C++ and Rust programs reach 200. */
const MAX_ENTRY_DEPTH = 4_096;
/** DW_AT_language of C, C++ and their kin (DWARF 5, 7.12, and codes assigned since). */
const C_FAMILY = new Set([
  0x01, 0x02, 0x04, 0x0c, 0x10, 0x11, 0x12, 0x19, 0x1a, 0x1d, 0x21, 0x2a, 0x2b, 0x2c,
]);

/** No table has as many files, and no file as many lines. */
const NO_INDEX = 0x7fffffff;

export class UnitWalk {
  /** Inlined calls that are in no function. */
  droppedCalls = 0;
  /** Inlined calls whose line is no number of 31 bits. */
  damagedLines = 0;
  readonly #cursor = new EntryCursor();
  readonly #scopes: UnitScopes;
  readonly #names: EntryNames;
  readonly #ranges: RangeReader;
  /** By depth: the scope that the entries around are in. */
  readonly #outer: Int32Array = new Int32Array(MAX_ENTRY_DEPTH);

  constructor(scopes: UnitScopes, names: EntryNames, ranges: RangeReader) {
    this.#scopes = scopes;
    this.#names = names;
    this.#ranges = ranges;
  }

  /** Adds to the scopes. Throws EverflameError where the unit is damaged. */
  run(unit: Unit): void {
    const cursor = this.#cursor;
    const { abbreviations: table, firstEntry, end, file } = unit;
    const { kind: kinds, hasChildren, fixedSize } = table;
    const outer = this.#outer;
    // In C and C++ only a type inside a function has functions with code inside.
    const skipsTypes = C_FAMILY.has(unit.language);
    cursor.enter(file.views.info, file.sections.info, firstEntry, end, unit);
    let depth = 0;
    let scope = NONE;
    while (cursor.position < end) {
      const offset = cursor.position;
      const code = cursor.uleb();
      if (code === 0) {
        if (depth === 0) break;
        scope = outer[--depth] as number;
        if (depth === 0) break;
        continue;
      }
      const row = findAbbreviation(table, code);
      if (row < 0) throw damaged('an entry has an unknown abbreviation', offset);
      const kind = kinds[row] as number;
      let inner = scope;
      if (kind === EntryKind.plain) {
        const size = fixedSize[row] as number;
        if (size >= 0) cursor.position += size;
        else cursor.readAttributes(table, row);
      } else {
        cursor.readAttributes(table, row);
        if (kind === EntryKind.subprogram || kind === EntryKind.inlined) {
          inner = this.#addFunction(unit, kind, offset, scope, hasChildren[row] === 1);
        } else if (skipsTypes && scope === NONE && this.#skipChildren(unit)) continue;
      }
      if (hasChildren[row] === 1) {
        if (depth === MAX_ENTRY_DEPTH) {
          throw damaged(`entries are inside each other MAX_ENTRY_DEPTH = ${depth} times`, offset);
        }
        outer[depth++] = scope;
        scope = inner;
      } else if (depth === 0) break;
    }
    if (cursor.position > end) throw damaged('an entry leaves its unit', end);
    // Zeros are padding.
    for (let at = cursor.position; at < end; at++) {
      if (cursor.bytes[at] !== 0) throw damaged('a unit goes on after its last entry', at);
    }
  }

  /** Goes to the next entry of the same depth if the entry names it: only ever forward. */
  #skipChildren(unit: Unit): boolean {
    const cursor = this.#cursor;
    if (!cursor.has(Slot.sibling)) return false;
    const sibling = unit.start + (cursor.values[Slot.sibling] as number);
    if (sibling <= cursor.position || sibling > unit.end) return false;
    cursor.position = sibling;
    return true;
  }

  /** The scope of what is inside. */
  #addFunction(
    unit: Unit,
    kind: number,
    offset: number,
    outer: number,
    hasChildren: boolean,
  ): number {
    const cursor = this.#cursor;
    const isInlined = kind === EntryKind.inlined;
    // An inlined call in no function is in no stack either.
    if (isInlined && outer === NONE) {
      this.droppedCalls++;
      return NONE;
    }
    const ranges = this.#ranges;
    ranges.read(unit, cursor);
    if (ranges.count === 0 && !hasChildren) return outer;
    const scopes = this.#scopes;
    let scope: number;
    if (isInlined) {
      const name = this.#names.ofEntry(unit, cursor, offset);
      const file = cursor.has(Slot.callFile) ? indexOf(cursor, Slot.callFile) : NONE;
      let line = cursor.has(Slot.callLine) ? indexOf(cursor, Slot.callLine) : 0;
      if (line === NO_INDEX) {
        this.damagedLines++;
        line = 0;
      }
      scope = scopes.addScope(outer, name, file, line);
    } else {
      const name = ranges.count === 0 ? NO_TEXT : this.#names.ofEntry(unit, cursor, offset);
      scope = scopes.addScope(NONE, name, NONE, 0);
    }
    for (let i = 0; i < ranges.count; i++) {
      scopes.addRange(scope, ranges.low[i] as number, ranges.high[i] as number);
    }
    return scope;
  }
}

/** A constant that fits the columns, else NO_INDEX. */
function indexOf(cursor: EntryCursor, slot: number): number {
  const value = cursor.values[slot] as number;
  const isIndex = value >= 0 && value < NO_INDEX && isConstantForm(cursor.forms[slot] as number);
  return isIndex ? value : NO_INDEX;
}
