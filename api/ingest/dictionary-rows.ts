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

export class DictionaryRows {
  #known: SharedHashTable | null = null;
  readonly #tables = {
    text: new IdTable(),
    function: new IdTable(),
    location: new IdTable(),
    stack: new IdTable(),
  };
  readonly #texts = { ids: new GrowingWords(), offsets: new GrowingWords() };
  #textBytes = new Uint8Array(65_536);
  #textLength = 0;
  readonly #functions = new GrowingWords();
  readonly #functionIds = new GrowingWords();
  readonly #locationIds = new GrowingWords();
  readonly #binary = new GrowingWords();
  readonly #buildId = new GrowingWords();
  readonly #space = new GrowingWords();
  readonly #kind = new GrowingWords();
  readonly #flags = new GrowingWords();
  readonly #address = new GrowingWords();
  readonly #lineOffsets = new GrowingWords();
  readonly #lineFunction = new GrowingWords();
  readonly #lineNumber = new GrowingWords();
  readonly #lineColumn = new GrowingWords();
  readonly #stackIds = new GrowingWords();
  readonly #stackOffsets = new GrowingWords();
  readonly #stackLocations = new GrowingWords();
  /** Location of the profile at hand -> row here, or -1. */
  #locationRow = new Int32Array(0);

  /** Empties all tables. */
  begin(known: SharedHashTable | null): void {
    this.#known = known;
    for (const table of Object.values(this.#tables)) table.clear();
    for (const words of this.#columns()) words.clear();
    this.#textLength = 0;
    if (this.#textBytes.length > 2 ** 22) this.#textBytes = new Uint8Array(65_536);
    this.#texts.offsets.push(0);
    this.#lineOffsets.push(0);
    this.#stackOffsets.push(0);
  }

  /** To be called before the first `addStack` of a profile. */
  beginProfile(profile: IdentifiedProfile): void {
    const { count } = profile.columns.locations;
    if (this.#locationRow.length < count) this.#locationRow = new Int32Array(count * 2);
    this.#locationRow.fill(-1, 0, count);
  }

  /** Adds the stack of a sample where neither the store nor this batch has it. */
  addStack(profile: IdentifiedProfile, sample: number): void {
    const { columns, ids } = profile;
    const low = ids.stacks[sample * 2] as number;
    const high = ids.stacks[sample * 2 + 1] as number;
    if (this.#known !== null && this.#known.get(low, high) >= 0) return;
    if (this.#tables.stack.add(low, high) >= 0) return;
    this.#stackIds.push(low);
    this.#stackIds.push(high);
    const { stack } = columns.samples;
    const { location } = columns.stackLocations;
    for (let i = stack[sample] as number; i < (stack[sample + 1] as number); i++) {
      this.#stackLocations.push(this.#location(profile, location[i] as number));
    }
    if (this.#stackLocations.length > MAX_STACK_ENTRIES_PER_PROFILE) throw tooManyEntries();
    this.#stackOffsets.push(this.#stackLocations.length);
  }

  #location(profile: IdentifiedProfile, row: number): number {
    const cached = this.#locationRow[row] as number;
    if (cached >= 0) return cached;
    const { ids, sites, columns } = profile;
    const low = ids.locations[row * 2] as number;
    const high = ids.locations[row * 2 + 1] as number;
    const present = this.#tables.location.add(low, high);
    const batchRow = present >= 0 ? present : this.#tables.location.size - 1;
    this.#locationRow[row] = batchRow;
    if (present >= 0) return batchRow;
    this.#locationIds.push(low);
    this.#locationIds.push(high);
    this.#binary.push(this.#text(profile, sites.binary[row] as number));
    this.#buildId.push(this.#text(profile, sites.buildId[row] as number));
    this.#space.push(sites.space[row] as number);
    this.#kind.push(sites.kind[row] as number);
    this.#flags.push(columns.locations.folded[row] as number);
    this.#address.push(sites.address[row * 2] as number);
    this.#address.push(sites.address[row * 2 + 1] as number);
    const first = sites.firstLine[row] as number;
    for (let line = first; line < first + (sites.lineCount[row] as number); line++) {
      this.#lineFunction.push(this.#function(profile, columns.lines.function[line] as number));
      this.#lineNumber.push(columns.lines.line[line] as number);
      this.#lineColumn.push(columns.lines.column[line] as number);
    }
    this.#lineOffsets.push(this.#lineFunction.length);
    return batchRow;
  }

  #function(profile: IdentifiedProfile, row: number): number {
    const { ids, columns } = profile;
    const low = ids.functions[row * 2] as number;
    const high = ids.functions[row * 2 + 1] as number;
    const present = this.#tables.function.add(low, high);
    if (present >= 0) return present;
    const batchRow = this.#tables.function.size - 1;
    const { name, systemName, file, startLine } = columns.functions;
    this.#functionIds.push(low);
    this.#functionIds.push(high);
    this.#functions.push(this.#text(profile, name[row] as number));
    this.#functions.push(this.#text(profile, systemName[row] as number));
    this.#functions.push(this.#text(profile, file[row] as number));
    this.#functions.push(startLine[row] as number);
    return batchRow;
  }

  #text(profile: IdentifiedProfile, row: number): number {
    const { ids, columns } = profile;
    const low = ids.texts[row * 2] as number;
    const high = ids.texts[row * 2 + 1] as number;
    const present = this.#tables.text.add(low, high);
    if (present >= 0) return present;
    const start = columns.texts.start[row] as number;
    const length = columns.texts.length[row] as number;
    while (this.#textLength + length > this.#textBytes.length) this.#growText();
    this.#textBytes.set(columns.bytes.subarray(start, start + length), this.#textLength);
    this.#textLength += length;
    this.#texts.ids.push(low);
    this.#texts.ids.push(high);
    this.#texts.offsets.push(this.#textLength);
    return this.#tables.text.size - 1;
  }

  #growText(): void {
    const grown = new Uint8Array(this.#textBytes.length * 2);
    grown.set(this.#textBytes);
    this.#textBytes = grown;
  }

  /** Copies of all columns, exactly as long as they need to be. */
  finish(): DictionaryPart {
    return {
      strings: {
        ids: this.#texts.ids.signed(),
        offsets: this.#texts.offsets.unsigned(),
        bytes: this.#textBytes.slice(0, this.#textLength),
      },
      functions: { ids: this.#functionIds.signed(), ...splitFunctions(this.#functions) },
      locations: {
        ids: this.#locationIds.signed(),
        binary: this.#binary.unsigned(),
        buildId: this.#buildId.unsigned(),
        space: this.#space.bytes(),
        kind: this.#kind.bytes(),
        flags: this.#flags.bytes(),
        address: this.#address.unsigned(),
        lineOffsets: this.#lineOffsets.unsigned(),
        lineFunction: this.#lineFunction.unsigned(),
        lineNumber: this.#lineNumber.unsigned(),
        lineColumn: this.#lineColumn.unsigned(),
      },
      stacks: {
        ids: this.#stackIds.signed(),
        offsets: this.#stackOffsets.unsigned(),
        locations: this.#stackLocations.unsigned(),
      },
    };
  }

  #columns(): GrowingWords[] {
    return [
      this.#texts.ids,
      this.#texts.offsets,
      this.#functions,
      this.#functionIds,
      this.#locationIds,
      this.#binary,
      this.#buildId,
      this.#space,
      this.#kind,
      this.#flags,
      this.#address,
      this.#lineOffsets,
      this.#lineFunction,
      this.#lineNumber,
      this.#lineColumn,
      this.#stackIds,
      this.#stackOffsets,
      this.#stackLocations,
    ];
  }
}

/** Functions are collected in rows of four words. */
function splitFunctions(rows: GrowingWords) {
  const count = rows.length / 4;
  const column = (part: number) => Uint32Array.from({ length: count }, (_, i) => at(i, part));
  const at = (row: number, part: number) => rows.words[row * 4 + part] as number;
  return { name: column(0), systemName: column(1), file: column(2), startLine: column(3) };
}

function tooManyEntries(): EverflameError {
  return new EverflameError('too-large', 'the request has too many new stacks', {
    field: 'body',
    limit: `MAX_STACK_ENTRIES_PER_PROFILE = ${MAX_STACK_ENTRIES_PER_PROFILE}`,
    remedy: 'Send the profiles in several requests.',
  });
}
