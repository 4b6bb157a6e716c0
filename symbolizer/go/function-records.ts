/** The rows of Go's table of functions and the records they point to, one function at a time. */
import type { ByteSource } from '../elf/byte-reader.ts';
import { ByteWindow } from './byte-window.ts';
import { type PclntabLayout, TREE_PCDATA } from './pclntab-layout.ts';

/** Tables of one function; there are eight kinds of each. */
const MAX_TABLES = 255;
/** The offset of data that a function does not have, since Go 1.18. */
const NO_DATA = 0xffffffff;
/** Longer functions there are none, and offsets in one are 32-bit integers. */
const MAX_FUNCTION_BYTES = 2 ** 31 - 1;

export class FunctionRecords {
  /** Of the function that was read last. Addresses, or counted from the text's start. */
  start = 0;
  end = 0;
  /** Counted from the layout's names. */
  name = 0;
  /** Counted from the layout's pcTables; 0 = there is none. */
  fileTable = 0;
  lineTable = 0;
  treeTable = 0;
  /** The first of its compilation unit's files (Go 1.16 and later). */
  unit = 0;
  /** Its tree of inlined calls: an offset or an address; -1 = there is none. */
  tree = -1;

  readonly #layout: PclntabLayout;
  readonly #rows: ByteWindow;
  readonly #records: ByteWindow;

  /** `offset` and `length` are where the table of functions is in `source`. */
  constructor(source: ByteSource, offset: number, length: number, layout: PclntabLayout) {
    this.#layout = layout;
    this.#rows = new ByteWindow(source, offset, length);
    this.#records = new ByteWindow(source, offset, length);
  }

  /** False where row or record are damaged. */
  read(index: number): boolean {
    const { rows, records, fieldSize, textRelative, recordSize } = this.#layout;
    const row = rows + index * 2 * fieldSize;
    this.start = this.#rows.word(row, fieldSize);
    this.end = this.#rows.word(row + 2 * fieldSize, fieldSize);
    const offset = this.#rows.word(row + fieldSize, fieldSize);
    const size = this.end - this.start;
    if (this.start < 0 || offset < 0 || !(size > 0 && size <= MAX_FUNCTION_BYTES)) return false;
    const record = records + offset;
    const window = this.#records;
    const fields = record + (textRelative ? 4 : fieldSize);
    this.name = window.u32(fields);
    this.fileTable = window.u32(fields + 16);
    this.lineTable = window.u32(fields + 20);
    const pcTables = window.u32(fields + 24);
    this.unit = window.u32(fields + 28);
    const dataCount = window.u8(record + recordSize - 1);
    if (pcTables < 0 || pcTables > MAX_TABLES || dataCount < 0) return false;
    const tables = record + recordSize;
    this.treeTable = pcTables > TREE_PCDATA ? window.u32(tables + TREE_PCDATA * 4) : 0;
    this.tree = this.#treeOf(tables + pcTables * 4, dataCount);
    return this.treeTable >= 0;
  }

  #treeOf(data: number, dataCount: number): number {
    const { treeIndex, textRelative, pointerSize } = this.#layout;
    if (dataCount <= treeIndex || this.treeTable <= 0) return -1;
    if (textRelative) {
      const offset = this.#records.u32(data + treeIndex * 4);
      return offset === NO_DATA ? -1 : offset;
    }
    const aligned = Math.ceil(data / pointerSize) * pointerSize;
    const address = this.#records.word(aligned + treeIndex * pointerSize, pointerSize);
    return address === 0 ? -1 : address;
  }
}
