/** A section of zero-terminated strings, each interned once. */
import { MAX_STRING_BYTES } from '../../profile/limits.ts';
import { NO_TEXT, type TextId, type Texts } from '../code-piece.ts';
import { NOT_KNOWN, OffsetTexts } from './offset-texts.ts';
import { damaged, type WorkBudget } from './work-budget.ts';

export class StringSection {
  readonly bytes: Uint8Array;
  readonly #texts: Texts;
  readonly #budget: WorkBudget;
  readonly #known = new OffsetTexts();

  constructor(bytes: Uint8Array, texts: Texts, budget: WorkBudget) {
    this.bytes = bytes;
    this.#texts = texts;
    this.#budget = budget;
  }

  /** The string at an offset; NO_TEXT for an empty one. */
  text(offset: number): TextId {
    const known = this.#known.get(offset);
    if (known !== NOT_KNOWN) return known as TextId;
    const end = stringEnd(this.bytes, offset, this.bytes.length, this.#budget);
    const text = end === offset ? NO_TEXT : this.#texts.intern(this.bytes, offset, end);
    this.#known.set(offset, text);
    return text;
  }
}

/**
 * Where the zero byte of a string is. Spends what was searched, also where there is none, which
 * throws EverflameError.
 */
export function stringEnd(
  bytes: Uint8Array,
  start: number,
  end: number,
  budget: WorkBudget,
): number {
  const last = Math.min(end, start + MAX_STRING_BYTES);
  let at = start;
  while (at < last && bytes[at] !== 0) at++;
  budget.spend(at - start);
  if (at < last) return at;
  throw damaged(`a string has no end within MAX_STRING_BYTES = ${MAX_STRING_BYTES} bytes`, start);
}
