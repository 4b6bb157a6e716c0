/** Where one section's bytes lie in a file, found without reading more than headers and names. */
import { MAX_SERVED_SECTION_NAMES_BYTES, MAX_SERVED_SECTIONS } from '../../profile/limits.ts';
import type { ByteSource } from './byte-reader.ts';
import { readElfHeader, readSections, SectionType } from './elf.ts';

export interface SectionPlace {
  offset: number;
  sizeBytes: number;
}

/**
 * The first section of that name that has bytes; null where there is none, or too many to search
 * while others wait. Throws EverflameError for what is no ELF file.
 */
export function findSectionPlace(source: ByteSource, name: string): SectionPlace | null {
  const header = readElfHeader(source);
  if (name === '' || header.sectionCount > MAX_SERVED_SECTIONS) return null;
  const sections = readSections(source, header);
  const table = sections[header.namesSection];
  if (table?.type !== SectionType.strtab || table.size > MAX_SERVED_SECTION_NAMES_BYTES)
    return null;
  const names = Buffer.from(source.read(table.offset, table.size));
  const wanted = Buffer.from(`${name}\0`, 'latin1');
  for (const { nameOffset, type, offset, size } of sections) {
    const end = nameOffset + wanted.length;
    if (end > names.length || wanted.compare(names, nameOffset, end) !== 0) continue;
    const hasBytes = type !== SectionType.nobits && type !== 0 && size > 0;
    if (hasBytes && offset + size <= source.size) return { offset, sizeBytes: size };
  }
  return null;
}
