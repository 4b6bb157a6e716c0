/**
 * The header of Go's table of functions (runtime.pclntab) and where its parts lie. Its layout
 * changed with Go 1.16, 1.18 and 1.20; the magic tells them apart. Facts: src/runtime/symtab.go and
 * src/debug/gosym/pclntab.go of each release, and golang.org/s/go12symtab.
 */

export type PclntabVersion = '1.2' | '1.16' | '1.18' | '1.20';

/** Offsets are of the table's first byte; sizes are in bytes. */
export interface PclntabLayout {
  version: PclntabVersion;
  /** Addresses in pc tables count instructions of this size. */
  quantum: number;
  pointerSize: 4 | 8;
  functionCount: number;
  /** What entries are counted from, where the header says it (Go 1.18 to 1.25, not relocated). */
  textStart: number;
  names: number;
  /** Numbers of files per compilation unit; -1 before Go 1.16. */
  unitFiles: number;
  files: number;
  pcTables: number;
  /** What the second word of a row of `rows` is counted from. */
  records: number;
  /** Functions by address: (entry, record), and after the last one the end of the code. */
  rows: number;
  /** Bytes of an entry or a record's offset in `rows`; entries of 4 bytes are text-relative. */
  fieldSize: 4 | 8;
  textRelative: boolean;
  /** Bytes of a function's record before its pcdata offsets. */
  recordSize: number;
  /** Which of a function's data is its inline tree. */
  treeIndex: number;
  /** Bytes of one inlined call in such a tree. */
  callSize: number;
}

/** Enough for the header of every version. */
export const MAX_HEADER_BYTES = 8 + 8 * 8;
/** The pcdata table of the number of the innermost inlined call (PCDATA_InlTreeIndex). */
export const TREE_PCDATA = 2;

const VERSIONS = new Map<number, PclntabVersion>([
  [0xfffffffb, '1.2'],
  [0xfffffffa, '1.16'],
  [0xfffffff0, '1.18'],
  [0xfffffff1, '1.20'],
]);

/** Whether 8 bytes look like a header's first: magic, two zeros, quantum, size of a pointer. */
export function isPclntabMagic(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 1] !== 0xff || bytes[at + 2] !== 0xff || bytes[at + 3] !== 0xff) return false;
  if (bytes[at + 4] !== 0 || bytes[at + 5] !== 0) return false;
  const quantum = bytes[at + 6];
  const pointer = bytes[at + 7];
  if (quantum !== 1 && quantum !== 2 && quantum !== 4) return false;
  return (pointer === 4 || pointer === 8) && VERSIONS.has(0xffffff00 + (bytes[at] as number));
}

/** The layout of a table of `size` bytes by its first ones; null where they contradict. */
export function readPclntabLayout(head: Uint8Array, size: number): PclntabLayout | null {
  if (head.length < 16 || !isPclntabMagic(head, 0)) return null;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = VERSIONS.get(view.getUint32(0, true)) as PclntabVersion;
  const pointerSize = head[7] === 8 ? 8 : 4;
  const word = (index: number): number => readWord(view, 8 + index * pointerSize, pointerSize);
  const offsets = partOffsets(version, pointerSize, word);
  const textRelative = version === '1.18' || version === '1.20';
  const layout: PclntabLayout = {
    version,
    quantum: head[6] as number,
    pointerSize,
    functionCount: word(0),
    textStart: textRelative ? word(2) : 0,
    ...offsets,
    fieldSize: textRelative ? 4 : pointerSize,
    textRelative,
    recordSize: recordSize(version, pointerSize),
    treeIndex: version === '1.2' ? 4 : 3,
    callSize: version === '1.20' ? 16 : 20,
  };
  return isConsistent(layout, size) ? layout : null;
}

type PartOffsets = Pick<
  PclntabLayout,
  'names' | 'unitFiles' | 'files' | 'pcTables' | 'records' | 'rows'
>;

function partOffsets(
  version: PclntabVersion,
  pointerSize: number,
  word: (index: number) => number,
): PartOffsets {
  if (version === '1.2') {
    // One heap of bytes; the offset of the table of files follows the rows.
    const rows = 8 + pointerSize;
    const files = rows + (word(0) * 2 + 1) * pointerSize;
    return { names: 0, unitFiles: -1, files, pcTables: 0, records: 0, rows };
  }
  const first = version === '1.16' ? 2 : 3;
  return {
    names: word(first),
    unitFiles: word(first + 1),
    files: word(first + 2),
    pcTables: word(first + 3),
    records: word(first + 4),
    rows: word(first + 4),
  };
}

function recordSize(version: PclntabVersion, pointerSize: number): number {
  if (version === '1.2') return pointerSize + 32;
  if (version === '1.16') return pointerSize + 36;
  return version === '1.18' ? 40 : 44;
}

/** The parts of Go 1.16 and later follow each other in this order. */
function isConsistent(layout: PclntabLayout, size: number): boolean {
  const { names, unitFiles, files, pcTables, records, rows } = layout;
  const rowsEnd = rows + (layout.functionCount * 2 + 1) * layout.fieldSize;
  if (layout.functionCount < 1 || rowsEnd + 4 > size) return false;
  if (layout.version === '1.2') return true;
  return names <= unitFiles && unitFiles <= files && files <= pcTables && pcTables <= records;
}

/** A word of a pointer's size; NaN, which no comparison accepts, above 2^53 or outside. */
export function readWord(view: DataView, at: number, size: 4 | 8): number {
  if (at < 0 || at + size > view.byteLength) return Number.NaN;
  const low = view.getUint32(at, true);
  if (size === 4) return low;
  const high = view.getUint32(at + 4, true);
  return high < 2 ** 21 ? high * 2 ** 32 + low : Number.NaN;
}
