/** Locations of the dictionary -> frames, each resolved once until its symbol file changes. */
import { type DictionaryColumns, refs } from '../../profile/dictionary.ts';
import { AddressSpace, ANON_MAPPING, FrameKind, unknownReason } from '../../profile/flame/frame.ts';
import {
  type Frame,
  FrameTable,
  formatAddress,
  functionKey,
} from '../../profile/flame/frame-table.ts';
import { stringReader } from '../../profile/strings.ts';
import type { Granularity } from './params.ts';
import type { NativeName, SymbolNames } from './symbol-names.ts';

/**
 * `node`: frames that are one node of the granularity are one row. `text`: only if all that is said
 * of them is the same, too, as filters need it.
 */
export type FrameIdentity = 'node' | 'text';

/** Which named frames are one node. */
export function nodeKey(frame: Frame, granularity: Granularity): string {
  const key = functionKey(frame);
  return granularity === 'function' ? key : `${key}\0${frame.file}\0${frame.line}`;
}

export class LocationFrames {
  readonly table = new FrameTable();
  readonly #granularity: Granularity;
  readonly #identity: FrameIdentity;
  readonly #symbols: SymbolNames;
  #dictionary: DictionaryColumns;
  #text: (row: number) => string;
  /** Per location: 0 while it is not resolved, else 1 + its first row of `#rows`. */
  #first = new Int32Array(0);
  #size = new Uint16Array(0);
  /** Rows of `table`, innermost first. */
  #rows = new Int32Array(1024);
  #used = 0;
  /** Of them, those of locations that were forgotten. */
  #forgotten = 0;

  constructor(
    granularity: Granularity,
    symbols: SymbolNames,
    dictionary: DictionaryColumns,
    identity: FrameIdentity = 'node',
  ) {
    this.#granularity = granularity;
    this.#identity = identity;
    this.#symbols = symbols;
    this.#dictionary = dictionary;
    this.#text = stringReader(dictionary.strings);
    this.setDictionary(dictionary);
  }

  /** Takes a newer dictionary; refs keep their meaning. */
  setDictionary(dictionary: DictionaryColumns): void {
    this.#dictionary = dictionary;
    this.#text = stringReader(dictionary.strings);
    const count = dictionary.locations.count;
    if (count <= this.#first.length) return;
    const capacity = Math.max(count, this.#first.length * 2);
    const first = new Int32Array(capacity);
    const size = new Uint16Array(capacity);
    first.set(this.#first);
    size.set(this.#size);
    this.#first = first;
    this.#size = size;
  }

  /** Frames held of all locations, forgotten ones included until they are half of all. */
  get rowCount(): number {
    return this.#used;
  }

  /** Number of frames at the location, at least 1. */
  sizeOf(location: number): number {
    if (this.#first[location] === 0) this.#resolve(location);
    return this.#size[location] as number;
  }

  /** The location's frame `index`, 0 being the innermost. Only after `sizeOf`. */
  frameOf(location: number, index: number): number {
    return this.#rows[(this.#first[location] as number) - 1 + index] as number;
  }

  /**
   * Forgets locations in these builds, and with them what is said of their frames; returns a mark
   * for each location that was resolved, or null.
   */
  forget(buildIds: ReadonlySet<string>): Uint8Array | null {
    const { locations } = this.#dictionary;
    let marks: Uint8Array | null = null;
    for (let location = 0; location < locations.count; location++) {
      if (this.#first[location] === 0 || linesOf(locations, location) > 0) continue;
      if (!buildIds.has(this.#text(locations.buildId[location] as number))) continue;
      const first = (this.#first[location] as number) - 1;
      const size = this.#size[location] as number;
      for (let row = first; row < first + size; row++)
        this.table.outdate(this.#rows[row] as number);
      this.#first[location] = 0;
      this.#forgotten += size;
      marks ??= new Uint8Array(locations.count);
      marks[location] = 1;
    }
    if (this.#forgotten > this.#used / 2) this.#compact();
    return marks;
  }

  /** Leaves out the rows of forgotten locations: symbol files may be replaced for ever. */
  #compact(): void {
    const kept = new Int32Array(this.#rows.length);
    let used = 0;
    for (let location = 0; location < this.#dictionary.locations.count; location++) {
      const first = (this.#first[location] as number) - 1;
      if (first < 0) continue;
      const size = this.#size[location] as number;
      kept.set(this.#rows.subarray(first, first + size), used);
      this.#first[location] = used + 1;
      used += size;
    }
    this.#rows = kept;
    this.#used = used;
    this.#forgotten = 0;
  }

  #resolve(location: number): void {
    const { locations } = this.#dictionary;
    const begin = locations.lineOffsets[location] as number;
    const lines = linesOf(locations, location);
    const first = this.#used;
    if (lines === 0) this.#resolveNative(location);
    for (let line = begin; line < begin + lines; line++) {
      const frame = this.#lineFrame(location, line);
      this.#push(this.table.intern(frame, this.#keyOf(frame)));
    }
    this.#first[location] = first + 1;
    this.#size[location] = this.#used - first;
  }

  #push(row: number): void {
    if (this.#used === this.#rows.length) {
      const rows = new Int32Array(this.#rows.length * 2);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    this.#rows[this.#used++] = row;
  }

  #lineFrame(location: number, line: number): Frame {
    const { locations, functions } = this.#dictionary;
    const row = refs.function(locations.lineFunction[line] as number);
    const systemName = this.#text(functions.systemName[row] as number);
    const name = this.#text(functions.name[row] as number) || systemName;
    const frame = this.#frameAt(location);
    frame.name = this.#symbols.demangle(name);
    frame.systemName = systemName || name;
    frame.file = this.#text(functions.file[row] as number);
    this.#setPlace(frame, locations.lineNumber[line] as number);
    const reason = unknownReason(name);
    if (reason !== null) {
      frame.kind = FrameKind.unknown;
      frame.reason = reason;
    }
    return frame;
  }

  /** A frame for each function that the symbol file has at the address, or one without a name. */
  #resolveNative(location: number): void {
    const { locations } = this.#dictionary;
    const space = locations.space[location] as AddressSpace;
    const frame = this.#frameAt(location);
    const { buildId, addressLow, addressHigh } = frame;
    const found = this.#symbols.nameOf(buildId, space, addressLow, addressHigh);
    if (found.kind === 'reason') {
      this.#pushUnnamed(frame, found, space);
      return;
    }
    for (const { name, file, line } of found.lines) {
      const named = { ...frame, name: this.#symbols.demangle(name), systemName: name, file };
      this.#setPlace(named, line);
      this.#push(this.table.intern(named, this.#keyOf(named)));
    }
  }

  /** One node per build id, address space and address. */
  #pushUnnamed(
    frame: Frame,
    { reason, elfAddress }: NativeName & { kind: 'reason' },
    space: AddressSpace,
  ): void {
    if (elfAddress !== null) {
      frame.addressLow = elfAddress >>> 0;
      frame.addressHigh = Math.floor(elfAddress / 2 ** 32);
    }
    frame.name = `${frame.binary || ANON_MAPPING}+${formatAddress(frame)}`;
    frame.reason = reason;
    const known = elfAddress === null ? space : AddressSpace.elf;
    // At address 0 the function's key has no build id.
    const key = `${functionKey(frame)}\0${frame.buildId}\0${known}`;
    this.#push(this.table.intern(frame, key));
  }

  /** Line and address of a named frame are shown only where they tell frames apart. */
  #setPlace(frame: Frame, line: number): void {
    const isFine = this.#granularity === 'line' || this.#granularity === 'address';
    frame.line = isFine ? line : 0;
    if (this.#granularity === 'address') return;
    frame.addressLow = 0;
    frame.addressHigh = 0;
  }

  /** What the location says of any frame in it. */
  #frameAt(location: number): Frame {
    const { locations } = this.#dictionary;
    return {
      name: '',
      systemName: '',
      binary: basename(this.#text(locations.binary[location] as number)),
      buildId: this.#text(locations.buildId[location] as number),
      file: '',
      line: 0,
      addressLow: locations.address[location * 2] as number,
      addressHigh: locations.address[location * 2 + 1] as number,
      kind: locations.kind[location] as FrameKind,
      reason: '',
    };
  }

  #keyOf(frame: Frame): string {
    const key = nodeKey(frame, this.#granularity);
    return this.#identity === 'node' ? key : `${key}\0${frame.name}\0${frame.reason}`;
  }
}

function linesOf(locations: DictionaryColumns['locations'], location: number): number {
  const begin = locations.lineOffsets[location] as number;
  return (locations.lineOffsets[location + 1] as number) - begin;
}

/** The last part of a path; names in brackets, as `[kernel:a/b]`, are no paths. */
export function basename(path: string): string {
  return path.startsWith('[') ? path : path.slice(path.lastIndexOf('/') + 1);
}
