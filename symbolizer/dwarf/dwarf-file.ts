/** One set of DWARF sections: its units by offset, its abbreviations and its strings. */
import { MAX_DWARF_UNITS } from '../../profile/limits.ts';
import type { Texts } from '../code-piece.ts';
import { type AbbreviationTable, type FormSizes, readAbbreviations } from './abbreviations.ts';
import type { DwarfSections } from './dwarf-input.ts';
import { EntryCursor } from './entry-cursor.ts';
import { StringSection } from './string-section.ts';
import { openUnit, type Unit } from './unit.ts';
import { unitEnd } from './unit-header.ts';
import { damaged, type WorkBudget } from './work-budget.ts';

/** Of a unit's length, which does not count itself. */
const LENGTH_BYTES = 4;
/** What stays in memory; more is read again when it is needed. */
const MAX_CACHED_UNITS = 4_096;
const MAX_CACHED_OPERATIONS = 8_000_000;

export interface SectionViews {
  info: DataView;
  addr: DataView;
  ranges: DataView;
  rnglists: DataView;
  strOffsets: DataView;
}

export class DwarfFile {
  readonly sections: DwarfSections;
  readonly views: SectionViews;
  /** What DW_FORM_GNU_ref_alt and its like refer to; null = there is none, or it is not here. */
  readonly supplementary: DwarfFile | null;
  readonly str: StringSection;
  readonly lineStr: StringSection;
  readonly texts: Texts;
  readonly budget: WorkBudget;
  /** Its units can only be opened by whoever found them in the package's index. */
  readonly isPackage: boolean;
  /** For the first entries of units. */
  readonly unitCursor = new EntryCursor();
  #units: UnitList | null = null;
  #last: Unit | null = null;
  readonly #opened = new Map<number, Unit>();
  readonly #tables = new Map<number, AbbreviationTable>();
  #operations = 0;

  constructor(
    sections: DwarfSections,
    supplementary: DwarfFile | null,
    texts: Texts,
    budget: WorkBudget,
    isPackage = false,
  ) {
    this.isPackage = isPackage;
    this.sections = sections;
    this.supplementary = supplementary;
    this.texts = texts;
    this.budget = budget;
    this.str = new StringSection(sections.str, texts, budget);
    this.lineStr = new StringSection(sections.lineStr, texts, budget);
    this.views = {
      info: viewOf(sections.info),
      addr: viewOf(sections.addr),
      ranges: viewOf(sections.ranges),
      rnglists: viewOf(sections.rnglists),
      strOffsets: viewOf(sections.strOffsets),
    };
  }

  /** The units, up to the first whose length cannot be right. */
  units(): UnitList {
    this.#units ??= listUnits(this.views.info);
    return this.#units;
  }

  /** The unit that an offset of .debug_info lies in, or null. May throw EverflameError. */
  unitAt(offset: number): Unit | null {
    const last = this.#last;
    if (last !== null && offset >= last.start && offset < last.end) return last;
    const { starts } = this.units();
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return null;
    const unit = this.unit(starts[low - 1] as number);
    return offset < unit.end ? unit : null;
  }

  /** The unit at an offset. Throws EverflameError where it is damaged or unsupported. */
  unit(start: number): Unit {
    const known = this.#opened.get(start);
    if (known !== undefined) {
      this.#last = known;
      return known;
    }
    if (this.isPackage) throw damaged('a unit of a package refers to another one', start);
    return this.remember(openUnit(this, start, null));
  }

  /** A split unit is remembered too, because only whoever found it knows its contributions. */
  remember(unit: Unit): Unit {
    if (this.#opened.size >= MAX_CACHED_UNITS) this.#opened.clear();
    this.#opened.set(unit.start, unit);
    this.#last = unit;
    return unit;
  }

  abbreviations(offset: number, sizes: FormSizes): AbbreviationTable {
    const { version, addressSize, offsetSize } = sizes;
    const kind = (version <= 2 ? 1 : 0) + (addressSize === 8 ? 2 : 0) + (offsetSize === 8 ? 4 : 0);
    const key = offset * 8 + kind;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const table = readAbbreviations(this.sections.abbrev, offset, sizes, this.budget);
    this.#operations += table.program.length + table.dense.length;
    if (this.#operations > MAX_CACHED_OPERATIONS) {
      this.#tables.clear();
      this.#operations = table.program.length + table.dense.length;
    }
    this.#tables.set(key, table);
    return table;
  }
}

/** Where the units of a section begin. */
interface UnitList {
  starts: readonly number[];
  /** Why the rest of the section is not read; empty where there is none. */
  problem: string;
}

function listUnits(info: DataView): UnitList {
  const starts: number[] = [];
  let start = 0;
  while (start < info.byteLength) {
    const end = unitEnd(info, start);
    if (end > info.byteLength) {
      return { starts, problem: `no unit begins at 0x${start.toString(16)} of .debug_info` };
    }
    if (starts.length === MAX_DWARF_UNITS) {
      return { starts, problem: `there are over MAX_DWARF_UNITS = ${MAX_DWARF_UNITS} units` };
    }
    // Zeros are padding.
    if (end > start + LENGTH_BYTES) starts.push(start);
    start = end;
  }
  return { starts, problem: '' };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
