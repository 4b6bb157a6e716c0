/** Which series have which labels: posting lists, so that a matcher is asked once per value. */
import type { Labels } from '../../../profile/select/labels.ts';
import { compileMatcher, type Matcher } from '../../../profile/select/selector.ts';

export class LabelIndex {
  /** Label name -> value -> series, ascending. */
  readonly #postings = new Map<string, Map<string, number[]>>();
  #count = 0;

  /** Adds the next series; series are numbered from 0. */
  add(labels: Labels): void {
    const series = this.#count++;
    for (const [name, value] of Object.entries(labels)) {
      let values = this.#postings.get(name);
      if (values === undefined) {
        values = new Map();
        this.#postings.set(name, values);
      }
      const list = values.get(value);
      if (list === undefined) values.set(value, [series]);
      else list.push(series);
    }
  }

  /** 1 for each series that satisfies every matcher. */
  select(matchers: readonly Matcher[]): Uint8Array {
    const selected = new Uint8Array(this.#count).fill(1);
    const matched = new Uint8Array(this.#count);
    for (const matcher of matchers) {
      const accepts = compileMatcher(matcher);
      // An absent label is an empty one: it decides about all series that have no posting.
      matched.fill(accepts('') ? 1 : 0);
      for (const [value, list] of this.#postings.get(matcher.name) ?? []) {
        const verdict = accepts(value) ? 1 : 0;
        for (const series of list) matched[series] = verdict;
      }
      for (let series = 0; series < selected.length; series++) {
        selected[series] = (selected[series] as number) & (matched[series] as number);
      }
    }
    return selected;
  }

  /** Names that at least one of the series has, in no order. */
  namesAmong(selected: Uint8Array): string[] {
    const names: string[] = [];
    for (const [name, values] of this.#postings) {
      for (const list of values.values()) {
        if (list.some((series) => selected[series] === 1)) {
          names.push(name);
          break;
        }
      }
    }
    return names;
  }

  /** Values of a label that at least one of the series has, in no order. */
  valuesAmong(name: string, selected: Uint8Array): string[] {
    const values: string[] = [];
    for (const [value, list] of this.#postings.get(name) ?? []) {
      if (list.some((series) => selected[series] === 1)) values.push(value);
    }
    return values;
  }
}
