/** Which file offset of a program has which address, also where only its debug file is here. */
import {
  type ElfSegment,
  ElfType,
  type LoadSegment,
  loadSegments,
  readSegments,
  SEGMENT_EXEC,
  SectionFlag,
  SectionType,
  SegmentType,
} from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';
import { hasOwnOffsets } from './object-files.ts';

/** Bit 1 of a segment's flags: its bytes may be written. */
const SEGMENT_WRITE = 2;

/**
 * The segments if they still say where the original's code lies, else none: objcopy
 * --only-keep-debug rewrites offsets and sizes, eu-strip does not. An object file's addresses are
 * its file offsets.
 */
export function originalSegments(elf: ElfFile): LoadSegment[] {
  const { header, sections, source } = elf;
  if (header.type === ElfType.rel) {
    if (!hasOwnOffsets(elf)) return [];
    // By its sections, not by this file's size: an extraction is smaller than its original.
    const executable = sections.filter(({ flags }) => (flags & SectionFlag.exec) !== 0);
    const size = executable.reduce((end, { offset, size }) => Math.max(end, offset + size), 0);
    return [{ offset: 0, fileSize: size, vaddr: 0, memSize: size, flags: SEGMENT_EXEC }];
  }
  const loads = loadSegments(readSegments(source, header));
  return isRewritten(elf, loads) ? [] : loads;
}

/**
 * Where the linker must have put the segments of a file that `originalSegments` has none of, up to
 * the last one with code; none where that is not certain.
 */
export function placedSegments({ header, source }: ElfFile): LoadSegment[] {
  if (header.type === ElfType.rel) return [];
  return placeSegments(readSegments(source, header));
}

/** Code that is not in the file any more, and that no segment's bytes hold. */
function isRewritten({ sections }: ElfFile, loads: readonly LoadSegment[]): boolean {
  const code = SectionFlag.alloc | SectionFlag.exec;
  return sections.some(({ flags, type, address, offset, size }) => {
    if ((flags & code) !== code || type !== SectionType.nobits) return false;
    return !loads.some((load) => {
      const isInside = address >= load.vaddr && address + size <= load.vaddr + load.fileSize;
      const isInPlace = address - load.vaddr === offset - load.offset;
      return isInside && (isInPlace || load.fileSize === load.memSize);
    });
  });
}

/**
 * Linkers lay segments out in order of address, each at the next offset that is its address modulo
 * its alignment (gABI, chapter 5: Program Loading). Where addresses leave out a page, some leave
 * it out of the file too; then only a segment that begins in the page where the last one ended, or
 * the first, is certain. A writable segment ends before its .bss, no one knows where.
 */
export function placeSegments(segments: readonly ElfSegment[]): LoadSegment[] {
  const loads = segments.filter(({ type }) => type === SegmentType.load);
  const placed: LoadSegment[] = [];
  let withCode = 0;
  let end = 0;
  for (const { vaddr, memSize, flags, align } of loads) {
    if ((flags & SEGMENT_WRITE) !== 0) break;
    const page = Math.max(1, align);
    const offset = end + ((((vaddr - end) % page) + page) % page);
    const last = placed.at(-1);
    if (last !== undefined) {
      const isNext = offset - last.offset === vaddr - last.vaddr;
      const isSamePage = Math.floor(offset / page) === Math.floor((end - 1) / page);
      if (!isNext && !isSamePage) break;
    }
    end = offset + memSize;
    if (!Number.isSafeInteger(end)) break;
    placed.push({ offset, fileSize: memSize, vaddr, memSize, flags });
    if ((flags & SEGMENT_EXEC) !== 0) withCode = placed.length;
  }
  const executable = loads.filter(({ flags }) => (flags & SEGMENT_EXEC) !== 0).length;
  const known = placed.slice(0, withCode);
  const isAll = known.filter(({ flags }) => (flags & SEGMENT_EXEC) !== 0).length === executable;
  return isAll ? known : [];
}
