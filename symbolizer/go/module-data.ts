/**
 * runtime.firstmoduledata: what the Go runtime knows of its program. It begins with the pointer to
 * the table of functions. Its first 24 words have kept their places since Go 1.16; the place of
 * go:func.* further on has moved with the releases.
 */
import { SectionType } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';
import { type PclntabLayout, readWord } from './pclntab-layout.ts';
import { applyRelative, relativePointersTo } from './relative-relocations.ts';

export interface ModuleData {
  /** The address after the last function's record. */
  recordsEnd: number;
  /** What text-relative entries are counted from. */
  text: number;
  /** What may be the address of go:func.*, the likeliest first. */
  treeBases: number[];
}

/** A section of its own since Go 1.26, data before. */
const SECTIONS = ['.go.module', '.noptrdata', '.data', '.data.rel.ro'];
const CHUNK_BYTES = 2 ** 18;
/** Of one section. Go's data without pointers to the heap has some megabytes. */
const MAX_SEARCH_BYTES = 2 ** 26;
const WORDS = 48;
const Word = { names: 1, records: 13, recordsLength: 14, minPc: 20, maxPc: 21, text: 22 };
/** Of Go 1.20 to 1.26, of Go 1.18 and 1.19, then around them. */
const TREE_BASE_WORDS = [40, 38, 39, 41, 42, 43, 44, 37];
/** Pointers to the table that are looked at; there are two or three in a program. */
const MAX_POINTERS = 4;

/** Null where there is none, or the table is of before Go 1.16. */
export function findModule(
  elf: ElfFile,
  layout: PclntabLayout,
  pclntab: number,
): ModuleData | null {
  if (layout.version === '1.2') return null;
  for (const address of pointersInPlace(elf, layout, pclntab)) {
    const bytes = readWords(elf, layout, address);
    const module = bytes === null ? null : asModule(bytes, layout, pclntab);
    if (module !== null) return module;
  }
  for (const address of relativePointersTo(elf, pclntab, MAX_POINTERS)) {
    const bytes = readWords(elf, layout, address);
    if (bytes === null) continue;
    applyRelative(elf, address, bytes);
    const module = asModule(bytes, layout, pclntab);
    if (module !== null) return module;
  }
  return null;
}

function asModule(bytes: Uint8Array, layout: PclntabLayout, pclntab: number): ModuleData | null {
  const { pointerSize } = layout;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (index: number): number => readWord(view, index * pointerSize, pointerSize);
  const text = word(Word.text);
  const isCode = text > 0 && text <= word(Word.minPc) && word(Word.minPc) < word(Word.maxPc);
  if (!isCode || word(Word.names) !== pclntab + layout.names) return null;
  const recordsEnd = word(Word.records) + word(Word.recordsLength);
  const treeBases = TREE_BASE_WORDS.map(word).filter((base) => base > 0);
  return { recordsEnd, text, treeBases };
}

function pointersInPlace(elf: ElfFile, layout: PclntabLayout, target: number): number[] {
  const found: number[] = [];
  const { pointerSize } = layout;
  for (const name of SECTIONS) {
    const section = elf.section(name);
    if (section === undefined || section.type === SectionType.nobits) continue;
    const { offset, size, address } = section;
    if (offset + size > elf.source.size) continue;
    const searched = Math.min(size, MAX_SEARCH_BYTES);
    for (let at = 0; at < searched; at += CHUNK_BYTES) {
      const bytes = elf.source.read(offset + at, Math.min(CHUNK_BYTES, searched - at));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let i = 0; i + pointerSize <= bytes.length; i += pointerSize) {
        if (readWord(view, i, pointerSize) !== target) continue;
        if (found.length < MAX_POINTERS) found.push(address + at + i);
      }
    }
  }
  return found;
}

/** Null where they are not in a section of `SECTIONS`. A copy. */
function readWords(elf: ElfFile, layout: PclntabLayout, start: number): Uint8Array | null {
  for (const name of SECTIONS) {
    const section = elf.section(name);
    if (section === undefined || section.type === SectionType.nobits) continue;
    const within = start - section.address;
    const length = WORDS * layout.pointerSize;
    if (within < 0 || within + length > section.size) continue;
    if (section.offset + within + length > elf.source.size) continue;
    return Uint8Array.from(elf.source.read(section.offset + within, length));
  }
  return null;
}
