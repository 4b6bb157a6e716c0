/** Numbers texts of a table in the order in which a symbol file first uses them. */
import { NO_TEXT, type TextId } from '../code-piece.ts';

export class TextNumbers {
  #numbers = new Int32Array(1024);
  #texts = new Int32Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The text's number + 1; 0 for NO_TEXT. */
  numberOf(text: number): number {
    if (text < 0) return 0;
    if (text >= this.#numbers.length) this.#numbers = grown(this.#numbers, text + 1);
    const known = this.#numbers[text] as number;
    if (known > 0) return known;
    if (this.#count === this.#texts.length) this.#texts = grown(this.#texts, this.#count + 1);
    this.#texts[this.#count++] = text;
    this.#numbers[text] = this.#count;
    return this.#count;
  }

  /** The text of what `numberOf` returned. */
  textOf(number: number): TextId {
    return number === 0 ? NO_TEXT : (this.#texts[number - 1] as TextId);
  }
}

function grown(rows: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(Math.max(length, rows.length * 2));
  longer.set(rows);
  return longer;
}
