/** A list of 32-bit words that grows and is emptied without giving its memory back. */
import type { ColumnBlock } from './column-block.ts';

export class GrowingWords {
  words = new Int32Array(1024);
  length = 0;

  push(word: number): void {
    if (this.length === this.words.length) this.#grow(1);
    this.words[this.length++] = word;
  }

  /** Adds `count` words, to be written by the caller; returns where they begin in `words`. */
  reserve(count: number): number {
    const start = this.length;
    if (start + count > this.words.length) this.#grow(count);
    this.length = start + count;
    return start;
  }

  clear(): void {
    this.length = 0;
    // What one huge request took is not kept for all later ones.
    if (this.words.length > 2 ** 20) this.words = new Int32Array(1024);
  }

  signed(block: ColumnBlock): Int32Array<ArrayBuffer> {
    const column = block.int32(this.length);
    column.set(this.words.subarray(0, this.length));
    return column;
  }

  unsigned(block: ColumnBlock): Uint32Array<ArrayBuffer> {
    const column = block.uint32(this.length);
    column.set(this.words.subarray(0, this.length));
    return column;
  }

  /** Of a list of rows of `stride` words: words `part` and `part + 1` of each as a column. */
  pairs(block: ColumnBlock, stride: number, part: number): Int32Array<ArrayBuffer> {
    const { words, length } = this;
    const column = block.int32((length / stride) * 2);
    for (let row = part, to = 0; row < length; row += stride, to += 2) {
      column[to] = words[row] as number;
      column[to + 1] = words[row + 1] as number;
    }
    return column;
  }

  /** Word `part` of each row. */
  column(block: ColumnBlock, stride: number, part: number): Uint32Array<ArrayBuffer> {
    const { words, length } = this;
    const column = block.uint32(length / stride);
    for (let row = part, to = 0; row < length; row += stride) column[to++] = words[row] as number;
    return column;
  }

  /** The lowest byte of word `part` of each row. */
  byteColumn(block: ColumnBlock, stride: number, part: number): Uint8Array<ArrayBuffer> {
    const { words, length } = this;
    const column = block.uint8(length / stride);
    for (let row = part, to = 0; row < length; row += stride) column[to++] = words[row] as number;
    return column;
  }

  #grow(count: number): void {
    const grown = new Int32Array(Math.max(this.words.length * 2, this.length + count));
    grown.set(this.words);
    this.words = grown;
  }
}
