/**
 * Series in memory: labels as numbers in columns, about 15 bytes for each label of a series, and
 * posting lists by name, so that a matcher is asked once per distinct value. Label sets become
 * objects only when they are asked for.
 */
import { EverflameError } from '../../../profile/errors.ts';
import { MAX_LABEL_CHARACTERS, MAX_LABEL_NAMES, MAX_SERIES } from '../../../profile/limits.ts';
import type { Labels } from '../../../profile/select/labels.ts';
import { compileMatcher, type Matcher } from '../../../profile/select/selector.ts';
import { sharedWords } from '../dictionary/shared-column.ts';
import { LabelColumn } from './label-column.ts';

/** What a map of strings takes beside the characters, per entry. */
const ENTRY_BYTES = 80;

export class SeriesTable {
  readonly #columns = new Map<string, LabelColumn>();
  /** Sets of names that series have: a few hundred however many series there are. */
  readonly #shapes: LabelColumn[][] = [];
  readonly #shapeNumbers = new Map<string, number>();
  readonly #shape = sharedWords();
  /** Series i has the values `values[offsets[i] .. offsets[i + 1])`, in the order of its shape. */
  readonly #offsets = sharedWords();
  readonly #values = sharedWords();
  readonly #period = sharedWords();
  readonly #periods: number[] = [];
  readonly #periodNumbers = new Map<number, number>();
  #lastShape = 0;
  #characters = 0;
  #texts = 0;

  constructor() {
    this.#offsets.push(0);
  }

  get count(): number {
    return this.#shape.length;
  }

  /** Adds the next series; they are numbered from 0. Throws `unprocessable` where a limit is hit. */
  add(labels: Labels, period: number): void {
    const series = this.count;
    this.#makeRoom(labels);
    const shape = this.#shapeOf(Object.keys(labels));
    for (const column of this.#shapes[shape] ?? []) {
      this.#values.push(column.add(series, labels[column.name] ?? ''));
    }
    this.#offsets.push(this.#values.length);
    this.#shape.push(shape);
    this.#period.push(this.#periodOf(period));
  }

  labels(series: number): Labels {
    const labels: Record<string, string> = {};
    let at = this.#offsets.data[series] as number;
    for (const column of this.#shapes[this.#shape.data[series] as number] ?? []) {
      labels[column.name] = column.values[this.#values.data[at++] as number] ?? '';
    }
    return labels;
  }

  /** The value of one label; empty where the series does not have it. */
  labelValue(series: number, name: string): string {
    const shape = this.#shapes[this.#shape.data[series] as number] ?? [];
    const at = shape.findIndex((column) => column.name === name);
    if (at < 0) return '';
    const number = this.#values.data[(this.#offsets.data[series] as number) + at] as number;
    return shape[at]?.values[number] ?? '';
  }

  period(series: number): number {
    return this.#periods[this.#period.data[series] as number] ?? 0;
  }

  /** Forgets the series from `count` on. */
  truncate(count: number): void {
    if (count >= this.count) return;
    this.#shape.length = count;
    this.#period.length = count;
    this.#offsets.length = count + 1;
    this.#values.length = this.#offsets.data[count] as number;
    for (const column of this.#columns.values()) column.truncate(count);
  }

  /** Asks the matchers about all values ahead of `select`, without holding up other work. */
  async judgeAhead(matchers: readonly Matcher[]): Promise<void> {
    for (const matcher of matchers) await this.#columns.get(matcher.name)?.judgeAhead(matcher);
  }

  /** 1 for each series that satisfies every matcher. */
  select(matchers: readonly Matcher[]): Uint8Array {
    const selected = new Uint8Array(this.count).fill(1);
    const matched = new Uint8Array(this.count);
    for (const matcher of matchers) {
      const column = this.#columns.get(matcher.name);
      if (column === undefined) matched.fill(compileMatcher(matcher)('') ? 1 : 0);
      else column.judge(matcher, matched);
      for (let series = 0; series < selected.length; series++) {
        selected[series] = (selected[series] as number) & (matched[series] as number);
      }
    }
    return selected;
  }

  /** Names that at least one of the series has, in no order. */
  namesAmong(selected: Uint8Array): string[] {
    const names: string[] = [];
    for (const [name, column] of this.#columns) {
      if (column.isAmong(selected)) names.push(name);
    }
    return names;
  }

  /** Values of a label that at least one of the series has, in no order. */
  valuesAmong(name: string, selected: Uint8Array): string[] {
    return this.#columns.get(name)?.valuesAmong(selected) ?? [];
  }

  get byteLength(): number {
    let bytes = 2 * this.#characters + ENTRY_BYTES * this.#texts;
    for (const column of [this.#shape, this.#offsets, this.#values, this.#period]) {
      bytes += column.byteLength;
    }
    for (const column of this.#columns.values()) bytes += column.byteLength;
    return bytes;
  }

  #makeRoom(labels: Labels): void {
    let characters = this.#characters;
    let texts = this.#texts;
    let names = this.#columns.size;
    for (const [name, value] of Object.entries(labels)) {
      const column = this.#columns.get(name);
      if (column === undefined) names++;
      if (column?.has(value)) continue;
      characters += value.length;
      texts++;
    }
    checkRoom('series', 'MAX_SERIES', MAX_SERIES, this.count + 1);
    checkRoom('label names', 'MAX_LABEL_NAMES', MAX_LABEL_NAMES, names);
    checkRoom('characters of labels', 'MAX_LABEL_CHARACTERS', MAX_LABEL_CHARACTERS, characters);
    this.#characters = characters;
    this.#texts = texts;
  }

  #shapeOf(names: readonly string[]): number {
    // Neighbours mostly have the same names.
    const last = this.#shapes[this.#lastShape];
    if (last?.length === names.length && last.every(({ name }, at) => name === names[at])) {
      return this.#lastShape;
    }
    this.#lastShape = this.#numberOfShape(names);
    return this.#lastShape;
  }

  #numberOfShape(names: readonly string[]): number {
    const key = names.join();
    const known = this.#shapeNumbers.get(key);
    if (known !== undefined) return known;
    this.#shapeNumbers.set(key, this.#shapes.length);
    return this.#shapes.push(names.map((name) => this.#columnOf(name))) - 1;
  }

  #columnOf(name: string): LabelColumn {
    let column = this.#columns.get(name);
    if (column === undefined) {
      column = new LabelColumn(name);
      this.#columns.set(name, column);
    }
    return column;
  }

  #periodOf(period: number): number {
    const known = this.#periodNumbers.get(period);
    if (known !== undefined) return known;
    this.#periodNumbers.set(period, this.#periods.length);
    return this.#periods.push(period) - 1;
  }
}

function checkRoom(what: string, name: string, limit: number, wanted: number): void {
  if (wanted <= limit) return;
  throw new EverflameError('unprocessable', `the store has no room for more ${what}`, {
    field: 'series',
    limit: `${name} = ${limit}`,
    remedy: 'Drop labels whose values vary without end, such as process ids, or shorten retention.',
  });
}
