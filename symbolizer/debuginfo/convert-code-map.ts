/** Where the code of a program is: by file offset, and by address. */
import {
  ElfType,
  type LoadSegment,
  loadSegments,
  readSegments,
  SEGMENT_EXEC,
  SectionFlag,
  SectionType,
} from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';

/**
 * The segments if they still say where the original's code lies, else none. An object file's
 * addresses are its file offsets.
 */
export function originalSegments({ header, sections, source }: ElfFile): LoadSegment[] {
  if (header.type === ElfType.rel) {
    // By its sections, not by this file's size: an extraction is smaller than its original.
    const executable = sections.filter(({ flags }) => (flags & SectionFlag.exec) !== 0);
    const size = executable.reduce((end, { offset, size }) => Math.max(end, offset + size), 0);
    return [{ offset: 0, fileSize: size, vaddr: 0, memSize: size, flags: SEGMENT_EXEC }];
  }
  const loads = loadSegments(readSegments(source, header));
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

/** Tells whether an address is in an executable section of any of the files. */
export function codeMap(elfs: readonly ElfFile[]): (address: number) => boolean {
  const spans: { start: number; end: number }[] = [];
  for (const { header, sections } of elfs) {
    for (const { flags, offset, address, size } of sections) {
      if ((flags & SectionFlag.exec) === 0 || size === 0) continue;
      const start = header.type === ElfType.rel ? offset : address;
      spans.push({ start, end: start + size });
    }
  }
  const { starts, ends } = joinSpans(spans);
  return (address) => {
    let begin = 0;
    let end = starts.length;
    while (begin < end) {
      const middle = (begin + end) >>> 1;
      if ((starts[middle] as number) <= address) begin = middle + 1;
      else end = middle;
    }
    return begin > 0 && address < (ends[begin - 1] as number);
  };
}

/** Sorted, those that touch or overlap as one. */
function joinSpans(spans: { start: number; end: number }[]): {
  starts: Float64Array;
  ends: Float64Array;
} {
  spans.sort((a, b) => a.start - b.start);
  const starts = new Float64Array(spans.length);
  const ends = new Float64Array(spans.length);
  let count = 0;
  for (const { start, end } of spans) {
    if (count > 0 && start <= (ends[count - 1] as number)) {
      ends[count - 1] = Math.max(end, ends[count - 1] as number);
      continue;
    }
    starts[count] = start;
    ends[count++] = end;
  }
  return { starts: starts.subarray(0, count), ends: ends.subarray(0, count) };
}
