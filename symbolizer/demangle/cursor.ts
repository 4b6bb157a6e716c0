/** A place in a mangled name, with the bounds that a hostile one meets. */
import { MAX_DEMANGLE_DEPTH } from '../../profile/limits.ts';

/** The text is no mangled name, or one beyond the limits; `demangle` then returns it as it is. */
export class NotMangled extends Error {}

export class Cursor {
  readonly text: string;
  at = 0;
  #depth = 0;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  /** The character there, or an empty string behind the end. */
  peek(ahead = 0): string {
    return this.text[this.at + ahead] ?? '';
  }

  next(): string {
    if (this.done) throw new NotMangled('ends early');
    return this.text[this.at++] as string;
  }

  /** True if `expected` came next; then it is behind us. */
  skip(expected: string): boolean {
    if (!this.text.startsWith(expected, this.at)) return false;
    this.at += expected.length;
    return true;
  }

  expect(expected: string): void {
    if (!this.skip(expected)) throw new NotMangled(`no ${expected} at ${this.at}`);
  }

  take(length: number): string {
    if (length > this.text.length - this.at) throw new NotMangled('ends early');
    this.at += length;
    return this.text.slice(this.at - length, this.at);
  }

  /** Characters up to `end`, which is skipped too. */
  takeUntil(end: string): string {
    const found = this.text.indexOf(end, this.at);
    if (found < 0) throw new NotMangled(`no ${end} behind ${this.at}`);
    const taken = this.text.slice(this.at, found);
    this.at = found + end.length;
    return taken;
  }

  /** A decimal number of at least one digit. */
  number(): number {
    const begin = this.at;
    while (isDigit(this.peek())) this.at++;
    const digits = this.text.slice(begin, this.at);
    if (digits.length === 0 || digits.length > 10) throw new NotMangled(`no number at ${begin}`);
    return Number(digits);
  }

  /** Runs a rule one level deeper, as far as the stack is sure to allow. */
  deeper<T>(rule: () => T): T {
    if (++this.#depth > MAX_DEMANGLE_DEPTH) throw new NotMangled('nested too deeply');
    const result = rule();
    this.#depth--;
    return result;
  }
}

export function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

export function isLower(character: string): boolean {
  return character >= 'a' && character <= 'z';
}
