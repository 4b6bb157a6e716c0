/** One ELF file in, one symbol file out. Runs where its input cannot hurt: converter-child.ts. */
import { assert, EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import { type ByteSource, openByteSource } from '../elf/byte-reader.ts';
import {
  type ElfHeader,
  type ElfSection,
  ElfType,
  type LoadSegment,
  readElfHeader,
  readElfIdentity,
  readSections,
  SEGMENT_EXEC,
  SectionFlag,
  SectionType,
} from '../elf/elf.ts';
import { readCodeSymbols } from '../elf/elf-symbols.ts';
import { writeSymbolFile } from '../symbol-file/symbol-file-writer.ts';
import { type SymbolFacts, SymbolQuality } from '../symbol-file/symbol-quality.ts';
import { symbolRanges } from '../symbol-file/symbol-ranges.ts';

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
  /** What could not be read, for people; empty where all could. */
  problems: string[];
}

/** Throws EverflameError for a file that is damaged, has another build id or is over a limit. */
export async function convertFiles(job: ConversionJob): Promise<Conversion> {
  const [first] = job.sources;
  assert(first !== undefined, 'a conversion has a source');
  const source = openByteSource(first.path);
  try {
    const { functions, skippedSymbols } = convertElf(
      source,
      job.target,
      job.buildId,
      job.knownSegments,
    );
    const quality = functions > 0 ? SymbolQuality.symbols : SymbolQuality.none;
    const facts = { quality, functions, skippedSymbols, inlinedCalls: 0 };
    const missing = { missingSupplementary: null, missingSplit: 0, problems: [] };
    return { ...facts, lineBytes: 0, namedBytes: 0, ...missing };
  } finally {
    source.close();
  }
}

/**
 * Throws EverflameError for a file that is damaged, has another build id or is over a limit.
 * `knownSegments` stand in where the file's own program headers tell nothing of the original's
 * offsets (objcopy --only-keep-debug rewrites them).
 */
export function convertElf(
  source: ByteSource,
  path: string,
  buildId: BuildId,
  knownSegments: readonly LoadSegment[] = [],
): Pick<SymbolFacts, 'functions' | 'skippedSymbols'> {
  const identity = readElfIdentity(source);
  if (identity.buildId !== buildId) {
    throw new EverflameError(
      'unprocessable',
      `the file's build id is ${identity.buildId}, not ${buildId}`,
      { field: 'build_id', remedy: 'Upload it under its own build id.' },
    );
  }
  const header = readElfHeader(source);
  if (header.type === ElfType.core) {
    throw new EverflameError('unsupported', 'the file is a core dump', {
      field: 'file',
      remedy: 'Upload the executable or library it came from.',
    });
  }
  const sections = readSections(source, header);
  const segments = originalSegments(header, sections, identity.loadSegments);
  const symbols = readCodeSymbols(source, header, sections);
  const functions = writeSymbolFile(path, {
    buildId,
    elfType: header.type,
    machine: header.machine,
    segments: segments.length > 0 ? segments : knownSegments,
    ranges: symbolRanges(symbols),
    symbols,
  });
  return { functions, skippedSymbols: symbols.skipped };
}

/**
 * The segments if they still say where the original's code lies, else none. An object file's
 * addresses are its file offsets.
 */
function originalSegments(
  header: ElfHeader,
  sections: readonly ElfSection[],
  loads: LoadSegment[],
): LoadSegment[] {
  if (header.type === ElfType.rel) {
    // By its sections, not by this file's size: an extraction is smaller than its original.
    const executable = sections.filter(({ flags }) => (flags & SectionFlag.exec) !== 0);
    const size = Math.max(0, ...executable.map((section) => section.offset + section.size));
    return [{ offset: 0, fileSize: size, vaddr: 0, memSize: size, flags: SEGMENT_EXEC }];
  }
  const code = SectionFlag.alloc | SectionFlag.exec;
  const kept = sections.every((section) => {
    if ((section.flags & code) !== code || section.type !== SectionType.nobits) return true;
    return loads.some(
      (load) =>
        section.offset >= load.offset &&
        section.offset + section.size <= load.offset + load.fileSize &&
        section.address - load.vaddr === section.offset - load.offset,
    );
  });
  return kept ? loads : [];
}
