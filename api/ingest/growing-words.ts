/** A list of 32-bit words that grows and is emptied without giving its memory back. */
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

  signed(): Int32Array<ArrayBuffer> {
    return this.words.slice(0, this.length);
  }

  unsigned(): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.signed().buffer);
  }

  /** Of a list of rows of `stride` words: words `part .. part + width` of each as a column. */
  signedColumn(stride: number, part: number, width: number): Int32Array<ArrayBuffer> {
    const { words, length } = this;
    const column = new Int32Array((length / stride) * width);
    let to = 0;
    for (let row = part; row < length; row += stride) {
      for (let i = row; i < row + width; i++) column[to++] = words[i] as number;
    }
    return column;
  }

  unsignedColumn(stride: number, part: number, width = 1): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.signedColumn(stride, part, width).buffer);
  }

  /** The lowest byte of word `part` of each row. */
  byteColumn(stride: number, part: number): Uint8Array<ArrayBuffer> {
    const { words, length } = this;
    const column = new Uint8Array(length / stride);
    for (let row = part, to = 0; row < length; row += stride) column[to++] = words[row] as number;
    return column;
  }

  #grow(count: number): void {
    const grown = new Int32Array(Math.max(this.words.length * 2, this.length + count));
    grown.set(this.words);
    this.words = grown;
  }
}
