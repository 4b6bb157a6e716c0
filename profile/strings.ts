/** String tables: made from texts, and read lazily, since most strings are never looked at. */
import { type StringColumns, stringAt } from './dictionary.ts';
import type { StringRef } from './units.ts';

const encoder = new TextEncoder();

/** A look-up that decodes each row at most once. */
export function stringReader(strings: StringColumns): (row: number) => string {
  const texts: (string | undefined)[] = [];
  return (row) => {
    let text = texts[row];
    if (text === undefined) {
      text = stringAt(strings, row as StringRef);
      texts[row] = text;
    }
    return text;
  };
}

/** Distinct texts by number, with their UTF-8: encoded once, however many answers carry them. */
export class TextTable {
  /** Row 0 is the empty text. */
  readonly #rows = new Map<string, number>([['', 0]]);
  /** Texts of the last rows, which have no bytes yet. */
  #fresh: string[] = [];
  /** Row i is bytes `offsets[i]` to `offsets[i + 1]`, for the rows that are encoded. */
  #offsets = new Uint32Array(1024);
  #bytes = new Uint8Array(16_384);

  get count(): number {
    return this.#rows.size;
  }

  intern(text: string): number {
    let row = this.#rows.get(text);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(text, row);
      this.#fresh.push(text);
    }
    return row;
  }

  /** Columns of these rows, in their order. */
  columnsOf(rows: Int32Array): StringColumns {
    this.#encode();
    const all = this.#offsets;
    const offsets = new Uint32Array(rows.length + 1);
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at] as number;
      const length = (all[row + 1] as number) - (all[row] as number);
      offsets[at + 1] = (offsets[at] as number) + length;
    }
    const bytes = new Uint8Array(offsets[rows.length] as number);
    // What is used together was mostly seen together: neighbours are copied at once.
    for (let at = 0; at < rows.length; ) {
      const first = rows[at] as number;
      let end = at + 1;
      while (end < rows.length && rows[end] === first + end - at) end++;
      bytes.set(this.#bytes.subarray(all[first], all[first + end - at]), offsets[at]);
      at = end;
    }
    return { count: rows.length, offsets, bytes };
  }

  #encode(): void {
    const fresh = this.#fresh;
    if (fresh.length === 0) return;
    this.#fresh = [];
    // Names are nearly always ASCII: then one call encodes them all.
    const whole = fresh.join('');
    const together = encoder.encode(whole);
    const ascii = together.length === whole.length;
    const parts = ascii ? fresh : fresh.map((text) => encoder.encode(text));
    let row = this.#rows.size - fresh.length;
    let end = this.#offsets[row] as number;
    this.#grow(this.#rows.size + 1, end + together.length);
    if (ascii) this.#bytes.set(together, end);
    for (const part of parts) {
      if (typeof part !== 'string') this.#bytes.set(part, end);
      end += part.length;
      this.#offsets[++row] = end;
    }
  }

  #grow(offsets: number, bytes: number): void {
    if (offsets > this.#offsets.length) {
      const grown = new Uint32Array(Math.max(offsets, this.#offsets.length * 2));
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    if (bytes > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(bytes, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
  }
}
