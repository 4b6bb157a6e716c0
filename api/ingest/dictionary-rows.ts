/**
 * The dictionary rows of a batch: stacks and what they refer to, each once. A stack that the store
 * has already is left out with all it refers to, so that what is known costs one look-up.
 */
import { EverflameError } from '../../profile/errors.ts';
import type { SharedHashTable } from '../../profile/hash-table.ts';
import { MAX_STACK_ENTRIES_PER_PROFILE } from '../../profile/limits.ts';
import type { PprofColumns } from '../../profile/pprof-columns.ts';
import type { WriteBatch } from '../../store/store.ts';
import { GrowingWords } from './growing-words.ts';
import { IdTable } from './id-table.ts';
import type { LocationSites } from './location-sites.ts';
import type { ProfileIds } from './profile-ids.ts';

/** A decoded profile with everything that was found out about it. */
export interface IdentifiedProfile {
  columns: PprofColumns;
  sites: LocationSites;
  ids: ProfileIds;
}

type DictionaryPart = Pick<WriteBatch, 'strings' | 'functions' | 'locations' | 'stacks'>;

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
  #textLength = 0;
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
    if (this.#textBytes.length > 2 ** 22) this.#textBytes = new Uint8Array(65_536);
    this.#textOffsets.push(0);
    this.#stackOffsets.push(0);
  }

  /** To be called before the first `addStack` of a profile. */
  beginProfile({ columns }: IdentifiedProfile): void {
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
    const { stack } = columns.samples;
    const { location } = columns.stackLocations;
    for (let i = stack[sample] as number; i < (stack[sample + 1] as number); i++) {
      const row = location[i] as number;
      const cached = this.#locationRow[row] as number;
      this.#stackLocations.push(cached >= 0 ? cached : this.#location(profile, row));
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
    while (this.#textLength + length > this.#textBytes.length) this.#growText();
    this.#textBytes.set(columns.bytes.subarray(start, start + length), this.#textLength);
    this.#textLength += length;
    this.#textIds.push(low);
    this.#textIds.push(high);
    this.#textOffsets.push(this.#textLength);
    return batchRow;
  }

  #growText(): void {
    const grown = new Uint8Array(this.#textBytes.length * 2);
    grown.set(this.#textBytes);
    this.#textBytes = grown;
  }

  /** Copies of all columns, exactly as long as they need to be. */
  finish(): DictionaryPart {
    const functions = this.#functions;
    const lines = this.#lines;
    return {
      strings: {
        ids: this.#textIds.signed(),
        offsets: this.#textOffsets.unsigned(),
        bytes: this.#textBytes.slice(0, this.#textLength),
      },
      functions: {
        ids: functions.signedColumn(FUNCTION_WORDS, 0, 2),
        name: functions.unsignedColumn(FUNCTION_WORDS, 2),
        systemName: functions.unsignedColumn(FUNCTION_WORDS, 3),
        file: functions.unsignedColumn(FUNCTION_WORDS, 4),
        startLine: functions.unsignedColumn(FUNCTION_WORDS, 5),
      },
      locations: {
        ...this.#locationColumns(),
        lineFunction: lines.unsignedColumn(LINE_WORDS, 0),
        lineNumber: lines.unsignedColumn(LINE_WORDS, 1),
        lineColumn: lines.unsignedColumn(LINE_WORDS, 2),
      },
      stacks: {
        ids: this.#stackIds.signed(),
        offsets: this.#stackOffsets.unsigned(),
        locations: this.#stackLocations.unsigned(),
      },
    };
  }

  #locationColumns() {
    const locations = this.#locations;
    const lineEnds = locations.unsignedColumn(LOCATION_WORDS, 9);
    const lineOffsets = new Uint32Array(lineEnds.length + 1);
    lineOffsets.set(lineEnds, 1);
    return {
      ids: locations.signedColumn(LOCATION_WORDS, 0, 2),
      binary: locations.unsignedColumn(LOCATION_WORDS, 2),
      buildId: locations.unsignedColumn(LOCATION_WORDS, 3),
      address: locations.unsignedColumn(LOCATION_WORDS, 4, 2),
      space: locations.byteColumn(LOCATION_WORDS, 6),
      kind: locations.byteColumn(LOCATION_WORDS, 7),
      flags: locations.byteColumn(LOCATION_WORDS, 8),
      lineOffsets,
    };
  }
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
