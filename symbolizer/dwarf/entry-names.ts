/**
 * Names of functions. An entry of code often has none itself but refers to the entry that was
 * declared or inlined, in this unit, another one or the supplementary file.
 */
import { EverflameError } from '../../profile/errors.ts';
import { NO_TEXT, type TextId } from '../code-piece.ts';
import { EntryKind, findAbbreviation, Slot } from './abbreviations.ts';
import { Form, isSupplementaryReference, isSupplementaryString } from './dwarf-codes.ts';
import type { DwarfFile } from './dwarf-file.ts';
import { EntryCursor } from './entry-cursor.ts';
import { NOT_KNOWN, OffsetTexts } from './offset-texts.ts';
import { textOf, type Unit } from './unit.ts';
import { damaged } from './work-budget.ts';

/** Entries from one to the next until there is a name; compilers need three. */
const MAX_REFERENCES = 16;
/** What a name that cannot be read costs of the budget: an error is built. */
const DAMAGED_NAME_BYTES = 512;

/** Names of the entries of one file, each looked up once. */
export class EntryNames {
  /** References into a supplementary file that is not here. */
  missingSupplementary = 0;
  /** Names that could not be read. */
  damagedNames = 0;
  /** The first damage met, for people; empty where there was none. */
  firstProblem = '';
  readonly #cursor = new EntryCursor();
  /** By the file that the entry is in, by its offset there. */
  readonly #known = new Map<DwarfFile, OffsetTexts>();
  /** The name found last, for where the rest of its chain is damaged. */
  #name: TextId = NO_TEXT;
  /** Whether an entry of that chain has an attribute with a name. */
  #isNamed = false;
  #file: DwarfFile | null = null;
  #ofFile = new OffsetTexts();

  /**
   * The linkage name, wherever in the chain it is, else the first name, of an entry whose
   * attributes have just been read; NO_TEXT for a function without a name.
   */
  ofEntry(unit: Unit, cursor: EntryCursor, offset: number): TextId {
    if (!cursor.has(Slot.linkageName) && !cursor.has(Slot.name)) {
      const { specification, abstractOrigin } = Slot;
      if (cursor.has(specification)) return this.#ofReference(unit, cursor, specification);
      if (cursor.has(abstractOrigin)) return this.#ofReference(unit, cursor, abstractOrigin);
      return NO_TEXT;
    }
    return this.#guarded(unit.file, offset);
  }

  #ofReference(unit: Unit, cursor: EntryCursor, slot: number): TextId {
    const form = cursor.forms[slot] as number;
    const file = this.#target(unit, form);
    if (file === null) {
      if (!isSupplementaryReference(form)) {
        this.damagedNames++;
        this.firstProblem ||= 'a function refers to a type unit, or to another unit of a package';
      }
      return NO_TEXT;
    }
    const offset = targetOffset(unit, form, cursor.values[slot] as number);
    if (this.#file !== file) this.#switchTo(file);
    const known = this.#ofFile.get(offset);
    if (known !== NOT_KNOWN) return known as TextId;
    const text = this.#guarded(file, offset);
    this.#ofFile.set(offset, text);
    return text;
  }

  #switchTo(file: DwarfFile): void {
    let ofFile = this.#known.get(file);
    if (ofFile === undefined) {
      ofFile = new OffsetTexts();
      this.#known.set(file, ofFile);
    }
    this.#file = file;
    this.#ofFile = ofFile;
  }

  /** Split files are read one after the other; what was known of one is not asked for again. */
  forget(file: DwarfFile): void {
    this.#known.delete(file);
    if (this.#file === file) this.#file = null;
  }

  /** Damage costs the better names behind it. An exhausted budget is no such damage. */
  #guarded(file: DwarfFile, offset: number): TextId {
    try {
      const missing = this.missingSupplementary;
      const name = this.#follow(file, offset);
      // One without a name attribute is whole: clang's -g1 names no function that it made itself.
      if (name === NO_TEXT && this.#isNamed && this.missingSupplementary === missing) {
        this.damagedNames++;
        this.firstProblem ||= `the name of the function at 0x${offset.toString(16)} is empty`;
      }
      return name;
    } catch (error) {
      if (!(error instanceof EverflameError) || error.kind === 'too-large') throw error;
      this.damagedNames++;
      this.firstProblem ||= error.message;
      file.budget.spend(DAMAGED_NAME_BYTES);
      return this.#name;
    }
  }

  #follow(start: DwarfFile, startOffset: number): TextId {
    const cursor = this.#cursor;
    let file = start;
    let offset = startOffset;
    this.#name = NO_TEXT;
    this.#isNamed = false;
    for (let i = 0; i < MAX_REFERENCES; i++) {
      const unit = file.unitAt(offset);
      if (unit === null) throw damaged('an entry refers to no unit', offset);
      cursor.enter(file.views.info, file.sections.info, offset, unit.end, unit);
      this.#readFunction(unit);
      file.budget.spend(cursor.position - offset);
      this.#isNamed ||= cursor.has(Slot.linkageName) || cursor.has(Slot.name);
      if (cursor.has(Slot.linkageName)) return this.#text(unit, cursor, Slot.linkageName);
      if (this.#name === NO_TEXT && cursor.has(Slot.name)) {
        this.#name = this.#text(unit, cursor, Slot.name);
      }
      let slot: number = Slot.specification;
      if (!cursor.has(slot)) slot = Slot.abstractOrigin;
      if (!cursor.has(slot)) return this.#name;
      const form = cursor.forms[slot] as number;
      const next = this.#target(unit, form);
      if (next === null) return this.#name;
      offset = targetOffset(unit, form, cursor.values[slot] as number);
      file = next;
    }
    throw damaged(`a name is over MAX_REFERENCES = ${MAX_REFERENCES} entries away`, startOffset);
  }

  #text(unit: Unit, cursor: EntryCursor, slot: number): TextId {
    const isElsewhere = isSupplementaryString(cursor.forms[slot] as number);
    if (isElsewhere && unit.file.supplementary === null) this.missingSupplementary++;
    return textOf(unit, cursor, slot);
  }

  /** Reads the attributes of the entry at the cursor. */
  #readFunction(unit: Unit): void {
    const cursor = this.#cursor;
    const row = findAbbreviation(unit.abbreviations, cursor.uleb());
    if (row < 0) throw damaged('an entry has an unknown abbreviation', cursor.position);
    const kind = unit.abbreviations.kind[row];
    if (kind !== EntryKind.subprogram && kind !== EntryKind.inlined) {
      throw damaged('a function refers to an entry that is none', cursor.position);
    }
    cursor.readAttributes(unit.abbreviations, row);
  }

  #target(unit: Unit, form: number): DwarfFile | null {
    // Type units are not read. A package does not tell which file a unit's references are relative
    // to: that file may have had several units, and each has a contribution of its own.
    if (form === Form.refSig8 || (form === Form.refAddr && unit.file.isPackage)) return null;
    if (!isSupplementaryReference(form)) return unit.file;
    if (unit.file.supplementary === null) this.missingSupplementary++;
    return unit.file.supplementary;
  }
}

/** Of a reference: in the section of the file that it refers to. */
function targetOffset(unit: Unit, form: number, value: number): number {
  return form === Form.refAddr || isSupplementaryReference(form) ? value : unit.start + value;
}
