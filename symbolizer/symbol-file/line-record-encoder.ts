/** Pieces of code -> line records (docs/formats.md section 4.3), at once, in one array of bytes. */
import { assert, EverflameError } from '../../profile/errors.ts';
import { MAX_SYMBOL_RECORD_BYTES } from '../../profile/limits.ts';
import { type CodePiece, FUNCTION_NODE } from '../code-piece.ts';
import type { CodeRanges } from './code-ranges.ts';
import {
  ADDRESS_OP_MAX,
  ADDRESS_OP_SHIFT,
  FILE_OP,
  MAX_INLINE_DEPTH,
  MAX_RECORD_ROWS,
  NodeOp,
  SPECIAL_ADDRESSES,
  SPECIAL_LINE_BASE,
  SPECIAL_LINES,
  SPECIAL_OP,
} from './line-record.ts';
import { PAGE_BYTES } from './symbol-file-layout.ts';
import type { TextNumbers } from './text-numbers.ts';

/** A call takes 3 to 17 bytes, what else a row has at most 22. */
const MAX_ROW_BYTES = MAX_INLINE_DEPTH * 17 + 22;
/** From here on a record takes no more rows, so that it fits in a page. */
const FULL_RECORD_BYTES = PAGE_BYTES - MAX_ROW_BYTES;
/** Deltas of addresses and lines fit in varints of 5 bytes. */
const MAX_RECORD_SPAN = 2 ** 31;

export class RecordEncoder {
  /** All records; a range says where its own is. */
  bytes = new Uint8Array(2 ** 16);
  /** Rows whose inlined calls were deeper than MAX_INLINE_DEPTH. */
  cutRows = 0;
  readonly #numbers: TextNumbers;
  #used = 0;

  /** The record that is being written. */
  #begin = 0;
  #rows = 0;
  #nodes = 1;
  #address = -1;
  #node = 0;
  #file = 0;
  #line = 0;
  /** Per node of the piece: its number in the record that `#seenIn` names. */
  #nodeNumber = new Int32Array(64);
  #seenIn = new Int32Array(64);
  /** How many calls deep it is, and where that is too deep, the outermost call to leave out. */
  #depth = new Int32Array(64);
  #leftOut = new Int32Array(64);
  #record = 0;
  /** The piece's first record, and the calls that no record of it had before this one. */
  #firstRecord = 0;
  #newCalls = 0;
  /** Per node of the record, 0 being the function: its parent, and its last file and line. */
  readonly #parentOf = new Int32Array(PAGE_BYTES);
  readonly #fileOf = new Int32Array(PAGE_BYTES);
  readonly #lineOf = new Int32Array(PAGE_BYTES);
  readonly #chain = new Int32Array(MAX_INLINE_DEPTH + 1);

  constructor(numbers: TextNumbers) {
    this.#numbers = numbers;
  }

  /** Adds the piece to `ranges`, in as many ranges as it takes. */
  encode(piece: CodePiece, ranges: CodeRanges): void {
    const { rowCount, rowAddress } = piece;
    if (rowCount === 0) {
      ranges.add(piece.start, piece.end, piece.name, 0, 0, 0, 0);
      return;
    }
    assert(rowAddress[0] === piece.start && piece.end > piece.start, 'rows begin with their piece');
    this.#measureNodes(piece);
    this.#firstRecord = this.#record + 1;
    let first = 0;
    while (first < rowCount) first = this.#encodeRecord(piece, first, ranges);
  }

  /** Writes rows from `first` on and returns the first that is left. */
  #encodeRecord(piece: CodePiece, first: number, ranges: CodeRanges): number {
    const { rowCount, rowAddress, rowFile, rowLine } = piece;
    const start = rowAddress[first] as number;
    this.#beginRecord();
    let lineBytes = 0;
    this.#newCalls = 0;
    let row = first;
    for (; row < rowCount; row++) {
      const address = rowAddress[row] as number;
      const end = row + 1 < rowCount ? (rowAddress[row + 1] as number) : piece.end;
      const isFull = this.#rows === MAX_RECORD_ROWS || this.#used - this.#begin > FULL_RECORD_BYTES;
      if (isFull || address - start >= MAX_RECORD_SPAN) break;
      assert(end > address, 'rows of a piece ascend');
      this.#writeRow(piece, row, address - start);
      if ((rowFile[row] as number) >= 0 && (rowLine[row] as number) > 0) lineBytes += end - address;
    }
    const end = row < rowCount ? (rowAddress[row] as number) : piece.end;
    this.bytes[this.#begin] = this.#rows;
    const length = this.#used - this.#begin;
    ranges.add(start, end, piece.name, this.#begin, length, lineBytes, this.#newCalls);
    return row;
  }

  #beginRecord(): void {
    this.#begin = this.#used;
    // The number of rows comes first, in one byte: MAX_RECORD_ROWS is below 128.
    this.#reserve(1);
    this.#used++;
    this.#record++;
    this.#rows = 0;
    this.#nodes = 1;
    this.#address = -1;
    this.#node = 0;
    this.#file = 0;
    this.#line = 0;
    this.#fileOf[0] = 0;
    this.#lineOf[0] = 0;
  }

  /** Rows that say the same as the one before are left out. */
  #writeRow(piece: CodePiece, row: number, address: number): void {
    let text = piece.rowFile[row] as number;
    let line = piece.rowLine[row] as number;
    let pieceNode = piece.rowNode[row] as number;
    if (pieceNode >= 0 && (this.#depth[pieceNode] as number) > MAX_INLINE_DEPTH) {
      const call = this.#leftOut[pieceNode] as number;
      text = piece.nodeCallFile[call] as number;
      line = piece.nodeCallLine[call] as number;
      pieceNode = piece.nodeParent[call] as number;
      this.cutRows++;
    }
    line = Math.max(0, line);
    const file = this.#numbers.numberOf(text);
    const node = pieceNode === FUNCTION_NODE ? 0 : this.#knownNode(pieceNode);
    const sameNode = node === this.#node;
    if (sameNode && this.#rows > 0 && file === this.#file && line === this.#line) return;
    this.#reserve(MAX_ROW_BYTES);
    const addressDelta = address - this.#address;
    this.#address = address;
    this.#rows++;
    const lineStep = line - this.#line - SPECIAL_LINE_BASE;
    const isSpecial =
      lineStep >= 0 && lineStep < SPECIAL_LINES && addressDelta <= SPECIAL_ADDRESSES;
    if (sameNode && file === this.#file && isSpecial) {
      this.#line = line;
      this.bytes[this.#used++] = SPECIAL_OP + (addressDelta - 1) * SPECIAL_LINES + lineStep;
      return;
    }
    const opAt = this.#used++;
    const short = addressDelta <= ADDRESS_OP_MAX ? addressDelta : 0;
    if (short === 0) this.#varint(addressDelta);
    const nodeOp = sameNode ? NodeOp.same : this.#writeNode(piece, pieceNode, node);
    const fileOp = file === this.#file ? 0 : FILE_OP;
    if (fileOp !== 0) this.#varint(file);
    this.#signed(line - this.#line);
    this.#file = file;
    this.#line = line;
    this.bytes[opAt] = (short << ADDRESS_OP_SHIFT) | fileOp | nodeOp;
  }

  /** Switches to a node and returns how. */
  #writeNode(piece: CodePiece, pieceNode: number, known: number): number {
    this.#fileOf[this.#node] = this.#file;
    this.#lineOf[this.#node] = this.#line;
    let nodeOp: number = NodeOp.parent;
    let node = known;
    if (node < 0) {
      nodeOp = NodeOp.new;
      node = this.#writeNewNodes(piece, pieceNode);
    } else if (this.#node === 0 || node !== this.#parentOf[this.#node]) {
      nodeOp = NodeOp.known;
      this.#varint(node);
    }
    this.#node = node;
    this.#file = this.#fileOf[node] as number;
    this.#line = this.#lineOf[node] as number;
    return nodeOp;
  }

  /** The node and those around it that the record has not named yet, the outermost first. */
  #writeNewNodes(piece: CodePiece, pieceNode: number): number {
    const chain = this.#chain;
    let depth = 0;
    let ancestor = pieceNode;
    while (ancestor !== FUNCTION_NODE && this.#knownNode(ancestor) < 0) {
      chain[depth++] = ancestor;
      ancestor = piece.nodeParent[ancestor] as number;
    }
    let parent = ancestor === FUNCTION_NODE ? 0 : this.#knownNode(ancestor);
    this.#varint(depth);
    while (depth > 0) parent = this.#writeNewNode(piece, chain[--depth] as number, parent);
    return parent;
  }

  #writeNewNode(piece: CodePiece, pieceNode: number, parent: number): number {
    const node = this.#nodes++;
    const file = this.#numbers.numberOf(piece.nodeCallFile[pieceNode] as number);
    const line = Math.max(0, piece.nodeCallLine[pieceNode] as number);
    const sameFile = file === this.#fileOf[parent];
    this.#varint(parent * 2 + (sameFile ? 0 : 1));
    this.#varint(this.#numbers.numberOf(piece.nodeName[pieceNode] as number));
    if (!sameFile) this.#varint(file);
    this.#signed(line - (this.#lineOf[parent] as number));
    this.#fileOf[parent] = file;
    this.#lineOf[parent] = line;
    this.#parentOf[node] = parent;
    this.#fileOf[node] = file;
    this.#lineOf[node] = line;
    if ((this.#seenIn[pieceNode] as number) < this.#firstRecord) this.#newCalls++;
    this.#nodeNumber[pieceNode] = node;
    this.#seenIn[pieceNode] = this.#record;
    return node;
  }

  /** The node's number in this record, or -1. */
  #knownNode(pieceNode: number): number {
    return this.#seenIn[pieceNode] === this.#record ? (this.#nodeNumber[pieceNode] as number) : -1;
  }

  #measureNodes({ nodeCount, nodeParent }: CodePiece): void {
    if (nodeCount > this.#depth.length) {
      const length = Math.max(nodeCount, this.#depth.length * 2);
      this.#nodeNumber = new Int32Array(length);
      this.#seenIn = new Int32Array(length);
      this.#depth = new Int32Array(length);
      this.#leftOut = new Int32Array(length);
    }
    for (let node = 0; node < nodeCount; node++) {
      const parent = nodeParent[node] as number;
      assert(parent < node && parent >= FUNCTION_NODE, 'a call comes after the one it is in');
      const depth = parent === FUNCTION_NODE ? 1 : (this.#depth[parent] as number) + 1;
      this.#depth[node] = depth;
      this.#leftOut[node] = depth > MAX_INLINE_DEPTH + 1 ? (this.#leftOut[parent] as number) : node;
    }
  }

  #signed(value: number): void {
    this.#varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      const high = Math.floor(rest / 128);
      this.bytes[this.#used++] = rest - high * 128 + 128;
      rest = high;
    }
    this.bytes[this.#used++] = rest;
  }

  #reserve(length: number): void {
    if (this.#used + length <= this.bytes.length) return;
    if (this.#used + length > MAX_SYMBOL_RECORD_BYTES) {
      throw new EverflameError('too-large', `the file's lines take over ${this.#used} bytes`, {
        field: 'file',
        limit: `MAX_SYMBOL_RECORD_BYTES = ${MAX_SYMBOL_RECORD_BYTES}`,
        remedy: 'Split the program, or keep only its symbols (strip -g).',
      });
    }
    const bytes = new Uint8Array(this.bytes.length * 2);
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}
