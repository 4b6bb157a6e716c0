/** The sections that DWARF is read from, decompressed and relocated; an absent one is empty. */

export interface DwarfSections {
  info: Uint8Array;
  abbrev: Uint8Array;
  str: Uint8Array;
  lineStr: Uint8Array;
  line: Uint8Array;
  strOffsets: Uint8Array;
  addr: Uint8Array;
  /** DWARF 2 to 4. */
  ranges: Uint8Array;
  /** DWARF 5. */
  rnglists: Uint8Array;
}

/** A split unit: the sections of its .dwo file, or its contribution to a .dwp. */
export interface SplitUnit {
  sections: DwarfSections;
  /** Where in `sections.info` the unit is. */
  infoOffset: number;
  /** Where its contributions begin, in a package; 0 in a .dwo file. */
  abbrevOffset: number;
  strOffsetsOffset: number;
  rnglistsOffset: number;
  /** Whether the sections are those of a package, where only the index tells of contributions. */
  isPacked: boolean;
}

export interface DwarfInput {
  sections: DwarfSections;
  /** What .gnu_debugaltlink names (dwz); null where there is none, or it is not here. */
  supplementary: DwarfSections | null;
  /** The split unit with this id (DW_AT_GNU_dwo_id, or DWARF 5's unit header); null = not here. */
  findSplit(id: bigint): SplitUnit | null;
  /** Whether an address is in executable code: the linker leaves removed functions elsewhere. */
  isCode(address: number): boolean;
}

/** What was read and what could not be. */
export interface DwarfReport {
  units: number;
  /** Units with code whose .dwo is not here: their lines are known, their functions are not. */
  unitsWithoutSplit: number;
  unitsDamaged: number;
  unitsUnsupported: number;
  /** References into a supplementary file that is not here. */
  missingSupplementary: number;
  /** Names that cannot be read, or that are in a type unit or, in a package, in another unit. */
  damagedNames: number;
  /** Entries whose ranges could not be read to their end. What was read before it stays. */
  damagedRanges: number;
  /** Ranges outside the code, most of them of functions that the linker removed. */
  droppedRanges: number;
  /** Inlined calls that are in no function. */
  droppedCalls: number;
  functions: number;
  inlinedCalls: number;
  lines: LineReport;
  /** The first damage met, for people; empty where there was none. */
  firstProblem: string;
}

/** What was read of line programs and what could not be. */
export interface LineReport {
  programs: number;
  /** Programs that could not be read to their end. What was read before it stays. */
  damaged: number;
  /** Programs not run because units share them too often. */
  overBudget: number;
  rows: number;
  /** Sequences outside the code, most of them of functions that the linker removed. */
  removedSequences: number;
  /** Sequences without an end, or with an address of a size that is not read. */
  damagedSequences: number;
  /** Rows that go back within their sequence. */
  damagedRows: number;
  /** Rows and calls whose line is below 0 or above 2^31; they stay without one. */
  damagedLines: number;
  /** Rows of code that another sequence has told of (functions that the linker folded). */
  coveredRows: number;
  /** Times that a file or its directory was named which is not in the table. */
  unknownFiles: number;
  /** Paths whose name cannot be found, too long, or too many. */
  droppedPaths: number;
  /** The first damage, for people; empty where there was none. */
  firstProblem: string;
}
