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
  lineOffset: number;
  rnglistsOffset: number;
}

export interface DwarfInput {
  sections: DwarfSections;
  is64: boolean;
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
  /** Units whose .dwo is not here: their lines are known, their functions are not. */
  unitsWithoutSplit: number;
  unitsDamaged: number;
  unitsUnsupported: number;
  /** References into a supplementary file that is not here. */
  missingSupplementary: number;
  functions: number;
  inlinedCalls: number;
  lineRows: number;
  /** The first damage met, for people; empty where there was none. */
  firstProblem: string;
}
