/** A list of 32-bit words that grows and is emptied without giving its memory back. */
export class GrowingWords {
  words = new Int32Array(1024);
  length = 0;

  push(word: number): void {
    if (this.length === this.words.length) this.#grow();
    this.words[this.length++] = word;
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

  /** The words' lowest bytes. */
  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.words.subarray(0, this.length));
  }

  #grow(): void {
    const grown = new Int32Array(this.words.length * 2);
    grown.set(this.words);
    this.words = grown;
  }
}
