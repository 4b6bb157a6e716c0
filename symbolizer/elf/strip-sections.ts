/** Which sections of a file say something of its code: what an extraction keeps, and how much. */
import { MAX_ELF_NOTE_BYTES } from '../../profile/limits.ts';
import type { QualityName } from '../symbolizer.ts';
import { type ElfSection, ElfType, SectionFlag, SectionType } from './elf.ts';
import type { ElfFile } from './elf-file.ts';

/** What DWARF is read from; with `.z` in front as old tools compressed it. */
const DWARF = new Set(
  [
    'info',
    'abbrev',
    'line',
    'line_str',
    'str',
    'str_offsets',
    'addr',
    'ranges',
    'rnglists',
  ].flatMap((name) => [`.debug_${name}`, `.zdebug_${name}`]),
);
const LINKS = new Set(['.gnu_debuglink', '.gnu_debugaltlink']);
const MINI_DEBUG_INFO = '.gnu_debugdata';
const STUBS = new Set(['.plt', '.plt.sec', '.plt.got', '.iplt']);
const PLT = new Set([...STUBS, '.rela.plt', '.rel.plt']);
const PLT_GOT = '.plt.got';
const DYNAMIC_RELOCATIONS = new Set(['.rela.dyn', '.rel.dyn']);
/** Names of .plt.got's one or two stubs are not worth more. */
const MAX_DYNAMIC_RELOCATIONS_BYTES = 2 ** 20;

/** Section numbers whose bytes go along. */
export function keptSections(elf: ElfFile): Set<number> {
  const { sections, names, header } = elf;
  const kept = new Set<number>();
  const hasPltGot = elf.section(PLT_GOT) !== undefined;
  sections.forEach((section, number) => {
    if (!hasBytes(section)) return;
    const name = names[number] ?? '';
    const isNote = section.type === SectionType.note && section.size <= MAX_ELF_NOTE_BYTES;
    const isDebug = DWARF.has(name) || LINKS.has(name) || name === MINI_DEBUG_INFO;
    const isGot = hasPltGot && DYNAMIC_RELOCATIONS.has(name);
    const isStub = PLT.has(name) || (isGot && section.size <= MAX_DYNAMIC_RELOCATIONS_BYTES);
    if (isNote || isDebug || isStub || section.type === SectionType.shndx) kept.add(number);
    if (!isSymbolTable(section)) return;
    kept.add(number);
    if (sections[section.link]?.type === SectionType.strtab) kept.add(section.link);
  });
  if (header.type === ElfType.rel) keepRelocations(elf, kept);
  if (sections[header.namesSection]?.type === SectionType.strtab) kept.add(header.namesSection);
  return kept;
}

/** Whether it is code, whose bytes an extraction has in a section of another type. */
export function isPltCode(elf: ElfFile, number: number): boolean {
  const flags = elf.sections[number]?.flags ?? 0;
  return STUBS.has(elf.names[number] ?? '') && (flags & SectionFlag.exec) !== 0;
}

/** An object file's debug information means nothing without its relocations. */
function keepRelocations(elf: ElfFile, kept: Set<number>): void {
  elf.sections.forEach((section, number) => {
    const isTable = section.type === SectionType.rela || section.type === SectionType.rel;
    if (isTable && kept.has(section.info) && isDwarf(elf, section.info)) kept.add(number);
  });
}

function isDwarf(elf: ElfFile, number: number): boolean {
  return DWARF.has(elf.names[number] ?? '');
}

/** The most that the file can say, by its headers; Go's own table is not looked at. */
export function sectionsQuality(elf: ElfFile): QualityName {
  let quality: QualityName = 'none';
  for (const [number, section] of elf.sections.entries()) {
    if (!hasBytes(section)) continue;
    const name = elf.names[number] ?? '';
    if (name === '.debug_info' || name === '.zdebug_info') return 'lines';
    if (section.type === SectionType.symtab || name === MINI_DEBUG_INFO) quality = 'symbols';
    else if (section.type === SectionType.dynsym && quality === 'none') quality = 'exported';
  }
  return quality;
}

function isSymbolTable({ type }: ElfSection): boolean {
  return type === SectionType.symtab || type === SectionType.dynsym;
}

function hasBytes({ type, size, flags }: ElfSection): boolean {
  const isGrouped = (flags & SectionFlag.group) !== 0;
  return type !== SectionType.nobits && type !== 0 && size > 0 && !isGrouped;
}
