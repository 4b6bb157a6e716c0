/**
 * Units and address spaces as branded numbers, so that one cannot be passed for another.
 * A value gets its brand where it enters the program (a decoder, a clock), nowhere else.
 */
declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Milliseconds since the Unix epoch. Ranges are `from <= t < to`. */
export type EpochMs = Brand<number, 'EpochMs'>;

/** A dense number of a stack in this process' dictionary; never stored or sent anywhere. */
export type StackRef = Brand<number, 'StackRef'>;
export type LocationRef = Brand<number, 'LocationRef'>;
export type FunctionRef = Brand<number, 'FunctionRef'>;
export type StringRef = Brand<number, 'StringRef'>;

/** An address as the ELF file's program headers give it (p_vaddr space). Below 2^53. */
export type ElfAddress = Brand<number, 'ElfAddress'>;
/** A position in a file: process address - mapping start + mapping offset. Below 2^53. */
export type FileOffset = Brand<number, 'FileOffset'>;

/** A build id: lower-case hex of a GNU build id, or with a prefix `go:` or `htl:`. */
export type BuildId = Brand<string, 'BuildId'>;

export interface TimeRange {
  from: EpochMs;
  to: EpochMs;
}
