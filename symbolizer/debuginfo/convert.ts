/** One ELF file in, one symbol file out. Runs where its input cannot hurt: converter-child.ts. */
import { EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import type { ByteSource } from '../elf/byte-reader.ts';
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
import { symbolRanges } from '../symbol-file/symbol-ranges.ts';

export interface Conversion {
  functions: number;
  skippedSymbols: number;
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
): Conversion {
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
