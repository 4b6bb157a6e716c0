/**
 * Labels of single samples, by label set ref (0 is the empty set, ref n the n-th set that was
 * added). Keys are kept as they were written, and seen as names of labels: every other character
 * than [A-Za-z0-9_] as `_`, a `_` before a digit or nothing, and `exported_NAME` where the series has
 * a label of that name.
 */
import type { Labels } from '../../../profile/select/labels.ts';
import type { SampleLabel } from '../../store.ts';

export class SampleLabels {
  readonly #sets: (readonly SampleLabel[])[] = [];
  readonly #views: ReadonlyMap<string, string>[] = [];
  /** Name -> how many sets have it. */
  readonly #names = new Map<string, number>();

  get count(): number {
    return this.#sets.length;
  }

  add(labels: readonly SampleLabel[]): void {
    const view = viewOf(labels);
    this.#sets.push(labels);
    this.#views.push(view);
    for (const name of view.keys()) this.#names.set(name, (this.#names.get(name) ?? 0) + 1);
  }

  truncate(count: number): void {
    this.#sets.length = count;
    for (const view of this.#views.splice(count)) {
      for (const name of view.keys()) {
        const rest = (this.#names.get(name) ?? 0) - 1;
        if (rest > 0) this.#names.set(name, rest);
        else this.#names.delete(name);
      }
    }
  }

  /** Labels of the set that was added as number `index`, from 0. */
  at(index: number): readonly SampleLabel[] {
    return this.#sets[index] ?? [];
  }

  /** Whether any sample may have a label that is seen under this name. */
  mayHave(name: string): boolean {
    for (let own = name; ; own = own.slice(EXPORTED.length)) {
      if (this.#names.has(own)) return true;
      if (!own.startsWith(EXPORTED)) return false;
    }
  }

  /** The union of a series' labels and those of a set (ref), as matchers see it. */
  union(labels: Labels, ref: number): Labels {
    const view = this.#views[ref - 1];
    if (view === undefined) return labels;
    const union: Record<string, string> = { ...labels };
    for (const [name, value] of view) {
      let seen = name;
      while (Object.hasOwn(labels, seen)) seen = `${EXPORTED}${seen}`;
      union[seen] = value;
    }
    return union;
  }
}

const EXPORTED = 'exported_';

function viewOf(labels: readonly SampleLabel[]): Map<string, string> {
  const view = new Map<string, string>();
  for (const label of labels) {
    const plain = label.key.replaceAll(/[^A-Za-z0-9_]/g, '_');
    const name = /^([0-9]|$)/.test(plain) ? `_${plain}` : plain;
    const value = 'value' in label ? label.value : label.number;
    // Of several values of one key the first stands for all, as a matcher sees one value.
    if (value !== '' && !view.has(name)) view.set(name, value);
  }
  return view;
}
