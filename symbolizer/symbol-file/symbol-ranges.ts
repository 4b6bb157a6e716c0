/**
 * Which symbol names each address: symbols that overlap, have no size or share an address become
 * disjoint ranges. docs/formats.md section 4.2 states the rules; here they are carried out.
 */
import type { CodeSymbols } from '../elf/elf-symbols.ts';

/** Range i is from `starts[i]` to `starts[i + 1]`; its symbol -1 is a gap. The last is a gap. */
export interface SymbolRanges {
  count: number;
  starts: Float64Array;
  symbols: Int32Array;
}

const GAP = -1;

export function symbolRanges(symbols: CodeSymbols): SymbolRanges {
  const functions = functionRanges(
    symbols,
    distinctRows(symbols, (rank) => rank > 0),
  );
  const labels = distinctRows(symbols, (rank) => rank === 0);
  return labels.length === 0 ? functions : fillGaps(symbols, functions, labels);
}

/**
 * Rows sorted by (start, size descending), one for each such pair: the best name. Where a symbol
 * with a size begins, those without one add nothing.
 */
function distinctRows(symbols: CodeSymbols, taken: (rank: number) => boolean): Uint32Array {
  const { start, size, sectionEnd } = symbols;
  const rows = new Uint32Array(symbols.count);
  let count = 0;
  for (let row = 0; row < symbols.count; row++) {
    const isEmpty = size[row] === 0 && (start[row] as number) >= (sectionEnd[row] as number);
    if (taken(symbols.rank[row] as number) && !isEmpty) rows[count++] = row;
  }
  const sorted = rows.subarray(0, count).sort((a, b) => {
    const byStart = (start[a] as number) - (start[b] as number);
    return byStart || (size[b] as number) - (size[a] as number) || compareNames(symbols, a, b);
  });
  let kept = 0;
  for (const row of sorted) {
    const last = kept === 0 ? row : (sorted[kept - 1] as number);
    const again = kept > 0 && start[last] === start[row];
    if (again && (size[last] === size[row] || size[row] === 0)) continue;
    sorted[kept++] = row;
  }
  return sorted.subarray(0, kept);
}

/** Negative where a's name is the better one. A total order, so results do not depend on input. */
function compareNames(symbols: CodeSymbols, a: number, b: number): number {
  const byRank = (symbols.rank[b] as number) - (symbols.rank[a] as number);
  if (byRank !== 0) return byRank;
  const nameA = symbolName(symbols, a);
  const nameB = symbolName(symbols, b);
  const byUnderscores = underscores(nameA) - underscores(nameB);
  if (byUnderscores !== 0) return byUnderscores;
  return nameA.length - nameB.length || Buffer.compare(nameA, nameB) || a - b;
}

export function symbolName(symbols: CodeSymbols, row: number): Uint8Array {
  const table = symbols.tables[symbols.table[row] as number] as Uint8Array;
  const offset = symbols.nameOffset[row] as number;
  return table.subarray(offset, offset + (symbols.nameLength[row] as number));
}

function underscores(name: Uint8Array): number {
  let count = 0;
  while (name[count] === 0x5f) count++;
  return count;
}

/**
 * One sweep in order of start. The stack holds the functions that may still cover what comes, the
 * one that began last on top; that one names the address, and when it ends the one below resumes.
 */
function functionRanges(symbols: CodeSymbols, rows: Uint32Array): SymbolRanges {
  const ranges = new RangeBuilder(rows.length * 2);
  const open = new Uint32Array(rows.length);
  const ends = new Float64Array(rows.length);
  let depth = 0;
  const closeUntil = (limit: number): void => {
    while (depth > 0 && (ends[depth - 1] as number) <= limit) {
      const end = ends[--depth] as number;
      while (depth > 0 && (ends[depth - 1] as number) <= end) depth--;
      ranges.add(end, depth > 0 ? (open[depth - 1] as number) : GAP);
    }
  };
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const start = symbols.start[row] as number;
    closeUntil(start);
    const next = i + 1 < rows.length ? (symbols.start[rows[i + 1] as number] as number) : Infinity;
    const around = depth > 0 ? (ends[depth - 1] as number) : Infinity;
    open[depth] = row;
    ends[depth++] = endOf(symbols, row, Math.min(next, around));
    ranges.add(start, row);
  }
  closeUntil(Infinity);
  return ranges.ranges;
}

/** A symbol without a size reaches to `limit` or the end of its section. */
function endOf(symbols: CodeSymbols, row: number, limit: number): number {
  const size = symbols.size[row] as number;
  if (size > 0) return (symbols.start[row] as number) + size;
  return Math.min(limit, symbols.sectionEnd[row] as number);
}

/** Labels of assembly code (NOTYPE) name what no function covers, up to the next of either. */
function fillGaps(
  symbols: CodeSymbols,
  functions: SymbolRanges,
  labels: Uint32Array,
): SymbolRanges {
  const filled = new RangeBuilder(functions.count + labels.length * 2);
  let range = -1;
  const passUntil = (address: number): void => {
    while (range + 1 < functions.count && (functions.starts[range + 1] as number) <= address) {
      range++;
      filled.add(functions.starts[range] as number, functions.symbols[range] as number);
    }
  };
  for (let i = 0; i < labels.length; i++) {
    const row = labels[i] as number;
    const start = symbols.start[row] as number;
    passUntil(start);
    if (range >= 0 && functions.symbols[range] !== GAP) continue;
    const gapEnd = range + 1 < functions.count ? (functions.starts[range + 1] as number) : Infinity;
    const next =
      i + 1 < labels.length ? (symbols.start[labels[i + 1] as number] as number) : gapEnd;
    const limit = Math.min(gapEnd, next);
    const end = Math.min(endOf(symbols, row, limit), limit);
    if (end <= start) continue;
    filled.add(start, row);
    if (end < gapEnd) filled.add(end, GAP);
  }
  passUntil(Infinity);
  return filled.ranges;
}

class RangeBuilder {
  readonly ranges: SymbolRanges;

  constructor(capacity: number) {
    const room = capacity + 1;
    this.ranges = { count: 0, starts: new Float64Array(room), symbols: new Int32Array(room) };
  }

  /** What begins where the last range began replaces it; equal neighbours are one range. */
  add(start: number, symbol: number): void {
    const { ranges } = this;
    if (ranges.count > 0 && ranges.starts[ranges.count - 1] === start) ranges.count--;
    const before = ranges.count > 0 ? (ranges.symbols[ranges.count - 1] as number) : GAP;
    if (before === symbol) return;
    ranges.starts[ranges.count] = start;
    ranges.symbols[ranges.count++] = symbol;
  }
}
