/**
 * What an extraction carries of a Go program, in one section of type GO_EXTRACT_TYPE: a header,
 * the table of functions, the trees of inlined calls.
 */
import type { ElfFile } from '../elf/elf-file.ts';
import { findGoTables, type GoTables, type Stretch } from './go-tables.ts';
import {
  MAX_HEADER_BYTES,
  type PclntabLayout,
  readPclntabLayout,
  readWord,
} from './pclntab-layout.ts';
import { GO_EXTRACT_TYPE } from './sections.ts';

/** The section's content: `header`, then the stretches of the original, nothing in between. */
export interface GoExtract {
  header: Uint8Array;
  stretches: { offset: number; length: number }[];
  /** Of all of it. */
  sizeBytes: number;
}

/** A Go program's tables in memory. */
export interface GoBytes {
  layout: PclntabLayout;
  pclntab: Uint8Array;
  /** What text-relative entries are counted from; -1 = it was not found. */
  text: number;
  /** What a tree's place becomes an offset in `trees` by: added to it. */
  treesShift: number;
  trees: Uint8Array;
}

const MAGIC = 0x0a6f6765; // "ego\n"
const VERSION = 1;
const HEADER_BYTES = 8 + 6 * 8;

/**
 * Null for what is no Go program, and for the rare one whose table needs relocating (Go before
 * 1.18, position-independent, linked by lld). Worth its bytes where there is no DWARF.
 */
export function planGoExtract(elf: ElfFile): GoExtract | null {
  const tables = findGoTables(elf);
  if (tables === null || tables.relocated !== null) return null;
  const { pclntab, text, treeBase, trees } = tables;
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, MAGIC, true);
  header.setUint32(4, VERSION, true);
  const words = [
    pclntab.address,
    pclntab.length,
    Math.max(text, 0),
    treeBase,
    trees?.address ?? 0,
    trees?.length ?? 0,
  ];
  words.forEach((value, index) => {
    header.setBigUint64(8 + index * 8, BigInt(value), true);
  });
  const stretches = trees === null ? [pclntab] : [pclntab, trees];
  const sizeBytes = stretches.reduce((sum, { length }) => sum + length, HEADER_BYTES);
  return { header: new Uint8Array(header.buffer), stretches, sizeBytes };
}

/** From an extraction or the program itself; null for what is no Go program. */
export function readGoBytes(elf: ElfFile): GoBytes | null {
  const tables = findExtract(elf) ?? findGoTables(elf);
  if (tables === null) return null;
  const { layout, text, treeBase } = tables;
  const read = ({ offset, length }: Stretch): Uint8Array => elf.source.read(offset, length);
  const pclntab = tables.relocated ?? read(tables.pclntab);
  // Offsets without a base: where the trees are was not found.
  const lost = layout.textRelative && treeBase === 0;
  const inTable = lost ? new Uint8Array(0) : pclntab;
  const trees = tables.trees === null ? inTable : read(tables.trees);
  const treesShift = treeBase - (tables.trees ?? tables.pclntab).address;
  return { layout, pclntab, text, treesShift, trees };
}

function findExtract(elf: ElfFile): GoTables | null {
  const section = elf.sections.find(({ type }) => type === GO_EXTRACT_TYPE);
  if (section === undefined || section.size < HEADER_BYTES) return null;
  if (section.offset + section.size > elf.source.size) return null;
  const header = elf.source.read(section.offset, HEADER_BYTES);
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== VERSION) return null;
  const word = (index: number): number => readWord(view, 8 + index * 8, 8);
  const pclntab = { address: word(0), offset: section.offset + HEADER_BYTES, length: word(1) };
  const trees = { address: word(4), offset: pclntab.offset + pclntab.length, length: word(5) };
  if (HEADER_BYTES + pclntab.length + trees.length !== section.size) return null;
  const head = elf.source.read(pclntab.offset, Math.min(pclntab.length, MAX_HEADER_BYTES));
  const layout = readPclntabLayout(head, pclntab.length);
  if (layout === null) return null;
  return {
    layout,
    pclntab,
    relocated: null,
    text: word(2) > 0 ? word(2) : -1,
    treeBase: word(3),
    trees: trees.length > 0 ? trees : null,
  };
}
