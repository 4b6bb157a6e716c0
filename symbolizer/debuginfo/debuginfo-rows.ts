/** What was last said of each entry: of thousands, few have changed when they are listed again. */
import type { DebuginfoSource, DebuginfoStatus } from '../symbolizer.ts';
import type { DebuginfoEntry } from './debuginfo-entry.ts';

export class DebuginfoRows {
  /** A changed entry is another object. */
  readonly #rows = new WeakMap<
    DebuginfoEntry,
    { given: readonly unknown[]; row: DebuginfoStatus }
  >();

  /** `given`: what else than the entry the row depends on. */
  of(
    entry: DebuginfoEntry,
    given: readonly unknown[],
    describe: () => DebuginfoStatus,
  ): DebuginfoStatus {
    const known = this.#rows.get(entry);
    if (known !== undefined && given.every((value, i) => value === known.given[i])) {
      return known.row;
    }
    const row = describe();
    this.#rows.set(entry, { given, row });
    return row;
  }
}

/** What its symbol file was made from; `other` is the entry of the dwz file among that. */
export function sourcesOf(
  { sources }: DebuginfoEntry,
  other: DebuginfoEntry | undefined,
): DebuginfoSource[] {
  const listed: DebuginfoSource[] = sources.map(({ path: _, ...source }) => source);
  const dwz = other?.sources.find(({ kind }) => kind === 'debuginfo');
  if (dwz === undefined) return listed;
  const { path: _, ...source } = dwz;
  return [...listed, { ...source, kind: 'supplementary' }];
}
