/**
 * All files of one build id in, one symbol file out. Runs where its input cannot hurt:
 * converter-child.ts.
 */
import { assert, EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import { type ByteSource, type FileByteSource, openByteSource } from '../elf/byte-reader.ts';
import { ElfType, type LoadSegment, readElfIdentity } from '../elf/elf.ts';
import { type ElfFile, openElfFile } from '../elf/elf-file.ts';
import type { CodeSymbols } from '../elf/elf-symbols.ts';
import type { LeftOut } from '../left-out.ts';
import { joinSymbols } from '../symbol-file/joined-symbols.ts';
import { SymbolFileBuilder } from '../symbol-file/symbol-file-builder.ts';
import type { SymbolFacts } from '../symbol-file/symbol-quality.ts';
import { codeMap } from './convert-code-map.ts';
import { addLines, SPLIT_FILES } from './convert-lines.ts';
import { originalSegments, placedSegments } from './convert-segments.ts';
import { readSymbols } from './convert-symbols.ts';
import { placeObjectFiles } from './object-files.ts';

export type ConversionSourceKind =
  /** The program as it is run, or what an agent extracted from it. */
  | 'executable'
  /** Its separate debug information (objcopy --only-keep-debug). */
  | 'debuginfo'
  /** A .dwp package, or an ar archive of .dwo files. */
  | 'split'
  /** What .gnu_debugaltlink names (dwz). */
  | 'supplementary';

export interface ConversionSource {
  kind: ConversionSourceKind;
  path: string;
  /** What the conversion is made for: it fails where nothing of this file can be used. */
  isNew?: boolean;
}

export interface ConversionJob {
  buildId: BuildId;
  /** Where the symbol file is written. */
  target: string;
  /** At least one executable or debuginfo; both have `buildId` as their own. */
  sources: readonly ConversionSource[];
  /**
   * Stand in where no source's own program headers tell of the original's offsets (objcopy
   * --only-keep-debug rewrites them).
   */
  knownSegments: readonly LoadSegment[];
  /** Without lines and inlined calls, for a file that took too much memory or time with them. */
  symbolsOnly: boolean;
}

export interface Conversion extends SymbolFacts {
  /** The dwz file that lines or names need and that is not among the sources. */
  missingSupplementary: { buildId: string; file: string } | null;
  /** Units whose .dwo is not among the sources. */
  missingSplit: number;
  leftOut: LeftOut;
  /** What could not be read, for people; empty where all could. */
  problems: string[];
}

/** A source that is open. */
export interface OpenSource {
  kind: ConversionSourceKind;
  source: ByteSource;
  isNew?: boolean;
}

/** Throws EverflameError where no source can be used: damaged, of another build id, too large. */
export async function convertFiles(job: ConversionJob): Promise<Conversion> {
  const opened: (OpenSource & { source: FileByteSource })[] = [];
  try {
    for (const { path, ...named } of job.sources) {
      opened.push({ ...named, source: openByteSource(path) });
    }
    return await convertSources(job, opened);
  } finally {
    for (const { source } of opened) source.close();
  }
}

/** As `convertFiles`, of what is open already. */
export async function convertSources(
  job: Omit<ConversionJob, 'sources'>,
  sources: readonly OpenSource[],
): Promise<Conversion> {
  const problems: string[] = [];
  const elfs = placeObjectFiles(openPrograms(job.buildId, sources, problems), problems);
  const symbols: CodeSymbols[] = [];
  for (const elf of elfs) symbols.push(...(await readSymbols(elf, problems)));
  const builder = new SymbolFileBuilder();
  const lines = job.symbolsOnly ? null : await addLines(builder, elfs, sources, codeMap(elfs));
  const hasNewSplit = sources.some(({ kind, isNew }) => kind === 'split' && isNew === true);
  if (hasNewSplit && lines !== null && lines.splitUnits === 0) throw uselessSplit(lines.problems);
  const [first] = elfs;
  assert(first !== undefined, 'a conversion has a program');
  const { type, machine } = first.header;
  const head = {
    buildId: job.buildId,
    elfType: type,
    machine,
    segments: findSegments(elfs, job.knownSegments),
    fromDwarf: lines?.fromDwarf ?? false,
    fromPclntab: lines?.fromPclntab ?? false,
    leftOut: {
      ...lines?.leftOut,
      damaged_tables: problems.length + (lines?.leftOut.damaged_tables ?? 0),
    },
  };
  const facts = builder.finish(job.target, head, joinSymbols(symbols));
  problems.push(...(lines?.problems ?? []));
  return {
    ...facts,
    missingSupplementary: lines?.missingSupplementary ?? null,
    missingSplit: lines?.missingSplit ?? 0,
    problems,
  };
}

/** A program's own, else those that were known before, else those that its debug file implies. */
function findSegments(
  elfs: readonly ElfFile[],
  knownSegments: readonly LoadSegment[],
): readonly LoadSegment[] {
  const own = elfs.map(originalSegments).find((segments) => segments.length > 0);
  if (own !== undefined) return own;
  if (knownSegments.length > 0) return knownSegments;
  return elfs.map(placedSegments).find((segments) => segments.length > 0) ?? [];
}

function uselessSplit(problems: readonly string[]): EverflameError {
  const why = problems.find((problem) => problem.startsWith(SPLIT_FILES));
  const message = 'none of its units is one that its program refers to';
  return new EverflameError('unprocessable', why === undefined ? message : `${message}; ${why}`, {
    field: 'file',
    remedy: 'Send the .dwp package of this build, or an ar archive of its .dwo files.',
  });
}

/** Executables and debug files; one that cannot be read is a problem, unless it is the last one. */
function openPrograms(
  buildId: BuildId,
  sources: readonly OpenSource[],
  problems: string[],
): ElfFile[] {
  const programs: ElfFile[] = [];
  let failure: unknown = null;
  for (const { kind, source, isNew } of sources) {
    if (kind !== 'executable' && kind !== 'debuginfo') continue;
    try {
      programs.push(openProgram(buildId, source));
    } catch (error) {
      if (!(error instanceof EverflameError) || isNew === true) throw error;
      failure ??= error;
      problems.push(`The ${kind}: ${error.message}`);
    }
  }
  if (programs.length === 0) {
    throw failure ?? new EverflameError('invalid', 'no file has the program', { field: 'file' });
  }
  return programs;
}

function openProgram(buildId: BuildId, source: ByteSource): ElfFile {
  const identity = readElfIdentity(source);
  if (identity.buildId !== buildId) {
    throw new EverflameError(
      'unprocessable',
      `the file's build id is ${identity.buildId}, not ${buildId}`,
      { field: 'build_id', remedy: 'Upload it under its own build id.' },
    );
  }
  if (identity.type === ElfType.core) {
    throw new EverflameError('unsupported', 'the file is a core dump', {
      field: 'file',
      remedy: 'Upload the executable or library it came from.',
    });
  }
  return openElfFile(source);
}
