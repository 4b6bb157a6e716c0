/**
 * The index of a package of split units, .debug_cu_index: GNU's version 2 and DWARF 5's (7.3.5).
 * It tells where each unit's contributions are in the package's sections.
 */
import type { DwarfSections, SplitUnit } from './dwarf-input.ts';
import { damaged } from './work-budget.ts';

/** Kinds of sections, the same number in both versions where they matter here. */
const Kind = { info: 1, abbrev: 3, strOffsets: 6, rnglists: 8 } as const;
/** In version 2 the number is that of .debug_macro. */
const FIRST_VERSION_WITH_RNGLISTS = 5;
const HEADER_BYTES = 16;
const MAX_COLUMNS = 16;

export class PackageIndex {
  readonly #sections: DwarfSections;
  readonly #view: DataView;
  readonly #version: number;
  readonly #columns: number;
  readonly #units: number;
  /** Where the table of offsets begins; that of sizes follows it. */
  readonly #offsets: number;
  readonly #kinds: number[] = [];
  /** Row of each unit, from 1. */
  readonly #rows = new Map<bigint, number>();

  /** Throws EverflameError for an index that is damaged. */
  constructor(index: Uint8Array, sections: DwarfSections) {
    const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
    if (index.length < HEADER_BYTES) throw damaged('a package has no index', 0);
    this.#sections = sections;
    this.#view = view;
    // Version 2 is a word; version 5 half a word with padding behind it.
    this.#version = view.getUint16(0, true);
    this.#columns = view.getUint32(4, true);
    this.#units = view.getUint32(8, true);
    const slots = view.getUint32(12, true);
    if (this.#version !== 2 && this.#version !== 5) throw damaged('an unknown package index', 0);
    const rowBytes = this.#columns * 4;
    this.#offsets = HEADER_BYTES + slots * 12 + rowBytes;
    const end = this.#offsets + this.#units * rowBytes * 2;
    if (this.#columns > MAX_COLUMNS || end > index.length) throw damaged('a cut package index', 4);
    for (let column = 0; column < this.#columns; column++) {
      this.#kinds.push(view.getUint32(this.#offsets - rowBytes + column * 4, true));
    }
    for (let slot = 0; slot < slots; slot++) {
      const row = view.getUint32(HEADER_BYTES + slots * 8 + slot * 4, true);
      if (row === 0 || row > this.#units) continue;
      this.#rows.set(view.getBigUint64(HEADER_BYTES + slot * 8, true), row);
    }
  }

  get units(): number {
    return this.#rows.size;
  }

  /** Null for a unit that is not in the package, or whose contributions leave its sections. */
  find(id: bigint): SplitUnit | null {
    const row = this.#rows.get(id);
    if (row === undefined) return null;
    const { info, abbrev, strOffsets, rnglists } = this.#sections;
    const hasRnglists = this.#version >= FIRST_VERSION_WITH_RNGLISTS;
    const unit: SplitUnit = {
      sections: this.#sections,
      infoOffset: this.#offset(row, Kind.info, info),
      abbrevOffset: this.#offset(row, Kind.abbrev, abbrev),
      strOffsetsOffset: this.#offset(row, Kind.strOffsets, strOffsets),
      rnglistsOffset: hasRnglists ? this.#offset(row, Kind.rnglists, rnglists) : 0,
      isPacked: true,
    };
    return Object.values(unit).includes(-1) ? null : unit;
  }

  /** A contribution's offset: 0 where the package has none of the kind, -1 where it is damaged. */
  #offset(row: number, kind: number, section: Uint8Array): number {
    const column = this.#kinds.indexOf(kind);
    if (column < 0) return 0;
    const at = this.#offsets + ((row - 1) * this.#columns + column) * 4;
    const offset = this.#view.getUint32(at, true);
    const size = this.#view.getUint32(at + this.#units * this.#columns * 4, true);
    return offset + size <= section.length ? offset : -1;
  }
}
