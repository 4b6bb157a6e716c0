/** All names of code that a program's own tables have, without its debug information. */
import { EverflameError } from '../../profile/errors.ts';
import type { ElfFile } from '../elf/elf-file.ts';
import { type CodeSymbols, readCodeSymbols } from '../elf/elf-symbols.ts';
import { openMiniDebuginfo } from '../elf/mini-debuginfo.ts';
import { readPltSymbols } from '../elf/plt.ts';

/**
 * .symtab and .dynsym, MiniDebugInfo and the PLT. Throws EverflameError where the first two are
 * damaged; damage in the others is a problem that is told.
 */
export async function readSymbols(elf: ElfFile, problems: string[]): Promise<CodeSymbols[]> {
  const tables = [readCodeSymbols(elf.source, elf.header, elf.sections)];
  try {
    const mini = await openMiniDebuginfo(elf);
    if (mini !== null) tables.push(readCodeSymbols(mini.source, mini.header, mini.sections));
    tables.push(readPltSymbols(elf));
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    problems.push(`MiniDebugInfo and PLT: ${error.message}`);
  }
  return tables;
}
