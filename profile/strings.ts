/** Lazily decoded text of a string table: most strings of a graph are never looked at. */
import { type StringColumns, stringAt } from './dictionary.ts';
import type { StringRef } from './units.ts';

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
