/** All names of code that a program's own tables have, without its debug information. */
import { EverflameError } from '../../profile/errors.ts';
import { SectionType } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';
import { type CodeSymbols, readCodeSymbols, readSymbolTable } from '../elf/elf-symbols.ts';
import { openMiniDebuginfo } from '../elf/mini-debuginfo.ts';
import { readPltSymbols } from '../elf/plt.ts';

/** .symtab, .dynsym, MiniDebugInfo and the PLT. Damage costs the one that it is in, and is told. */
export async function readSymbols(elf: ElfFile, problems: string[]): Promise<CodeSymbols[]> {
  const readers: [what: string, read: () => CodeSymbols | null | Promise<CodeSymbols | null>][] = [
    ['.symtab', () => readSymbolTable(elf, SectionType.symtab)],
    ['.dynsym', () => readSymbolTable(elf, SectionType.dynsym)],
    ['MiniDebugInfo', () => readMiniDebuginfo(elf)],
    ['The PLT', () => readPltSymbols(elf)],
  ];
  const tables: CodeSymbols[] = [];
  for (const [what, read] of readers) {
    try {
      const table = await read();
      if (table !== null) tables.push(table);
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
      problems.push(`${what}: ${error.message}`);
    }
  }
  return tables;
}

async function readMiniDebuginfo(elf: ElfFile): Promise<CodeSymbols | null> {
  const mini = await openMiniDebuginfo(elf);
  return mini === null ? null : readCodeSymbols(mini.source, mini.header, mini.sections);
}
