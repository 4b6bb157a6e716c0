/** Fields of a file that a fuzzer may forge: where they are and what they mean. */

/** A field: bytes of the file, with the section that they are in. */
export interface Place {
  offset: number;
  length: number;
  section: string;
  isLeb: boolean;
}

/** A section of the file. */
export interface PlacedSection {
  name: string;
  /** Of its header in the file. */
  header: number;
  offset: number;
  size: number;
  flags: number;
  address: number;
}

/** A unit, a table of abbreviations or a line program: what some answers depend on. */
export interface FilePart {
  start: number;
  end: number;
  /** Where the versions are without which nothing of it is read. */
  versions: number[];
}

export interface FilePlaces {
  is64: boolean;
  sections: PlacedSection[];
  /** By what the field means, e.g. `unit.version` or `attribute.ranges`. */
  fields: Map<string, Place[]>;
  /** Offsets in .debug_info (or .debug_info.dwo) of its entries, what references may be set to. */
  entries: number[];
  /** The same of its units. */
  units: number[];
  parts: FilePart[];
}

export const SHF_EXEC = 4;
export const SHF_COMPRESSED = 0x800;

export function addField(
  places: FilePlaces,
  kind: string,
  section: string,
  offset: number,
  length: number,
  isLeb = false,
): void {
  let list = places.fields.get(kind);
  if (list === undefined) {
    list = [];
    places.fields.set(kind, list);
  }
  if (length > 0) list.push({ offset, length, section, isLeb });
}
