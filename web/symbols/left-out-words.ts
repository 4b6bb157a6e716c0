/** What a symbol file lacks of the files it is made from, in a reader's words. */

export interface LeftOutRow {
  reason: string;
  count: number;
  title: string;
  /** Compilers and linkers leave it behind in sound files; nothing is missing. */
  isUsual: boolean;
}

const DAMAGE: Record<string, string> = {
  damaged_tables: 'Files, sections and tables that cannot be read',
  damaged_units: 'Units of DWARF that cannot be read to their end',
  unsupported_units: 'Units of DWARF in a form that is not read',
  missing_split_units: 'Units whose functions are in .dwo files that are not here',
  missing_shared_entries: 'References into a dwz file that is not here',
  damaged_names: 'Names that cannot be read',
  damaged_ranges: 'Functions and calls whose code cannot be told to its end',
  damaged_calls: 'Inlined calls that are in no function',
  damaged_line_programs: 'Line programs that cannot be read to their end',
  damaged_line_rows: 'Line rows out of order or out of bounds',
  damaged_paths: 'Source files without a path',
  damaged_go_functions: 'Functions of Go’s own table that cannot be read',
  damaged_go_calls: 'Go functions whose inlined calls cannot be read',
  damaged_symbols: 'Symbols that cannot be read',
  deep_calls: 'Places with more calls inside each other than are kept',
};

const USUAL: Record<string, string> = {
  removed_ranges: 'Ranges of functions that the linker removed',
  removed_line_sequences: 'Lines of functions that the linker removed',
  repeated_line_rows: 'Lines of functions that the linker folded into others',
  overlapping_ranges: 'Ranges that something else describes, too',
  unnamed_ranges: 'Ranges with lines and without a function, such as padding',
};

/** In the server's order, what is usual last. */
export function readLeftOut(counts: Readonly<Record<string, number>>): LeftOutRow[] {
  const rows = Object.entries(counts).map(([reason, count]) => {
    const usual = USUAL[reason];
    const title = usual ?? DAMAGE[reason] ?? reason.replaceAll('_', ' ');
    return { reason, count, title, isUsual: usual !== undefined };
  });
  return [...rows.filter(({ isUsual }) => !isUsual), ...rows.filter(({ isUsual }) => isUsual)];
}
