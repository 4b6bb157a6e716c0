/**
 * Where a Go program keeps its table of functions, its code and its trees of inlined calls. Since
 * Go 1.18 only runtime.firstmoduledata knows the last two. It is found by its pointer to the table,
 * because a stripped program has no symbols.
 */
import { bytesSource } from '../elf/byte-reader.ts';
import { type ElfSection, ElfType, SectionFlag, SectionType } from '../elf/elf.ts';
import type { ElfFile } from '../elf/elf-file.ts';
import { ByteWindow } from './byte-window.ts';
import { FunctionRecords } from './function-records.ts';
import { findModule, type ModuleData } from './module-data.ts';
import {
  isPclntabMagic,
  MAX_HEADER_BYTES,
  type PclntabLayout,
  readPclntabLayout,
} from './pclntab-layout.ts';
import { applyRelative } from './relative-relocations.ts';
import { GO_SECTIONS } from './sections.ts';

/** Bytes of the file and the address of the first of them. */
export interface Stretch {
  address: number;
  offset: number;
  length: number;
}

export interface GoTables {
  layout: PclntabLayout;
  pclntab: Stretch;
  /** Its bytes, where the file holds zeros for pointers that the dynamic linker writes. */
  relocated: Uint8Array | null;
  /** What text-relative entries are counted from (runtime.text); -1 = it was not found. */
  text: number;
  /** What offsets of trees are counted from (go:func.*); 0 = not found, or they are addresses. */
  treeBase: number;
  /** All trees; null where they are in `pclntab`, there are none, or they were not found. */
  trees: Stretch | null;
}

const CHUNK_BYTES = 2 ** 18;
const MAGIC_BYTES = 8;
/** How far a table may begin from the start of its own section, and of .data.rel.ro. */
const MAX_OWN_SEARCH_BYTES = 2 ** 16;
const MAX_SEARCH_BYTES = 2 ** 27;
/** The largest programs known have some 100 MB of functions. */
const MAX_PCLNTAB_BYTES = 2 ** 28;
/** Sections that only Go programs have. */
const MARKS = ['.note.go.buildid', '.go.buildinfo'];
/** Trees by which a guess of their place is judged. */
const JUDGED_TREES = 32;
/** Of the last tree; its length is written nowhere. 6,500 calls inlined into one function. */
const MAX_TREE_BYTES = 2 ** 17;

/** Null for a program without a Go table of functions. Reads the file in small parts. */
export function findGoTables(elf: ElfFile): GoTables | null {
  const isGo = MARKS.some((name) => elf.section(name) !== undefined);
  for (const name of GO_SECTIONS) {
    const isAlone = name !== '.data.rel.ro';
    // Nobody else's .data.rel.ro is searched.
    const section = isAlone || isGo ? elf.section(name) : undefined;
    const searched = isAlone ? MAX_OWN_SEARCH_BYTES : MAX_SEARCH_BYTES;
    const pclntab = section === undefined ? null : findPclntab(elf, section, searched);
    if (pclntab === null) continue;
    const { layout, stretch } = pclntab;
    const module = findModule(elf, layout, stretch.address);
    const end = isAlone || module === null ? 0 : module.recordsEnd - stretch.address;
    if (end > layout.rows && end < stretch.length) stretch.length = end;
    const text = module?.text ?? (layout.textStart > 0 ? layout.textStart : -1);
    const relocated = relocate(elf, layout, stretch);
    const survey = surveyTrees(elf, layout, stretch, relocated);
    const trees = findTrees(elf, layout, stretch, module, survey);
    return { layout, pclntab: stretch, relocated, text, ...trees };
  }
  return null;
}

/** Its header is at the section's start, or at a multiple of 8 further on. */
function findPclntab(
  elf: ElfFile,
  section: ElfSection,
  searchedBytes: number,
): { layout: PclntabLayout; stretch: Stretch } | null {
  const { source } = elf;
  const { type, offset, size, address } = section;
  if (type === SectionType.nobits || offset + size > source.size) return null;
  const searched = Math.min(size, searchedBytes);
  for (let at = 0; at < searched; at += CHUNK_BYTES) {
    const bytes = source.read(offset + at, Math.min(CHUNK_BYTES, searched - at));
    for (let i = 0; i + MAGIC_BYTES <= bytes.length; i += 4) {
      if (bytes[i + 1] !== 0xff || !isPclntabMagic(bytes, i)) continue;
      const length = Math.min(size - at - i, MAX_PCLNTAB_BYTES);
      const head = source.read(offset + at + i, Math.min(MAX_HEADER_BYTES, length));
      const layout = readPclntabLayout(head, length);
      if (layout === null || (layout.pointerSize === 8) !== elf.header.is64) continue;
      return { layout, stretch: { address: address + at + i, offset: offset + at + i, length } };
    }
  }
  return null;
}

/** What one pass over all functions tells of their trees. */
interface TreeSurvey {
  /** The lowest and the highest place of a tree. */
  low: number;
  high: number;
  /** Some trees, with the sizes of their functions. */
  places: number[];
  functionBytes: number[];
}

function findTrees(
  elf: ElfFile,
  layout: PclntabLayout,
  pclntab: Stretch,
  module: ModuleData | null,
  survey: TreeSurvey,
): Pick<GoTables, 'treeBase' | 'trees'> {
  const none = { treeBase: 0, trees: null };
  if (survey.places.length === 0) return none;
  const bases = layout.textRelative ? (module?.treeBases ?? []) : [0];
  for (const treeBase of bases) {
    const start = treeBase + survey.low;
    const trees = stretchAt(elf, start, treeBase + survey.high + MAX_TREE_BYTES - start);
    if (trees === null || treeBase + survey.high >= trees.address + trees.length) continue;
    if (!areTrees(elf, layout, pclntab, treeBase, trees, survey)) continue;
    const inTable =
      trees.address >= pclntab.address &&
      trees.address + trees.length <= pclntab.address + pclntab.length;
    return { treeBase, trees: inTable ? null : trees };
  }
  return none;
}

/** Before Go 1.18 the table holds addresses; in position-independent programs lld leaves zeros. */
function relocate(elf: ElfFile, layout: PclntabLayout, pclntab: Stretch): Uint8Array | null {
  if (layout.textRelative || elf.header.type !== ElfType.dyn) return null;
  const first = new ByteWindow(elf.source, pclntab.offset, pclntab.length);
  if (first.word(layout.rows, layout.fieldSize) !== 0) return null;
  const bytes = Uint8Array.from(elf.source.read(pclntab.offset, pclntab.length));
  applyRelative(elf, pclntab.address, bytes);
  return bytes;
}

function surveyTrees(
  elf: ElfFile,
  layout: PclntabLayout,
  pclntab: Stretch,
  relocated: Uint8Array | null,
): TreeSurvey {
  const survey: TreeSurvey = { low: Infinity, high: -1, places: [], functionBytes: [] };
  const { offset, length } = pclntab;
  const records =
    relocated === null
      ? new FunctionRecords(elf.source, offset, length, layout)
      : new FunctionRecords(bytesSource(relocated), 0, length, layout);
  for (let index = 0; index < layout.functionCount; index++) {
    if (!records.read(index) || records.tree < 0) continue;
    survey.low = Math.min(survey.low, records.tree);
    survey.high = Math.max(survey.high, records.tree);
    if (survey.places.length === JUDGED_TREES) continue;
    survey.places.push(records.tree);
    survey.functionBytes.push(records.end - records.start);
  }
  return survey;
}

/** Bytes at an address, up to `length` of them, as far as their section reaches. */
function stretchAt(elf: ElfFile, address: number, length: number): Stretch | null {
  for (const section of elf.sections) {
    const within = address - section.address;
    if (within < 0 || within >= section.size || (section.flags & SectionFlag.alloc) === 0) continue;
    if (section.type === SectionType.nobits) continue;
    const available = Math.min(length, section.size - within);
    const offset = section.offset + within;
    if (offset + available > elf.source.size) return null;
    return { address, offset, length: available };
  }
  return null;
}

/**
 * Whether the first calls of trees have names that begin where a name begins, and lie within their
 * functions. One in sixteen may be wrong: the linker drops functions that nothing calls.
 */
function areTrees(
  elf: ElfFile,
  layout: PclntabLayout,
  pclntab: Stretch,
  treeBase: number,
  trees: Stretch,
  survey: TreeSurvey,
): boolean {
  const window = new ByteWindow(elf.source, trees.offset, trees.length);
  const names = new ByteWindow(elf.source, pclntab.offset, pclntab.length);
  const nameAt = layout.callSize === 16 ? 4 : 12;
  let wrong = 0;
  survey.places.forEach((place, i) => {
    const call = treeBase + place - trees.address;
    const name = window.u32(call + nameAt);
    const parentPc = window.u32(call + nameAt + 4);
    const begins = name > 0 && names.u8(layout.names + name - 1) === 0;
    const named = begins && names.u8(layout.names + name) > 0;
    const inFunction = parentPc >= 0 && parentPc < (survey.functionBytes[i] as number);
    if (!named || !inFunction) wrong++;
  });
  return wrong * 16 <= survey.places.length;
}
