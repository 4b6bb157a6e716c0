/** One label name over all series: which of them have it, and with which value, as numbers. */
import { type SharedColumn, sharedWords } from '../dictionary/shared-column.ts';

export class LabelColumn {
  readonly name: string;
  /** Distinct values by number, from 0. */
  readonly values: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** Series that have the label, ascending, and beside each the number of its value. */
  readonly #series: SharedColumn<Uint32Array> = sharedWords();
  readonly #value: SharedColumn<Uint32Array> = sharedWords();

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
      this.values.push(value);
      this.#numbers.set(value, number);
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

  /** Writes each series' verdict; `accepts` is asked once per value. */
  judge(accepts: (value: string) => boolean, into: Uint8Array): void {
    const verdicts = Uint8Array.from(this.values, (value) => (accepts(value) ? 1 : 0));
    const series = this.#series.data;
    const value = this.#value.data;
    const length = this.#series.length;
    for (let row = 0; row < length; row++) {
      into[series[row] as number] = verdicts[value[row] as number] as number;
    }
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
    return this.#series.byteLength + this.#value.byteLength;
  }
}
