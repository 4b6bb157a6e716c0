/**
 * Where the code of an object file (a kernel module, a .o file) is: it has no addresses but file
 * offsets, and its debug file has lost those, whether objcopy or eu-strip made it.
 */
import { type ElfSection, ElfType, SectionFlag, SectionType } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';

/** Bit 0 of a section's flags: it may be written. A .bss lies where the next section begins. */
const SECTION_WRITE = 1;

/**
 * Gives sections without bytes the offsets that they have in another file of the same build. Of
 * files that lost them, none is left where there is such another file that does not have the same
 * sections: their code would seem to be elsewhere. What is wrong is added to `problems`.
 */
export function placeObjectFiles(elfs: readonly ElfFile[], problems: string[]): ElfFile[] {
  const isLost = (elf: ElfFile) => elf.header.type === ElfType.rel && !hasOwnOffsets(elf);
  if (!elfs.some(isLost)) return [...elfs];
  const original = elfs.find((elf) => elf.header.type === ElfType.rel && !isLost(elf));
  if (original === undefined) {
    problems.push(
      'The debug file of an object file does not tell where its code is, so that no address can ' +
        'be named. Upload the module itself (.ko) or its .o file, not stripped or beside this one.',
    );
    return [...elfs];
  }
  const placed: ElfFile[] = [];
  for (const elf of elfs) {
    const moved = isLost(elf) ? withOffsetsOf(elf, original) : elf;
    if (moved !== null) placed.push(moved);
    else problems.push('The debug file has other sections of code than its object file.');
  }
  return placed;
}

/**
 * Whether no section with code lies where another one is: two without bytes begin together. Those
 * with bytes say nothing: extractions have them elsewhere.
 */
export function hasOwnOffsets({ sections }: ElfFile): boolean {
  const placed = sections.filter(({ flags, type, size }) => {
    if ((flags & SectionFlag.alloc) === 0 || size === 0) return false;
    return type === SectionType.nobits && (flags & SECTION_WRITE) === 0;
  });
  placed.sort((a, b) => a.offset - b.offset);
  let end = 0;
  let isCodeBefore = false;
  for (const { flags, offset, size } of placed) {
    const isCode = (flags & SectionFlag.exec) !== 0;
    if (offset < end && (isCode || isCodeBefore)) return false;
    isCodeBefore = isCode || (offset < end && isCodeBefore);
    end = Math.max(end, offset + size);
  }
  return true;
}

/** Null where a section with code is not in the other file, or not as long there. */
function withOffsetsOf(elf: ElfFile, original: ElfFile): ElfFile | null {
  const { names } = elf;
  const known = new Map<string, ElfSection>();
  for (const [key, section] of keyed(original)) known.set(key, section);
  const sections: ElfSection[] = [];
  for (const [key, section] of keyed(elf)) {
    const there = known.get(key);
    const isSame = there?.size === section.size && there.flags === section.flags;
    const isCode = (section.flags & SectionFlag.exec) !== 0 && section.size > 0;
    if (isCode && !isSame) return null;
    const isMoved = isSame && section.type === SectionType.nobits;
    sections.push(isMoved ? { ...section, offset: there.offset } : section);
  }
  return { ...elf, sections, section: (name) => sections[names.indexOf(name)] };
}

/** Sections may have the same name: each has its number among those too. */
function* keyed({ names, sections }: ElfFile): Generator<[string, ElfSection]> {
  const counts = new Map<string, number>();
  for (const [row, section] of sections.entries()) {
    const name = names[row] ?? '';
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    yield [`${count} ${name}`, section];
  }
}
