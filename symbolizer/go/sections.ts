/**
 * Which bytes of a Go program name its code. They are stretches of sections, not whole ones, and
 * what points to them is data, so an extraction carries them in one section of its own, which
 * go-extract.ts plans and reads. Sections have numbers but no new names there: its type tells it.
 */
import { SectionType } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';

/** sh_type of the section of an extraction that holds what `planGoExtract` gave; not loaded. */
export const GO_EXTRACT_TYPE = 0x80676f70;

/**
 * Sections that begin with Go's table of functions. Where GNU ld or lld linked a
 * position-independent program of Go before 1.26, the table is inside the last one.
 */
export const GO_SECTIONS = ['.gopclntab', '.data.rel.ro.gopclntab', '.data.rel.ro'];

/** Whether there is a section of its own for the table, whatever is in it. */
export function hasGoSection({ sections, names }: ElfFile): boolean {
  return sections.some(({ type, size }, number) => {
    if (type === SectionType.nobits || size === 0) return false;
    return type === GO_EXTRACT_TYPE || /\.gopclntab$/.test(names[number] ?? '');
  });
}
