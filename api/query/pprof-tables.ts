/** The dictionary's locations as the tables of a pprof, with the names that symbol files give. */
import type { DictionaryColumns } from '../../profile/dictionary.ts';
import type { AddressSpace } from '../../profile/flame/frame.ts';
import type {
  PprofFunction,
  PprofLine,
  PprofLocation,
  PprofMapping,
} from '../../profile/pprof/encode.ts';
import { stringReader } from '../../profile/strings.ts';
import type { SymbolNames } from './symbol-names.ts';

const PAGE = 4096n;

/** Rows of pprof's tables, made as samples ask for them. */
export class PprofTables {
  readonly mappings: PprofMapping[] = [];
  readonly functions: PprofFunction[] = [];
  readonly locations: PprofLocation[] = [];
  readonly #dictionary: DictionaryColumns;
  readonly #symbols: SymbolNames;
  readonly #text: (row: number) => string;
  readonly #mappingRows = new Map<string, number>();
  readonly #functionRows = new Map<number | string, number>();
  readonly #locationRows = new Map<number, number>();

  constructor(dictionary: DictionaryColumns, symbols: SymbolNames) {
    this.#dictionary = dictionary;
    this.#symbols = symbols;
    this.#text = stringReader(dictionary.strings);
  }

  locationRow(location: number): number {
    let row = this.#locationRows.get(location);
    if (row === undefined) {
      row = this.locations.push(this.#location(location)) - 1;
      this.#locationRows.set(location, row);
    }
    return row;
  }

  #location(location: number): PprofLocation {
    const { locations } = this.#dictionary;
    const low = locations.address[location * 2] as number;
    const high = locations.address[location * 2 + 1] as number;
    const address = (BigInt(high) << 32n) | BigInt(low);
    const lines: PprofLine[] = [];
    const end = locations.lineOffsets[location + 1] as number;
    for (let line = locations.lineOffsets[location] as number; line < end; line++) {
      lines.push({
        function: this.#functionRow(locations.lineFunction[line] as number),
        line: locations.lineNumber[line] as number,
        column: locations.lineColumn[line] as number,
      });
    }
    if (lines.length === 0) {
      const buildId = this.#text(locations.buildId[location] as number);
      const space = locations.space[location] as AddressSpace;
      const found = this.#symbols.nameOf(buildId, space, low, high);
      if (found.kind === 'lines') {
        for (const { name, file, line } of found.lines) {
          lines.push({ function: this.#symbolRow(name, file), line });
        }
      }
    }
    return {
      mapping: this.#mappingRow(location, address),
      address,
      lines,
      isFolded: ((locations.flags[location] as number) & 1) !== 0,
    };
  }

  /**
   * One mapping per file and build. The dictionary keeps addresses relative to the file, so every
   * mapping starts at 0; its limit is the first page beyond what is used of it.
   */
  #mappingRow(location: number, address: bigint): number {
    const { locations } = this.#dictionary;
    const file = this.#text(locations.binary[location] as number);
    const buildId = this.#text(locations.buildId[location] as number);
    if (file === '' && buildId === '') return -1;
    const key = `${file}\0${buildId}`;
    let row = this.#mappingRows.get(key);
    if (row === undefined) {
      row = this.mappings.push({ start: 0n, limit: PAGE, offset: 0n, file, buildId }) - 1;
      this.#mappingRows.set(key, row);
    }
    const mapping = this.mappings[row] as PprofMapping;
    if (address >= mapping.limit) mapping.limit = (address / PAGE + 1n) * PAGE;
    return row;
  }

  #functionRow(ref: number): number {
    const { functions } = this.#dictionary;
    return this.#function(ref, () => {
      const systemName = this.#text(functions.systemName[ref] as number);
      const written = this.#text(functions.name[ref] as number) || systemName;
      const name = this.#symbols.demangle(written);
      return {
        name,
        systemName: systemName || (name === written ? '' : written),
        file: this.#text(functions.file[ref] as number),
        startLine: functions.startLine[ref] as number,
      };
    });
  }

  #symbolRow(name: string, file: string): number {
    return this.#function(`${name}\0${file}`, () => ({
      name: this.#symbols.demangle(name),
      systemName: name,
      file,
      startLine: 0,
    }));
  }

  #function(key: number | string, make: () => PprofFunction): number {
    let row = this.#functionRows.get(key);
    if (row === undefined) {
      row = this.functions.push(make()) - 1;
      this.#functionRows.set(key, row);
    }
    return row;
  }
}
