/** Which section an ELF symbol lies in (gABI, st_shndx and SHT_SYMTAB_SHNDX). */
import type { ByteSource } from './byte-reader.ts';
import { type ElfSection, SectionType } from './elf.ts';

/** Section numbers from here on are no sections: absolute, common, ... */
const RESERVED_SECTIONS = 0xff00;
/** The number does not fit and is in a table of its own. */
const EXTENDED_SECTION = 0xffff;

/** Files with fewer than 65,280 sections have no such table. */
export type ExtendedSections = DataView | null;

/** The numbers of `count` symbols' sections that do not fit into the symbols of `symbolTable`. */
export function readExtendedSections(
  source: ByteSource,
  sections: readonly ElfSection[],
  symbolTable: number,
  count: number,
): ExtendedSections {
  const section = sections.find(
    ({ type, link }) => type === SectionType.shndx && link === symbolTable,
  );
  if (section === undefined || section.size < count * 4) return null;
  const bytes = source.read(section.offset, count * 4);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Of the symbol in row `row`, whose own field is `shndx`; 0 where it lies in no section. */
export function sectionNumberOf(shndx: number, extended: ExtendedSections, row: number): number {
  if (shndx === EXTENDED_SECTION && extended !== null) return extended.getUint32(row * 4, true);
  return shndx >= RESERVED_SECTIONS ? 0 : shndx;
}
