/**
 * What a reader of debug information (dwarf/, go/) says of code, one contiguous piece at a time,
 * and who takes it (symbol-file/). Columns, because a large program has millions of rows.
 */
import type { Brand } from '../profile/units.ts';

/** A row of a Texts table. */
export type TextId = Brand<number, 'TextId'>;
export const NO_TEXT = -1 as TextId;
/** The node of rows that lie in the function itself, not in one inlined into it. */
export const FUNCTION_NODE = -1;

/** Distinct byte strings (names and paths, UTF-8 as they were found), numbered from 0. */
export interface Texts {
  /** The number of `bytes[start..end)`, which are copied if they are new. */
  intern(bytes: Uint8Array, start: number, end: number): TextId;
  internText(text: string): TextId;
}

/**
 * Addresses from `start` to `end` (exclusive, ELF addresses) of one function. The object and its
 * columns belong to the reader, which fills them anew for each piece; only the first `nodeCount`
 * and `rowCount` entries count.
 */
export interface CodePiece {
  start: number;
  end: number;
  /** The function's linkage name, else its name; NO_TEXT where only lines are known. */
  name: TextId;

  /** Calls that were inlined, each after the one it is in. */
  nodeCount: number;
  /** The node it is inlined into: a smaller number, or FUNCTION_NODE. */
  nodeParent: Int32Array;
  /** The inlined function's linkage name, else its name; NO_TEXT = it has none. */
  nodeName: Int32Array;
  /** Where the call is: a TextId (NO_TEXT = not known) and a line (0 = not known). */
  nodeCallFile: Int32Array;
  nodeCallLine: Int32Array;

  /** Row i holds from its address to that of row i + 1, the last one to `end`. */
  rowCount: number;
  /** Strictly ascending, the first one `start`. */
  rowAddress: Float64Array;
  /** The innermost inlined call there, or FUNCTION_NODE. */
  rowNode: Int32Array;
  /** Place in the source of the innermost function: TextId or NO_TEXT; line or 0. */
  rowFile: Int32Array;
  rowLine: Int32Array;
}

export interface CodeSink {
  readonly texts: Texts;
  /**
   * Takes a copy. Pieces may come in any order; where two overlap, one with a name stays, else the
   * first one given.
   */
  add(piece: CodePiece): void;
}
