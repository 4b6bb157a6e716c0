/**
 * The dictionaries as workers see them: append-only columns over SharedArrayBuffers, numbered
 * densely from 0 by the refs of units.ts. The store's main thread is the only writer; it publishes
 * a new snapshot after each commit, and what a snapshot's counts cover never changes again.
 */
import type { SharedHashTable } from './hash-table.ts';
import type { FunctionRef, LocationRef, StackRef, StringRef } from './units.ts';

/** Row i of a ragged column is `values[offsets[i] .. offsets[i + 1])`. */
export interface StringColumns {
  count: number;
  offsets: Uint32Array;
  /** UTF-8, not terminated. */
  bytes: Uint8Array;
}

/** Text columns hold StringRefs. */
export interface FunctionColumns {
  count: number;
  name: Uint32Array;
  systemName: Uint32Array;
  file: Uint32Array;
  startLine: Uint32Array;
}

export interface LocationColumns {
  count: number;
  /** Path of the mapped file, or `[kernel]`, `[jit]`, ... (StringRef). */
  binary: Uint32Array;
  /** StringRef; the empty string where there is none. */
  buildId: Uint32Array;
  /** AddressSpace; `none` for frames that their writer named. */
  space: Uint8Array;
  /** FrameKind. */
  kind: Uint8Array;
  /** Bit 0: pprof's `is_folded`. */
  flags: Uint8Array;
  /** Low and high halves interleaved; 0 in space `none`. */
  address: Uint32Array;
  /** Lines of location i, innermost inlined function first, as in pprof. */
  lineOffsets: Uint32Array;
  lineFunction: Uint32Array;
  lineNumber: Uint32Array;
  lineColumn: Uint32Array;
}

export interface StackColumns {
  count: number;
  offsets: Uint32Array;
  /** LocationRefs, leaf first, as in pprof. */
  locations: Uint32Array;
}

export interface DictionarySnapshot {
  strings: StringColumns;
  functions: FunctionColumns;
  locations: LocationColumns;
  stacks: StackColumns;
  /** Stack id -> StackRef of every stack that is durable; lets decoders leave out known rows. */
  knownStacks: SharedHashTable;
}

/** What a worker that only reads rows is sent. */
export type DictionaryColumns = Omit<DictionarySnapshot, 'knownStacks'>;

const decoder = new TextDecoder();

/** Text of a string column's row. Copies, because TextDecoder refuses shared memory in browsers. */
export function stringAt(strings: StringColumns, ref: StringRef): string {
  const start = strings.offsets[ref] ?? 0;
  const end = strings.offsets[ref + 1] ?? start;
  return decoder.decode(strings.bytes.slice(start, end));
}

/** Narrowing a plain column value to a ref happens here and nowhere else. */
export const refs = {
  stack: (value: number) => value as StackRef,
  location: (value: number) => value as LocationRef,
  function: (value: number) => value as FunctionRef,
  string: (value: number) => value as StringRef,
};
