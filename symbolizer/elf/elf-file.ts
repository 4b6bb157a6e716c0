/** An ELF file with its sections by name: the way to the bytes of debug information. */
import { MAX_STRING_TABLE_BYTES } from '../../profile/limits.ts';
import type { ByteSource } from './byte-reader.ts';
import {
  type ElfHeader,
  type ElfSection,
  readElfHeader,
  readSections,
  SectionType,
} from './elf.ts';

/** -ffunction-sections puts a mangled name into each; nobody looks for such. */
const MAX_SECTION_NAME_BYTES = 256;

export interface ElfFile {
  readonly source: ByteSource;
  readonly header: ElfHeader;
  readonly sections: readonly ElfSection[];
  /** Names by section number. */
  readonly names: readonly string[];
  /** The first section of that name. */
  section(name: string): ElfSection | undefined;
}

export function openElfFile(source: ByteSource): ElfFile {
  const header = readElfHeader(source);
  const sections = readSections(source, header);
  const names = sectionNames(source, header, sections);
  return {
    source,
    header,
    sections,
    names,
    section: (name) => sections[names.indexOf(name)],
  };
}

/** Names end at their zero byte; a section whose name is outside the names has none. */
function sectionNames(
  source: ByteSource,
  header: ElfHeader,
  sections: readonly ElfSection[],
): string[] {
  const table = sections[header.namesSection];
  if (table === undefined || table.type !== SectionType.strtab) return sections.map(() => '');
  if (table.size > MAX_STRING_TABLE_BYTES) return sections.map(() => '');
  const bytes = Buffer.from(source.read(table.offset, table.size));
  return sections.map(({ nameOffset }) => {
    // Searched no further than a name goes: forged headers could ask for all of the table each.
    const name = bytes.subarray(nameOffset, nameOffset + MAX_SECTION_NAME_BYTES);
    const end = name.indexOf(0);
    return name.toString('latin1', 0, end < 0 ? name.length : end);
  });
}
