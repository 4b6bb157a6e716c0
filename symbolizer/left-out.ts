/** What a symbol file lacks of the files that it is made from, counted by reason. */

/** Damage, what is missing, and what is too much. */
export const DAMAGE = [
  /** Whole files, sections and tables that could not be read. */
  'damaged_tables',
  /** Compilation units of DWARF that could not be read to their end. */
  'damaged_units',
  /** Units of a version or form that is not read. */
  'unsupported_units',
  /** Units whose functions are in a .dwo file that is not here. */
  'missing_split_units',
  /** References into a dwz file that is not here. */
  'missing_shared_entries',
  /** Names that cannot be read. */
  'damaged_names',
  /** Functions and calls whose ranges of code could not be read to their end. */
  'damaged_ranges',
  /** Inlined calls that are in no function. */
  'damaged_calls',
  /** Line programs that could not be read to their end, and sequences in them without one. */
  'damaged_line_programs',
  /** Rows that go back within their sequence, and lines below 0 or above 2^31. */
  'damaged_line_rows',
  /** Files that rows name and no table has, and paths that are too long or too many. */
  'damaged_paths',
  /** Functions of Go's own table that could not be read. */
  'damaged_go_functions',
  /** Functions of Go's own table whose inlined calls could not be read. */
  'damaged_go_calls',
  /** Symbols of code without a name or with an address that no file has. */
  'damaged_symbols',
  /** Places in the source with more calls inside each other than are kept. */
  'deep_calls',
] as const;

/** What linkers and compilers leave behind in sound files. */
export const USUAL = [
  /** Ranges outside the code, most of them of functions that the linker removed. */
  'removed_ranges',
  /** Sequences of lines outside the code. */
  'removed_line_sequences',
  /** Rows of code that another sequence has told of (functions that the linker folded). */
  'repeated_line_rows',
  /** Ranges that lost code to another one that describes it too. */
  'overlapping_ranges',
  /** Ranges that have lines and no function: padding, and assembly code without symbols. */
  'unnamed_ranges',
] as const;

export type LeftOutReason = (typeof DAMAGE)[number] | (typeof USUAL)[number];

/** Reasons that count nothing are not there. */
export type LeftOut = Partial<Record<LeftOutReason, number>>;

/** In the order of the reasons; what is 0 is dropped. */
export function leftOut(counts: LeftOut): LeftOut {
  const reasons = [...DAMAGE, ...USUAL].filter((reason) => (counts[reason] ?? 0) > 0);
  return Object.fromEntries(reasons.map((reason) => [reason, counts[reason]]));
}

/** How much could not be read; what is missing or too much is no damage. */
export function damageOf(counts: LeftOut): number {
  const damaged = DAMAGE.filter((reason) => reason.startsWith('damaged_'));
  return damaged.reduce((sum, reason) => sum + (counts[reason] ?? 0), 0);
}

const COST_NAMES: readonly LeftOutReason[] = [
  'damaged_tables',
  'damaged_units',
  'unsupported_units',
  'damaged_names',
  'damaged_ranges',
  'damaged_go_functions',
  'damaged_symbols',
];

/** Code may have no name because of damage, not because it has none. */
export function lacksNames(counts: LeftOut): boolean {
  return COST_NAMES.some((reason) => reason in counts);
}

/** Code may have no name because a file is not here. */
export function lacksFiles(counts: LeftOut): boolean {
  return 'missing_split_units' in counts || 'missing_shared_entries' in counts;
}
