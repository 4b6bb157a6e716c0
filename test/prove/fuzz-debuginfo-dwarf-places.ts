/** The fields of .debug_info and .debug_abbrev (DWARF 2 to 5, section 7.5). */
import { Cursor } from './fuzz-debuginfo-cursor.ts';
import {
  addField,
  type FilePart,
  type FilePlaces,
  type PlacedSection,
  SHF_COMPRESSED,
} from './fuzz-debuginfo-fields.ts';

interface Abbreviation {
  hasChildren: boolean;
  attributes: { name: number; form: number }[];
}

interface AbbreviationTable {
  rows: Map<number, Abbreviation>;
  part: FilePart;
}

interface Unit {
  version: number;
  offsetSize: 4 | 8;
  addressSize: number;
}

/** Attributes that lead somewhere; the others go by their form. */
const ATTRIBUTES = new Map([
  [0x01, 'sibling'],
  [0x10, 'stmt_list'],
  [0x11, 'low_pc'],
  [0x12, 'high_pc'],
  [0x18, 'import'],
  [0x31, 'abstract_origin'],
  [0x47, 'specification'],
  [0x55, 'ranges'],
  [0x58, 'call_file'],
  [0x59, 'call_line'],
  [0x72, 'bases'],
  [0x73, 'bases'],
  [0x74, 'bases'],
  [0x76, 'dwo_name'],
  [0x2131, 'id'],
  [0x2132, 'bases'],
  [0x2133, 'bases'],
]);

const TYPE_UNITS = [2, 6];
const UNITS_WITH_ID = [4, 5];

export function placeDwarf(
  places: FilePlaces,
  bytes: Buffer,
  sections: readonly PlacedSection[],
  base: number,
): void {
  for (const suffix of ['', '.dwo']) {
    const find = (name: string) =>
      sections.find(
        (section) => section.name === name + suffix && (section.flags & SHF_COMPRESSED) === 0,
      );
    const info = find('.debug_info');
    const abbrev = find('.debug_abbrev');
    if (info === undefined || abbrev === undefined) continue;
    const tables = placeAbbreviations(places, bytes, abbrev, base);
    const placer = new UnitPlacer(places, bytes, info, base, tables);
    const end = info.offset + info.size;
    for (let at = info.offset; at < end; ) at = placer.unit(at);
  }
}

type AbbreviationTables = Map<number, AbbreviationTable>;

/** By where a table begins in the section. */
function placeAbbreviations(
  places: FilePlaces,
  bytes: Buffer,
  section: PlacedSection,
  base: number,
): AbbreviationTables {
  const tables: AbbreviationTables = new Map();
  const cursor = new Cursor(bytes, section.offset);
  const end = section.offset + section.size;
  const leb = (kind: string): number => {
    const at = cursor.at;
    const value = cursor.leb();
    addField(places, kind, section.name, at + base, cursor.at - at, true);
    return value;
  };
  while (cursor.at < end) {
    const rows = new Map<number, Abbreviation>();
    const part: FilePart = { start: cursor.at + base, end: 0, versions: [] };
    tables.set(cursor.at - section.offset, { rows, part });
    places.parts.push(part);
    for (;;) {
      const code = leb('abbreviation.code');
      if (code === 0) break;
      leb('abbreviation.tag');
      addField(places, 'abbreviation.children', section.name, cursor.at + base, 1);
      const abbreviation: Abbreviation = { hasChildren: cursor.u8() !== 0, attributes: [] };
      for (;;) {
        const name = leb('abbreviation.attribute');
        const form = leb('abbreviation.form');
        if (form === 0x21) leb('abbreviation.constant');
        if (name === 0 && form === 0) break;
        abbreviation.attributes.push({ name, form });
      }
      rows.set(code, abbreviation);
    }
    part.end = cursor.at + base;
  }
  return tables;
}

class UnitPlacer {
  readonly #places: FilePlaces;
  readonly #cursor: Cursor;
  readonly #section: PlacedSection;
  readonly #base: number;
  readonly #tables: AbbreviationTables;
  #units = 0;

  constructor(
    places: FilePlaces,
    bytes: Buffer,
    section: PlacedSection,
    base: number,
    tables: AbbreviationTables,
  ) {
    this.#places = places;
    this.#cursor = new Cursor(bytes, 0);
    this.#section = section;
    this.#base = base;
    this.#tables = tables;
  }

  unit(start: number): number {
    const cursor = this.#cursor;
    cursor.at = start;
    const { end, offsetSize } = cursor.unitEnd();
    this.#add('unit.length', start, cursor.at - start);
    this.#add('unit.version', cursor.at, 2);
    const versionAt = cursor.at + this.#base;
    // Not its length: that of one unit tells where the next one begins.
    this.#places.parts.push({ start: versionAt, end: end + this.#base, versions: [versionAt] });
    const version = cursor.u16();
    const unit: Unit = { version, offsetSize, addressSize: 8 };
    let type = 1;
    if (version >= 5) {
      this.#add('unit.type', cursor.at, 1);
      type = cursor.u8();
      this.#add('unit.address-size', cursor.at, 1);
      unit.addressSize = cursor.u8();
    }
    this.#add('unit.abbreviations', cursor.at, offsetSize);
    const offset = cursor.sized(offsetSize);
    const table = this.#table(offset);
    table?.part.versions.push(versionAt);
    if (version < 5) {
      this.#add('unit.address-size', cursor.at, 1);
      unit.addressSize = cursor.u8();
    }
    const extra = TYPE_UNITS.includes(type) ? 8 + offsetSize : UNITS_WITH_ID.includes(type) ? 8 : 0;
    this.#add('unit.id', cursor.at, extra);
    cursor.skip(extra);
    this.#places.units.push(start - this.#section.offset);
    if (table !== undefined) while (cursor.at < end) this.#entry(unit, table.rows);
    return end;
  }

  /** In a package each unit counts from its own table, and these have the units' order. */
  #table(offset: number): AbbreviationTable | undefined {
    const number = this.#units++;
    const isSplit = this.#section.name.endsWith('.dwo');
    return isSplit ? [...this.#tables.values()][number] : this.#tables.get(offset);
  }

  #entry(unit: Unit, table: Map<number, Abbreviation>): void {
    const cursor = this.#cursor;
    const start = cursor.at;
    this.#places.entries.push(start - this.#section.offset);
    const code = cursor.leb();
    this.#add('entry.code', start, cursor.at - start, true);
    if (code === 0) return;
    const abbreviation = table.get(code);
    if (abbreviation === undefined) throw new Error(`no abbreviation ${code} at ${start}`);
    for (const { name, form } of abbreviation.attributes) {
      const at = cursor.at;
      const kind = this.#skip(unit, form);
      const meaning = ATTRIBUTES.get(name) ?? kind;
      this.#add(`attribute.${meaning}`, at, Math.min(16, cursor.at - at), kind === 'leb');
    }
  }

  /** Moves past a value; what kind of value it is. */
  #skip(unit: Unit, form: number): string {
    const cursor = this.#cursor;
    const fixed = FIXED_FORMS.get(form);
    if (fixed !== undefined) cursor.skip(fixed);
    else if (form === 0x01) cursor.skip(unit.addressSize);
    else if (OFFSET_FORMS.has(form)) cursor.skip(unit.offsetSize);
    else if (form === 0x10) cursor.skip(unit.version === 2 ? unit.addressSize : unit.offsetSize);
    else if (LEB_FORMS.has(form)) cursor.leb();
    else if (form === 0x08) cursor.text();
    else if (form === 0x0a) cursor.skip(cursor.u8());
    else if (form === 0x03) cursor.skip(cursor.u16());
    else if (form === 0x04) cursor.skip(cursor.u32());
    else if (form === 0x09 || form === 0x18) cursor.skip(cursor.leb());
    else throw new Error(`unknown form ${form} at ${cursor.at}`);
    if (LEB_FORMS.has(form)) return 'leb';
    if (form === 0x0e || form === 0x1f || form === 0x1f21) return 'text';
    return form === 0x08 ? 'string' : form >= 0x11 && form <= 0x15 ? 'reference' : 'data';
  }

  #add(kind: string, offset: number, length: number, isLeb = false): void {
    addField(this.#places, kind, this.#section.name, offset + this.#base, length, isLeb);
  }
}

const FIXED_FORMS = new Map<number, number>([
  [0x0b, 1],
  [0x05, 2],
  [0x06, 4],
  [0x07, 8],
  [0x1e, 16], // data
  [0x11, 1],
  [0x12, 2],
  [0x13, 4],
  [0x14, 8],
  [0x20, 8], // references
  [0x0c, 1],
  [0x19, 0],
  [0x21, 0], // flags, implicit_const
  [0x25, 1],
  [0x26, 2],
  [0x27, 3],
  [0x28, 4], // strx
  [0x29, 1],
  [0x2a, 2],
  [0x2b, 3],
  [0x2c, 4], // addrx
  [0x1c, 4],
  [0x24, 8], // ref_sup
]);
/** strp, sec_offset, strp_sup, line_strp, GNU_ref_alt, GNU_strp_alt. */
const OFFSET_FORMS = new Set([0x0e, 0x17, 0x1d, 0x1f, 0x1f20, 0x1f21]);
/** sdata, udata, ref_udata, strx, addrx, loclistx, rnglistx, GNU_addr_index, GNU_str_index. */
const LEB_FORMS = new Set([0x0d, 0x0f, 0x15, 0x1a, 0x1b, 0x22, 0x23, 0x1f01, 0x1f02]);
