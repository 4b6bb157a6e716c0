/** Lines and inlined calls of a program, from whatever of its files has them. */
import { EverflameError } from '../../profile/errors.ts';
import type { CodeSink } from '../code-piece.ts';
import { readDwarf } from '../dwarf/dwarf.ts';
import type { DwarfReport, DwarfSections } from '../dwarf/dwarf-input.ts';
import { openSplit } from '../dwarf/package.ts';
import { findSection, readDwarfSections } from '../elf/debug-sections.ts';
import { readDebugaltlink } from '../elf/debuglink.ts';
import { readElfIdentity } from '../elf/elf.ts';
import { type ElfFile, openElfFile } from '../elf/elf-file.ts';
import { readPclntab } from '../go/pclntab.ts';
import { hasGoSection } from '../go/sections.ts';
import type { LeftOut } from '../left-out.ts';
import type { OpenSource } from './convert.ts';
import { type CodeMap, CodeOnlySink } from './convert-code-map.ts';

export interface LinesReport {
  fromDwarf: boolean;
  fromPclntab: boolean;
  missingSupplementary: { buildId: string; file: string } | null;
  missingSplit: number;
  /** Units that were found in split files. */
  splitUnits: number;
  leftOut: LeftOut & { damaged_tables: number };
  problems: string[];
}

/** What a problem of theirs begins with. */
export const SPLIT_FILES = 'Split files';

/**
 * Adds what DWARF says, then what Go's own table says of the rest. Damage costs lines, never
 * symbols: it is caught here and told.
 */
export async function addLines(
  sink: CodeSink,
  elfs: readonly ElfFile[],
  sources: readonly OpenSource[],
  code: CodeMap,
): Promise<LinesReport> {
  const within = new CodeOnlySink(sink, code);
  const report: LinesReport = {
    fromDwarf: false,
    fromPclntab: false,
    missingSupplementary: null,
    missingSplit: 0,
    splitUnits: 0,
    leftOut: { damaged_tables: 0 },
    problems: [],
  };
  const elf = withMostDwarf(elfs);
  if (elf !== null) {
    await attempt('DWARF', report, () => addDwarf(within, elf, sources, code, report));
  }
  for (const program of elfs) {
    await attempt("Go's table", report, async () => addGoLines(within, program, report));
    if (report.fromPclntab) break;
  }
  report.leftOut.removed_ranges = (report.leftOut.removed_ranges ?? 0) + within.dropped;
  return report;
}

async function attempt(
  what: string,
  report: LinesReport,
  read: () => Promise<void>,
): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    report.leftOut.damaged_tables++;
    report.problems.push(`${what}: ${error.message}`);
  }
}

/** The file whose .debug_info is the longest; a program and its debug file seldom both have one. */
function withMostDwarf(elfs: readonly ElfFile[]): ElfFile | null {
  let most: ElfFile | null = null;
  let mostBytes = 0;
  for (const elf of elfs) {
    const bytes = elf.sections[findSection(elf, '.debug_info')]?.size ?? 0;
    if (bytes <= mostBytes) continue;
    most = elf;
    mostBytes = bytes;
  }
  return most;
}

async function addDwarf(
  sink: CodeSink,
  elf: ElfFile,
  sources: readonly OpenSource[],
  code: CodeMap,
  report: LinesReport,
): Promise<void> {
  const supplementary = await readSupplementary(elf, sources, report);
  const split = await openSplit(
    sources.filter(({ kind }) => kind === 'split').map(({ source }) => source),
  );
  const problems: string[] = [];
  const sections = await readDwarfSections(elf, { dwo: false }, problems);
  report.problems.push(...problems);
  report.leftOut.damaged_tables += problems.length;
  const dwarf = readDwarf(
    {
      sections,
      supplementary,
      findSplit: (id) => {
        const unit = split.find(id);
        if (unit !== null) report.splitUnits++;
        return unit;
      },
      isCode: (address) => code.endAt(address) >= 0,
    },
    sink,
  );
  report.fromDwarf = dwarf.units > 0;
  report.missingSplit = dwarf.unitsWithoutSplit;
  report.leftOut = { ...report.leftOut, ...dwarfLeftOut(dwarf) };
  report.problems.push(...dwarfProblems(dwarf));
  if (split.firstProblem === '') return;
  report.leftOut.damaged_tables++;
  report.problems.push(`${SPLIT_FILES}: ${split.firstProblem}`);
}

/** The dwz file that the program names, if it is among the sources. */
async function readSupplementary(
  elf: ElfFile,
  sources: readonly OpenSource[],
  report: LinesReport,
): Promise<DwarfSections | null> {
  const link = readDebugaltlink(elf);
  if (link === null) return null;
  let sections: DwarfSections | null = null;
  for (const { kind, source } of sources) {
    if (kind !== 'supplementary') continue;
    await attempt('The supplementary file', report, async () => {
      if (readElfIdentity(source).buildId !== link.buildId) return;
      sections = await readDwarfSections(openElfFile(source), { dwo: false }, report.problems);
    });
  }
  if (sections === null) report.missingSupplementary = { ...link };
  return sections;
}

function dwarfLeftOut(dwarf: DwarfReport): LeftOut {
  const { lines } = dwarf;
  return {
    damaged_units: dwarf.unitsDamaged,
    unsupported_units: dwarf.unitsUnsupported,
    missing_split_units: dwarf.unitsWithoutSplit,
    missing_shared_entries: dwarf.missingSupplementary,
    damaged_names: dwarf.damagedNames,
    damaged_ranges: dwarf.damagedRanges,
    damaged_calls: dwarf.droppedCalls,
    damaged_line_programs: lines.damaged + lines.overBudget + lines.damagedSequences,
    damaged_line_rows: lines.damagedRows + lines.damagedLines,
    damaged_paths: lines.unknownFiles + lines.droppedPaths,
    removed_ranges: dwarf.droppedRanges,
    removed_line_sequences: lines.removedSequences,
    repeated_line_rows: lines.coveredRows,
  };
}

function dwarfProblems(dwarf: DwarfReport): string[] {
  const problems: string[] = [];
  const damaged = dwarf.unitsDamaged + dwarf.unitsUnsupported;
  const units = damaged > 0 ? `${damaged} of ${dwarf.units + damaged} units were not read; ` : '';
  if (damaged > 0 || dwarf.firstProblem !== '') {
    problems.push(`DWARF: ${units}the first: ${dwarf.firstProblem}`);
  }
  return problems;
}

function addGoLines(sink: CodeOnlySink, elf: ElfFile, report: LinesReport): void {
  const go = readPclntab(elf, sink, sink.named());
  if (go === null) {
    if (!hasGoSection(elf)) return;
    report.leftOut.damaged_tables++;
    report.problems.push("Go's table: it is there, but does not begin like one");
    return;
  }
  report.fromPclntab = go.functions > 0;
  report.leftOut.damaged_go_functions = go.functionsDamaged;
  report.leftOut.damaged_go_calls = go.functionsWithoutInlines;
  if (go.firstProblem !== '') report.problems.push(`Go's table: ${go.firstProblem}`);
}
