/** The ids of one decoded profile's rows: docs/formats.md section 1. */
import { isUtf8 } from 'node:buffer';
import { MAX_LINES_PER_LOCATION } from '../../profile/limits.ts';
import type { PprofColumns } from '../../profile/pprof/columns.ts';
import {
  absorb,
  type HashState,
  hashBytes,
  hashWords,
  type IdKey,
  IdTag,
  startHash,
} from '../../profile/siphash.ts';
import type { LocationSites } from './location-sites.ts';

const NON_ASCII = 0x80808080;
const encoder = new TextEncoder();

/** Words of a location before its lines: kind to number of lines. */
const SITE_WORDS = 10;

type Column = Int32Array<ArrayBuffer>;

/** Ids interleave low and high half, by row; columns may be longer than there are rows. */
export interface RowIds {
  readonly texts: Int32Array;
  readonly functions: Int32Array;
  readonly locations: Int32Array;
  readonly stacks: Int32Array;
}

export class ProfileIds implements RowIds {
  texts: Column = new Int32Array(0);
  functions: Column = new Int32Array(0);
  locations: Column = new Int32Array(0);
  stacks: Column = new Int32Array(0);

  readonly #text: HashState;
  readonly #function: HashState;
  readonly #location: HashState;
  readonly #stack: HashState;
  #words: Column = new Int32Array(SITE_WORDS + 4 * MAX_LINES_PER_LOCATION);

  constructor(key: IdKey) {
    this.#text = startHash(key, IdTag.string);
    this.#function = startHash(key, IdTag.function);
    this.#location = startHash(key, IdTag.location);
    this.#stack = startHash(key, IdTag.stack);
  }

  /** Fills the columns. Texts that are not UTF-8 are repaired in `columns` first. */
  identify(columns: PprofColumns, sites: LocationSites): void {
    this.#identifyTexts(columns);
    this.#identifyFunctions(columns);
    this.#identifyLocations(columns, sites);
    this.#identifyStacks(columns);
  }

  /** Gives the columns' memory back. */
  release(): void {
    this.texts = new Int32Array(0);
    this.functions = new Int32Array(0);
    this.locations = new Int32Array(0);
    this.stacks = new Int32Array(0);
  }

  #identifyTexts(columns: PprofColumns): void {
    const { texts } = columns;
    this.texts = roomFor(this.texts, texts.count);
    const ids = this.texts;
    let view = viewOf(columns.bytes);
    for (let i = 0; i < texts.count; i++) {
      const start = texts.start[i] as number;
      const end = start + (texts.length[i] as number);
      const seen = hashBytes(this.#text, view, start, end, ids, i * 2);
      if ((seen & NON_ASCII) === 0 || isUtf8(columns.bytes.subarray(start, end))) continue;
      columns.replaceText(i, encoder.encode(columns.textAt(i)));
      view = viewOf(columns.bytes);
      i--;
    }
  }

  #identifyFunctions(columns: PprofColumns): void {
    const { count, name, systemName, file, startLine } = columns.functions;
    this.functions = roomFor(this.functions, count);
    const ids = this.functions;
    const texts = this.texts;
    const words = this.#words;
    for (let i = 0; i < count; i++) {
      copyId(texts, name[i] as number, words, 0);
      copyId(texts, systemName[i] as number, words, 2);
      copyId(texts, file[i] as number, words, 4);
      words[6] = startLine[i] as number;
      hashWords(this.#function, words, 0, 7, ids, i * 2);
    }
  }

  #identifyLocations(columns: PprofColumns, sites: LocationSites): void {
    const { lines, locations } = columns;
    this.locations = roomFor(this.locations, locations.count);
    const ids = this.locations;
    const words = this.#words;
    const { functions } = this;
    const { firstLine, lineCount } = sites;
    // Neighbours mostly differ in their lines only; what comes before those is absorbed once.
    let state: HashState | null = null;
    for (let i = 0; i < locations.count; i++) {
      const isSame = i > 0 && locations.folded[i] === locations.folded[i - 1] && sameSite(sites, i);
      if (!isSame) {
        state = null;
        this.#writeSite(columns, sites, i);
      } else state ??= words.subarray(0, SITE_WORDS).reduce(absorb, this.#location);
      let at = SITE_WORDS;
      const first = firstLine[i] as number;
      const end = first + (lineCount[i] as number);
      for (let line = first; line < end; line++) {
        copyId(functions, lines.function[line] as number, words, at);
        words[at + 2] = lines.line[line] as number;
        words[at + 3] = lines.column[line] as number;
        at += 4;
      }
      if (state === null) hashWords(this.#location, words, 0, at, ids, i * 2);
      else hashWords(state, words, SITE_WORDS, at, ids, i * 2);
    }
  }

  /** The words of a location before those of its lines. */
  #writeSite(columns: PprofColumns, sites: LocationSites, row: number): void {
    const words = this.#words;
    words[0] = sites.kind[row] as number;
    words[1] = sites.space[row] as number;
    words[2] = columns.locations.folded[row] as number;
    copyId(this.texts, sites.binary[row] as number, words, 3);
    copyId(this.texts, sites.buildId[row] as number, words, 5);
    words[7] = sites.address[row * 2] as number;
    words[8] = sites.address[row * 2 + 1] as number;
    words[9] = sites.lineCount[row] as number;
  }

  #identifyStacks(columns: PprofColumns): void {
    const { samples, stackLocations } = columns;
    this.stacks = roomFor(this.stacks, samples.count);
    const ids = this.stacks;
    const locations = this.locations;
    const { location } = stackLocations;
    for (let i = 0; i < samples.count; i++) {
      const first = samples.stack[i] as number;
      const end = samples.stack[i + 1] as number;
      this.#words = roomFor(this.#words, end - first + 1);
      const words = this.#words;
      words[0] = end - first;
      let at = 1;
      for (let j = first; j < end; j++) {
        const row = location[j] as number;
        words[at] = locations[row * 2] as number;
        words[at + 1] = locations[row * 2 + 1] as number;
        at += 2;
      }
      hashWords(this.#stack, words, 0, at, ids, i * 2);
    }
  }
}

function copyId(ids: Int32Array, row: number, words: Int32Array, at: number): void {
  words[at] = ids[row * 2] as number;
  words[at + 1] = ids[row * 2 + 1] as number;
}

/** Whether a location's words before its lines are those of the location before it. */
function sameSite(sites: LocationSites, row: number): boolean {
  const { kind, space, binary, buildId, address, lineCount } = sites;
  const before = row - 1;
  return (
    address[row * 2] === address[before * 2] &&
    address[row * 2 + 1] === address[before * 2 + 1] &&
    lineCount[row] === lineCount[before] &&
    binary[row] === binary[before] &&
    buildId[row] === buildId[before] &&
    kind[row] === kind[before] &&
    space[row] === space[before]
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The column itself, or a longer empty one where two words per row do not fit. */
function roomFor(column: Column, rows: number): Column {
  if (column.length >= rows * 2) return column;
  return new Int32Array(Math.max(1024, 2 ** Math.ceil(Math.log2(rows * 2))));
}
