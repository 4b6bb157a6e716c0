/**
 * The dictionary rows of a batch: stacks and what they refer to, each once. A stack that the store
 * has already is left out with all it refers to, so that what is known costs one look-up.
 */
import { EverflameError } from '../../profile/errors.ts';
import type { SharedHashTable } from '../../profile/hash-table.ts';
import { MAX_STACK_ENTRIES_PER_PROFILE } from '../../profile/limits.ts';
import type { PprofColumns } from '../../profile/pprof/columns.ts';
import type { WriteBatch } from '../../store/store.ts';
import type { ColumnBlock } from './column-block.ts';
import { GrowingWords } from './growing-words.ts';
import { IdTable } from './id-table.ts';
import type { LocationSites } from './location-sites.ts';
import type { RowIds } from './profile-ids.ts';

/** A decoded profile with everything that was found out about it. */
export interface IdentifiedProfile {
  columns: PprofColumns;
  sites: LocationSites;
  ids: RowIds;
}

/** How many columns there are. */
export const DICTIONARY_COLUMNS = 22;

type DictionaryPart = Pick<WriteBatch, 'strings' | 'functions' | 'locations' | 'stacks'>;

const NO_BYTES = new DataView(new ArrayBuffer(0));

/** Words of one row: id, name, system name, file, start line. */
const FUNCTION_WORDS = 6;
/** Id, binary, build id, address (2), space, kind, flags, end of its lines. */
const LOCATION_WORDS = 10;
/** Function, line, column. */
const LINE_WORDS = 3;

export class DictionaryRows {
  #known: SharedHashTable | null = null;
  readonly #textTable = new IdTable();
  readonly #functionTable = new IdTable();
  readonly #locationTable = new IdTable();
  readonly #stackTable = new IdTable();
  readonly #textIds = new GrowingWords();
  readonly #textOffsets = new GrowingWords();
  #textBytes = new Uint8Array(65_536);
  #textView = new DataView(this.#textBytes.buffer);
  #textLength = 0;
  /** The bytes of the profile at hand. */
  #source: DataView = NO_BYTES;
  readonly #functions = new GrowingWords();
  readonly #locations = new GrowingWords();
  readonly #lines = new GrowingWords();
  readonly #stackIds = new GrowingWords();
  readonly #stackOffsets = new GrowingWords();
  readonly #stackLocations = new GrowingWords();
  /** Row of the profile at hand -> row here, or -1: spares looking up what was met before. */
  #textRow = new Int32Array(0);
  #functionRow = new Int32Array(0);
  #locationRow = new Int32Array(0);

  /** Empties all tables. */
  begin(known: SharedHashTable | null): void {
    this.#known = known;
    this.#textTable.clear();
    this.#functionTable.clear();
    this.#locationTable.clear();
    this.#stackTable.clear();
    this.#textIds.clear();
    this.#textOffsets.clear();
    this.#functions.clear();
    this.#locations.clear();
    this.#lines.clear();
    this.#stackIds.clear();
    this.#stackOffsets.clear();
    this.#stackLocations.clear();
    this.#textLength = 0;
    if (this.#textBytes.length > 2 ** 22) {
      this.#textBytes = new Uint8Array(65_536);
      this.#textView = new DataView(this.#textBytes.buffer);
    }
    this.#textOffsets.push(0);
    this.#stackOffsets.push(0);
  }

  /** To be called before the first `addStack` of a profile. */
  beginProfile({ columns }: IdentifiedProfile): void {
    const { buffer, byteOffset, length } = columns.bytes;
    this.#source = new DataView(buffer, byteOffset, length);
    this.#textRow = emptyRows(this.#textRow, columns.texts.count);
    this.#functionRow = emptyRows(this.#functionRow, columns.functions.count);
    this.#locationRow = emptyRows(this.#locationRow, columns.locations.count);
  }

  /** Adds the stack of a sample where neither the store nor this batch has it. */
  addStack(profile: IdentifiedProfile, sample: number): void {
    const { columns, ids } = profile;
    const low = ids.stacks[sample * 2] as number;
    const high = ids.stacks[sample * 2 + 1] as number;
    if (this.#known !== null && this.#known.get(low, high) >= 0) return;
    if (this.#stackTable.add(low, high) >= 0) return;
    this.#stackIds.push(low);
    this.#stackIds.push(high);
    const { location } = columns.stackLocations;
    const first = columns.samples.stack[sample] as number;
    const end = columns.samples.stack[sample + 1] as number;
    const locationRow = this.#locationRow;
    let to = this.#stackLocations.reserve(end - first);
    const { words } = this.#stackLocations;
    for (let i = first; i < end; i++) {
      const row = location[i] as number;
      const cached = locationRow[row] as number;
      words[to++] = cached >= 0 ? cached : this.#location(profile, row);
    }
    if (this.#stackLocations.length > MAX_STACK_ENTRIES_PER_PROFILE) throw tooManyEntries();
    this.#stackOffsets.push(this.#stackLocations.length);
  }

  #location(profile: IdentifiedProfile, row: number): number {
    const { ids, sites, columns } = profile;
    const low = ids.locations[row * 2] as number;
    const high = ids.locations[row * 2 + 1] as number;
    const present = this.#locationTable.add(low, high);
    const batchRow = present >= 0 ? present : this.#locationTable.size - 1;
    this.#locationRow[row] = batchRow;
    if (present >= 0) return batchRow;
    const binary = this.#text(profile, sites.binary[row] as number);
    const buildId = this.#text(profile, sites.buildId[row] as number);
    const first = sites.firstLine[row] as number;
    for (let line = first; line < first + (sites.lineCount[row] as number); line++) {
      const batchFunction = this.#function(profile, columns.lines.function[line] as number);
      const at = this.#lines.reserve(LINE_WORDS);
      const { words } = this.#lines;
      words[at] = batchFunction;
      words[at + 1] = columns.lines.line[line] as number;
      words[at + 2] = columns.lines.column[line] as number;
    }
    const at = this.#locations.reserve(LOCATION_WORDS);
    const { words } = this.#locations;
    words[at] = low;
    words[at + 1] = high;
    words[at + 2] = binary;
    words[at + 3] = buildId;
    words[at + 4] = sites.address[row * 2] as number;
    words[at + 5] = sites.address[row * 2 + 1] as number;
    words[at + 6] = sites.space[row] as number;
    words[at + 7] = sites.kind[row] as number;
    words[at + 8] = columns.locations.folded[row] as number;
    words[at + 9] = this.#lines.length / LINE_WORDS;
    return batchRow;
  }

  #function(profile: IdentifiedProfile, row: number): number {
    const cached = this.#functionRow[row] as number;
    if (cached >= 0) return cached;
    const { ids, columns } = profile;
    const low = ids.functions[row * 2] as number;
    const high = ids.functions[row * 2 + 1] as number;
    const present = this.#functionTable.add(low, high);
    const batchRow = present >= 0 ? present : this.#functionTable.size - 1;
    this.#functionRow[row] = batchRow;
    if (present >= 0) return batchRow;
    const { functions } = columns;
    const name = this.#text(profile, functions.name[row] as number);
    const systemName = this.#text(profile, functions.systemName[row] as number);
    const file = this.#text(profile, functions.file[row] as number);
    const at = this.#functions.reserve(FUNCTION_WORDS);
    const { words } = this.#functions;
    words[at] = low;
    words[at + 1] = high;
    words[at + 2] = name;
    words[at + 3] = systemName;
    words[at + 4] = file;
    words[at + 5] = functions.startLine[row] as number;
    return batchRow;
  }

  #text(profile: IdentifiedProfile, row: number): number {
    const cached = this.#textRow[row] as number;
    if (cached >= 0) return cached;
    const { ids, columns } = profile;
    const low = ids.texts[row * 2] as number;
    const high = ids.texts[row * 2 + 1] as number;
    const present = this.#textTable.add(low, high);
    const batchRow = present >= 0 ? present : this.#textTable.size - 1;
    this.#textRow[row] = batchRow;
    if (present >= 0) return batchRow;
    const start = columns.texts.start[row] as number;
    const length = columns.texts.length[row] as number;
    this.#copyText(columns.bytes, start, length);
    this.#textIds.push(low);
    this.#textIds.push(high);
    this.#textOffsets.push(this.#textLength);
    return batchRow;
  }

  /** By words: names are short, and making a view of each would take longer than copying it. */
  #copyText(bytes: Uint8Array, start: number, length: number): void {
    while (this.#textLength + length + 3 > this.#textBytes.length) this.#growText();
    const to = this.#textLength;
    this.#textLength += length;
    // Up to 3 bytes behind the text come along; the next text overwrites them.
    if (start + length + 3 > bytes.length) {
      this.#textBytes.set(bytes.subarray(start, start + length), to);
      return;
    }
    const source = this.#source;
    const target = this.#textView;
    for (let at = 0; at < length; at += 4) {
      target.setInt32(to + at, source.getInt32(start + at, true), true);
    }
  }

  #growText(): void {
    const grown = new Uint8Array(this.#textBytes.length * 2);
    grown.set(this.#textBytes);
    this.#textBytes = grown;
    this.#textView = new DataView(grown.buffer);
  }

  /** Bytes of all columns together. */
  get byteLength(): number {
    const words =
      this.#textIds.length +
      this.#textOffsets.length +
      this.#functions.length +
      this.#locations.length +
      this.#lines.length +
      this.#stackIds.length +
      this.#stackOffsets.length +
      this.#stackLocations.length;
    return words * 4 + this.#textLength;
  }

  /** Copies of all columns into a block. */
  finish(block: ColumnBlock): DictionaryPart {
    this.#source = NO_BYTES;
    const functions = this.#functions;
    const bytes = block.uint8(this.#textLength);
    bytes.set(this.#textBytes.subarray(0, this.#textLength));
    return {
      strings: {
        ids: this.#textIds.signed(block),
        offsets: this.#textOffsets.unsigned(block),
        bytes,
      },
      functions: {
        ids: functions.pairs(block, FUNCTION_WORDS, 0),
        name: functions.column(block, FUNCTION_WORDS, 2),
        systemName: functions.column(block, FUNCTION_WORDS, 3),
        file: functions.column(block, FUNCTION_WORDS, 4),
        startLine: functions.column(block, FUNCTION_WORDS, 5),
      },
      locations: this.#locationColumns(block),
      stacks: {
        ids: this.#stackIds.signed(block),
        offsets: this.#stackOffsets.unsigned(block),
        locations: this.#stackLocations.unsigned(block),
      },
    };
  }

  #locationColumns(block: ColumnBlock): DictionaryPart['locations'] {
    const locations = this.#locations;
    const lines = this.#lines;
    const count = locations.length / LOCATION_WORDS;
    const lineOffsets = block.uint32(count + 1);
    for (let row = 0; row < count; row++) {
      lineOffsets[row + 1] = locations.words[row * LOCATION_WORDS + 9] as number;
    }
    return {
      ids: locations.pairs(block, LOCATION_WORDS, 0),
      binary: locations.column(block, LOCATION_WORDS, 2),
      buildId: locations.column(block, LOCATION_WORDS, 3),
      address: asUnsigned(locations.pairs(block, LOCATION_WORDS, 4)),
      space: locations.byteColumn(block, LOCATION_WORDS, 6),
      kind: locations.byteColumn(block, LOCATION_WORDS, 7),
      flags: locations.byteColumn(block, LOCATION_WORDS, 8),
      lineOffsets,
      lineFunction: lines.column(block, LINE_WORDS, 0),
      lineNumber: lines.column(block, LINE_WORDS, 1),
      lineColumn: lines.column(block, LINE_WORDS, 2),
    };
  }
}

function asUnsigned({ buffer, byteOffset, length }: Int32Array<ArrayBuffer>): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

/** `rows` rows of -1, in the column itself where they fit. */
function emptyRows(column: Int32Array<ArrayBuffer>, rows: number): Int32Array<ArrayBuffer> {
  const isUnfit = column.length < rows || column.length > rows + 2 ** 20;
  return (isUnfit ? new Int32Array(rows * 2) : column).fill(-1, 0, rows);
}

function tooManyEntries(): EverflameError {
  return new EverflameError('too-large', 'the request has too many new stacks', {
    field: 'body',
    limit: `MAX_STACK_ENTRIES_PER_PROFILE = ${MAX_STACK_ENTRIES_PER_PROFILE}`,
    remedy: 'Send the profiles in several requests.',
  });
}
