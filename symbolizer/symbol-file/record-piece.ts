/** A part of a line record as a piece of code again, for where another range cuts into it. */
import { type CodePiece, FUNCTION_NODE, NO_TEXT, type TextId } from '../code-piece.ts';
import { MAX_RECORD_ROWS, RecordDecoder } from './line-record.ts';
import type { TextNumbers } from './text-numbers.ts';

export class RecordPiece implements CodePiece {
  start = 0;
  end = 0;
  name: TextId = NO_TEXT;
  nodeCount = 0;
  readonly nodeParent: Int32Array;
  readonly nodeName: Int32Array;
  readonly nodeCallFile: Int32Array;
  readonly nodeCallLine: Int32Array;
  rowCount = 0;
  readonly rowAddress = new Float64Array(MAX_RECORD_ROWS);
  readonly rowNode = new Int32Array(MAX_RECORD_ROWS);
  readonly rowFile = new Int32Array(MAX_RECORD_ROWS);
  readonly rowLine = new Int32Array(MAX_RECORD_ROWS);
  readonly #decoder = new RecordDecoder();
  readonly #numbers: TextNumbers;

  constructor(numbers: TextNumbers) {
    this.#numbers = numbers;
    const { nodeParent, nodeName } = this.#decoder;
    this.nodeParent = new Int32Array(nodeParent.length);
    this.nodeName = new Int32Array(nodeName.length);
    this.nodeCallFile = new Int32Array(nodeName.length);
    this.nodeCallLine = new Int32Array(nodeName.length);
  }

  /** Takes the rows that hold from byte `from` of the record's range to byte `to`. */
  fill(bytes: Uint8Array, at: number, length: number, from: number, to: number): void {
    const decoder = this.#decoder;
    decoder.begin(bytes, at, at + length);
    this.rowCount = 0;
    while (decoder.rowsLeft > 0 && decoder.step(Infinity)) {
      if (decoder.address >= to) break;
      // Of the rows up to `from` only the last one holds there.
      if (decoder.address <= from) this.rowCount = 0;
      const row = this.rowCount++;
      this.rowAddress[row] = Math.max(from, decoder.address) - from;
      this.rowNode[row] = decoder.node - 1;
      this.rowFile[row] = this.#numbers.textOf(decoder.file);
      this.rowLine[row] = decoder.line;
    }
    this.nodeCount = decoder.nodeCount - 1;
    for (let node = 0; node < this.nodeCount; node++) {
      const parent = decoder.nodeParent[node + 1] as number;
      this.nodeParent[node] = parent === 0 ? FUNCTION_NODE : parent - 1;
      this.nodeName[node] = this.#numbers.textOf(decoder.nodeName[node + 1] as number);
      this.nodeCallFile[node] = this.#numbers.textOf(decoder.nodeCallFile[node + 1] as number);
      this.nodeCallLine[node] = decoder.nodeCallLine[node + 1] as number;
    }
  }

  /** Puts the part at its addresses, of the function `name`. */
  moveTo(start: number, end: number, name: number): void {
    this.start = start;
    this.end = end;
    this.name = name as TextId;
    for (let row = 0; row < this.rowCount; row++) {
      this.rowAddress[row] = (this.rowAddress[row] as number) + start;
    }
  }
}
