/** How much a symbol file says: which of two for the same build id is the better one. */

export const SymbolQuality = {
  none: 0,
  /** Names of exported functions only (.dynsym). */
  exported: 1,
  /** Names of functions (.symtab). */
  symbols: 2,
  /** Files, lines and inlined calls of at least a part of the code. */
  lines: 3,
} as const;
export type SymbolQuality = (typeof SymbolQuality)[keyof typeof SymbolQuality];

export interface SymbolFacts {
  quality: SymbolQuality;
  /** Distinct functions that cover code themselves, not inlined ones. */
  functions: number;
  inlinedCalls: number;
  /** Bytes of code with a file and a line, and bytes of code with a function's name. */
  lineBytes: number;
  namedBytes: number;
  /** Symbols of code that no name or no address could be read for. */
  skippedSymbols: number;
}

/** Positive where `a` says more than `b`, 0 where neither does. */
export function compareQuality(
  a: Pick<SymbolFacts, 'quality' | 'lineBytes' | 'namedBytes'>,
  b: Pick<SymbolFacts, 'quality' | 'lineBytes' | 'namedBytes'>,
): number {
  return a.quality - b.quality || a.lineBytes - b.lineBytes || a.namedBytes - b.namedBytes;
}
