/** The symbols of all files of one build id as one table. */
import type { CodeSymbols } from '../elf/elf-symbols.ts';

/** Rows in the order of the tables; equal ones are decided in symbol-ranges.ts. */
export function joinSymbols(tables: readonly CodeSymbols[]): CodeSymbols {
  const [only] = tables;
  if (only !== undefined && tables.length === 1) return only;
  const count = tables.reduce((sum, table) => sum + table.count, 0);
  const joined: CodeSymbols = {
    count,
    start: new Float64Array(count),
    size: new Float64Array(count),
    sectionEnd: new Float64Array(count),
    table: new Uint8Array(count),
    nameOffset: new Uint32Array(count),
    nameLength: new Uint32Array(count),
    rank: new Uint8Array(count),
    tables: [],
    fromSymtab: false,
    fromDynsym: false,
    skipped: 0,
  };
  let at = 0;
  for (const symbols of tables) {
    append(joined, symbols, at);
    at += symbols.count;
  }
  return joined;
}

function append(joined: CodeSymbols, symbols: CodeSymbols, at: number): void {
  const { count } = symbols;
  const firstTable = joined.tables.length;
  joined.start.set(symbols.start.subarray(0, count), at);
  joined.size.set(symbols.size.subarray(0, count), at);
  joined.sectionEnd.set(symbols.sectionEnd.subarray(0, count), at);
  joined.nameOffset.set(symbols.nameOffset.subarray(0, count), at);
  joined.nameLength.set(symbols.nameLength.subarray(0, count), at);
  joined.rank.set(symbols.rank.subarray(0, count), at);
  for (let row = 0; row < count; row++) {
    joined.table[at + row] = firstTable + (symbols.table[row] as number);
  }
  joined.tables.push(...symbols.tables);
  joined.fromSymtab ||= symbols.fromSymtab;
  joined.fromDynsym ||= symbols.fromDynsym;
  joined.skipped += symbols.skipped;
}
