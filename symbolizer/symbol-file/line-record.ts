/**
 * Line records of symbol files (docs/formats.md section 4.3): the rows and inlined calls of one
 * range, small enough for one page, decoded from their beginning.
 */

/** Rows of one record: a look-up decodes half of them. */
export const MAX_RECORD_ROWS = 64;
/** Inlined calls around one row; of more, the innermost are left out. */
export const MAX_INLINE_DEPTH = 128;

/** Ops from here on are special: same function and file, both deltas in one byte. */
export const SPECIAL_OP = 0x40;
export const SPECIAL_LINE_BASE = -3;
export const SPECIAL_LINES = 12;
export const SPECIAL_ADDRESSES = 16;

/** Bits 0 and 1 of other ops: in which function the row is. */
export const NodeOp = { same: 0, known: 1, new: 2, parent: 3 } as const;
/** The row's file follows. */
export const FILE_OP = 4;
/** Bits 3 to 5: the address delta, 0 = it follows. */
export const ADDRESS_OP_SHIFT = 3;
export const ADDRESS_OP_MAX = 7;

/** An inlined call takes 3 bytes at least, a record at most a page. */
const MAX_RECORD_NODES = 1_366;

/** A record that cannot be what was written. */
export class DamagedRecord extends Error {}

/**
 * Decodes one record at a time into columns. Nodes are numbered from 1 as the record names them;
 * 0 is the function itself. Texts are numbers + 1, 0 = none.
 */
export class RecordDecoder {
  readonly nodeParent = new Int32Array(MAX_RECORD_NODES);
  readonly nodeName = new Int32Array(MAX_RECORD_NODES);
  readonly nodeCallFile = new Int32Array(MAX_RECORD_NODES);
  readonly nodeCallLine = new Int32Array(MAX_RECORD_NODES);
  /** Nodes so far, the function itself included. */
  nodeCount = 1;
  /** The current row: bytes from the range's start, node, file and line. */
  address = -1;
  node = 0;
  file = 0;
  line = 0;
  /** Rows that are still to come. */
  rowsLeft = 0;
  /** File and line of the last row or call in each node. */
  readonly #fileOf = new Int32Array(MAX_RECORD_NODES);
  readonly #lineOf = new Int32Array(MAX_RECORD_NODES);
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  /** Begins a record at `at`; nothing from `end` on is read. */
  begin(bytes: Uint8Array, at: number, end: number): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.nodeCount = 1;
    this.address = -1;
    this.node = 0;
    this.file = 0;
    this.line = 0;
    this.#fileOf[0] = 0;
    this.#lineOf[0] = 0;
    this.rowsLeft = this.#varint();
    if (this.rowsLeft > MAX_RECORD_ROWS) throw new DamagedRecord('rows');
  }

  /** Inlined calls around the current row. */
  depth(): number {
    let depth = 0;
    for (let { node } = this; node > 0; node = this.nodeParent[node] as number) depth++;
    return depth;
  }

  /** Steps to the last row that is not above `address`. */
  seek(address: number): void {
    while (this.rowsLeft > 0 && this.step(address));
  }

  /** Steps to the next row unless it is above `limit`; after `false` nothing more can be read. */
  step(limit: number): boolean {
    if (this.#at >= this.#end) throw new DamagedRecord('end');
    const op = this.#bytes[this.#at++] as number;
    if (op >= SPECIAL_OP) {
      const special = op - SPECIAL_OP;
      const steps = (special / SPECIAL_LINES) | 0;
      if (this.address + steps + 1 > limit) return false;
      this.address += steps + 1;
      this.line += special - steps * SPECIAL_LINES + SPECIAL_LINE_BASE;
    } else {
      const short = op >> ADDRESS_OP_SHIFT;
      const address = this.address + (short === 0 ? this.#varint() : short);
      if (address > limit) return false;
      this.address = address;
      const nodeOp = op & 3;
      if (nodeOp !== NodeOp.same) this.#switchNode(nodeOp);
      if ((op & FILE_OP) !== 0) this.file = this.#varint();
      this.line += this.#signed();
    }
    this.rowsLeft--;
    return true;
  }

  #switchNode(nodeOp: number): void {
    this.#fileOf[this.node] = this.file;
    this.#lineOf[this.node] = this.line;
    if (nodeOp === NodeOp.parent) this.node = this.nodeParent[this.node] as number;
    else if (nodeOp === NodeOp.known) this.node = this.#varint();
    else this.#readNodes(this.#varint());
    if (this.node >= this.nodeCount) throw new DamagedRecord('node');
    this.file = this.#fileOf[this.node] as number;
    this.line = this.#lineOf[this.node] as number;
  }

  #readNodes(count: number): void {
    if (count > MAX_INLINE_DEPTH || this.nodeCount + count > MAX_RECORD_NODES) {
      throw new DamagedRecord('nodes');
    }
    for (let i = 0; i < count; i++) {
      const node = this.nodeCount++;
      const head = this.#varint();
      const parent = head >>> 1;
      if (parent >= node) throw new DamagedRecord('parent');
      this.nodeParent[node] = parent;
      this.nodeName[node] = this.#varint();
      if ((head & 1) !== 0) this.#fileOf[parent] = this.#varint();
      const file = this.#fileOf[parent] as number;
      const line = (this.#lineOf[parent] as number) + this.#signed();
      this.#lineOf[parent] = line;
      this.nodeCallFile[node] = file;
      this.nodeCallLine[node] = line;
      this.#fileOf[node] = file;
      this.#lineOf[node] = line;
      this.node = node;
    }
  }

  #signed(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] as number;
    let value = byte & 0x7f;
    for (let scale = 128; byte >= 128; scale *= 128) {
      if (this.#at >= this.#end || scale > 2 ** 28) throw new DamagedRecord('varint');
      byte = bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
    }
    return value;
  }
}
