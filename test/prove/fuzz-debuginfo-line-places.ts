/** The fields of line programs (DWARF 2 to 5, section 6.2.4): headers, file entries, opcodes. */
import { Cursor } from './fuzz-debuginfo-cursor.ts';
import {
  addField,
  type FilePlaces,
  type PlacedSection,
  SHF_COMPRESSED,
} from './fuzz-debuginfo-fields.ts';

export function placeLinePrograms(
  places: FilePlaces,
  bytes: Buffer,
  sections: readonly PlacedSection[],
  base: number,
): void {
  for (const section of sections) {
    const isLine = section.name === '.debug_line' || section.name === '.debug_line.dwo';
    if (!isLine || (section.flags & SHF_COMPRESSED) !== 0) continue;
    const placer = new LinePlacer(places, bytes, section.name, base);
    const end = section.offset + section.size;
    for (let at = section.offset; at < end; ) at = placer.unit(at, end);
  }
}

class LinePlacer {
  readonly #places: FilePlaces;
  readonly #bytes: Buffer;
  readonly #section: string;
  readonly #base: number;

  constructor(places: FilePlaces, bytes: Buffer, section: string, base: number) {
    this.#places = places;
    this.#bytes = bytes;
    this.#section = section;
    this.#base = base;
  }

  unit(start: number, sectionEnd: number): number {
    const cursor = new Cursor(this.#bytes, start);
    const { end, offsetSize } = cursor.unitEnd();
    if (end > sectionEnd) return sectionEnd;
    this.#add('line.length', start, cursor.at - start);
    const base = this.#base;
    const versions = [cursor.at + base];
    this.#places.parts.push({ start: start + base, end: end + base, versions });
    const version = this.#field(cursor, 'line.version', 2);
    if (version >= 5) {
      this.#field(cursor, 'line.sizes', 1);
      this.#field(cursor, 'line.sizes', 1);
    }
    const headerLength = this.#field(cursor, 'line.header-length', offsetSize);
    const program = cursor.at + headerLength;
    this.#field(cursor, 'line.minimum', 1);
    if (version >= 4) this.#field(cursor, 'line.operations', 1);
    this.#field(cursor, 'line.default', 1);
    this.#field(cursor, 'line.base', 1);
    this.#field(cursor, 'line.range', 1);
    const opcodes = this.#field(cursor, 'line.opcode-base', 1);
    for (let i = 1; i < opcodes; i++) this.#field(cursor, 'line.opcode-lengths', 1);
    // Formats, directories and files: counts, forms and texts follow each other closely.
    while (cursor.at < program) this.#field(cursor, 'line.tables', 1);
    for (cursor.at = program; cursor.at < end; ) this.#field(cursor, 'line.program', 1);
    return end;
  }

  #field(cursor: Cursor, kind: string, length: number): number {
    this.#add(kind, cursor.at, length);
    if (length === 1) return cursor.u8();
    return length === 2 ? cursor.u16() : cursor.sized(length);
  }

  #add(kind: string, offset: number, length: number): void {
    addField(this.#places, kind, this.#section, offset + this.#base, length);
  }
}
