/** One label name over all series: which of them have it, and with which value, as numbers. */
import { isAscii } from 'node:buffer';
import { compileMatcher, type Matcher } from '../../../profile/select/selector.ts';
import { type SharedColumn, sharedWords } from '../dictionary/shared-column.ts';
import { Turn } from './turn.ts';

/** Matchers whose verdicts a column keeps, a byte per value: those asked for last. */
const MAX_KEPT_MATCHERS = 8;

/** What a matcher says of a column's values, as far as it was asked. */
interface Verdicts {
  accepts: (value: string) => boolean;
  /** Of the values below `known`. */
  of: Uint8Array;
  known: number;
}

export class LabelColumn {
  readonly name: string;
  /** Distinct values by number, from 0. */
  readonly values: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** Series that have the label, ascending, and beside each the number of its value. */
  readonly #series: SharedColumn<Uint32Array> = sharedWords();
  readonly #value: SharedColumn<Uint32Array> = sharedWords();

  /** By operator and value; the last asked for last. Values only grow, so none is ever wrong. */
  readonly #verdicts = new Map<string, Verdicts>();

  constructor(name: string) {
    this.name = name;
  }

  has(value: string): boolean {
    return this.#numbers.has(value);
  }

  /** Series are added in ascending order. Returns the number of the value. */
  add(series: number, value: string): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.values.length;
      const own = ownText(value);
      this.values.push(own);
      this.#numbers.set(own, number);
    }
    this.#series.push(series);
    this.#value.push(number);
    return number;
  }

  /** Forgets the series from `count` on. Their values stay known: other series may come to them. */
  truncate(count: number): void {
    const series = this.#series.data;
    let length = this.#series.length;
    while (length > 0 && (series[length - 1] as number) >= count) length--;
    this.#series.length = length;
    this.#value.length = length;
  }

  /** Asks a matcher about every value, in turns: thousands of values may take a second. */
  async judgeAhead(matcher: Matcher): Promise<void> {
    const verdicts = this.#verdictsOf(matcher);
    const turn = new Turn();
    while (this.#judge(verdicts, matcher, turn)) await turn.next();
  }

  /** Writes each series' verdict; 1 for those that the matcher accepts. */
  judge(matcher: Matcher, into: Uint8Array): void {
    const verdicts = this.#verdictsOf(matcher);
    this.#judge(verdicts, matcher, null);
    // An absent label is an empty one: it decides about all series that have no value.
    into.fill(verdicts.accepts('') ? 1 : 0);
    const series = this.#series.data;
    const value = this.#value.data;
    const length = this.#series.length;
    for (let row = 0; row < length; row++) {
      into[series[row] as number] = verdicts.of[value[row] as number] as number;
    }
  }

  /** Asks about the values that are left; true where the turn was over before all were asked. */
  #judge(verdicts: Verdicts, matcher: Matcher, turn: Turn | null): boolean {
    const count = this.values.length;
    if (verdicts.of.length < count) {
      const grown = new Uint8Array(Math.max(count, verdicts.of.length * 2));
      grown.set(verdicts.of);
      verdicts.of = grown;
    }
    try {
      while (verdicts.known < count) {
        const value = this.values[verdicts.known] ?? '';
        verdicts.of[verdicts.known] = verdicts.accepts(value) ? 1 : 0;
        verdicts.known++;
        if (turn?.isOver()) return true;
      }
      return false;
    } catch (error) {
      // It took all the time that it may; who asks again gets as much.
      this.#verdicts.delete(keyOf(matcher));
      throw error;
    }
  }

  #verdictsOf(matcher: Matcher): Verdicts {
    const key = keyOf(matcher);
    const known = this.#verdicts.get(key);
    const verdicts = known ?? {
      accepts: compileMatcher(matcher),
      of: new Uint8Array(this.values.length),
      known: 0,
    };
    this.#verdicts.delete(key);
    this.#verdicts.set(key, verdicts);
    const [oldest] = this.#verdicts.keys();
    if (this.#verdicts.size > MAX_KEPT_MATCHERS && oldest !== undefined) {
      this.#verdicts.delete(oldest);
    }
    return verdicts;
  }

  isAmong(selected: Uint8Array): boolean {
    const series = this.#series.data;
    const length = this.#series.length;
    for (let row = 0; row < length; row++) {
      if (selected[series[row] as number] === 1) return true;
    }
    return false;
  }

  /** Values that at least one of the selected series has, in no order. */
  valuesAmong(selected: Uint8Array): string[] {
    const seen = new Uint8Array(this.values.length);
    const series = this.#series.data;
    const value = this.#value.data;
    const length = this.#series.length;
    for (let row = 0; row < length; row++) {
      if (selected[series[row] as number] === 1) seen[value[row] as number] = 1;
    }
    return this.values.filter((_, number) => seen[number] === 1);
  }

  get byteLength(): number {
    let bytes = this.#series.byteLength + this.#value.byteLength;
    for (const { of } of this.#verdicts.values()) bytes += of.byteLength;
    return bytes;
  }
}

function keyOf({ op, value }: Matcher): string {
  return `${op}${value}`;
}

/** A part of a longer text keeps all of it in memory: most values are copied for little. */
function ownText(text: string): string {
  return isAscii(Buffer.from(text)) ? Buffer.from(text, 'latin1').toString('latin1') : text;
}
