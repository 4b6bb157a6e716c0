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
import { FileMappings } from './file-mappings.ts';
import type { SymbolNames } from './symbol-names.ts';

/** Rows of pprof's tables, made as samples ask for them. */
export class PprofTables {
  readonly functions: PprofFunction[] = [];
  readonly locations: PprofLocation[] = [];
  readonly #dictionary: DictionaryColumns;
  readonly #symbols: SymbolNames;
  readonly #text: (row: number) => string;
  readonly #mappings = new FileMappings();
  readonly #functionRows = new Map<number | string, number>();
  readonly #locationRows = new Map<number, number>();

  constructor(dictionary: DictionaryColumns, symbols: SymbolNames) {
    this.#dictionary = dictionary;
    this.#symbols = symbols;
    this.#text = stringReader(dictionary.strings);
  }

  get mappings(): readonly PprofMapping[] {
    return this.#mappings.rows;
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

  #mappingRow(location: number, address: bigint): number {
    const { locations } = this.#dictionary;
    const file = this.#text(locations.binary[location] as number);
    const buildId = this.#text(locations.buildId[location] as number);
    return this.#mappings.rowOf(file, buildId, address);
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
