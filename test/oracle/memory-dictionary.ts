/** Strings, functions, locations and stacks of a store in memory: arrays of rows, found by id. */
import type { DictionarySnapshot } from '../../profile/dictionary.ts';
import { assert } from '../../profile/errors.ts';
import { SharedHashTable } from '../../profile/hash-table.ts';
import type { Ids, WriteBatch } from '../../store/store.ts';

interface FunctionRow {
  name: number;
  systemName: number;
  file: number;
  startLine: number;
}

interface LineRow {
  function: number;
  number: number;
  column: number;
}

interface LocationRow {
  binary: number;
  buildId: number;
  space: number;
  kind: number;
  flags: number;
  address: [low: number, high: number];
  lines: LineRow[];
}

/** Rows in the order in which their ids came first. */
class Table<Row> {
  readonly rows: Row[] = [];
  readonly refs = new Map<string, number>();

  /** The ref of each row of a batch; rows whose id is known are ignored. */
  addAll(ids: Ids, rowAt: (row: number) => Row): number[] {
    const refs: number[] = [];
    for (let row = 0; row < ids.length / 2; row++) {
      const id = idText(ids, row);
      let ref = this.refs.get(id);
      if (ref === undefined) {
        ref = this.rows.push(rowAt(row)) - 1;
        this.refs.set(id, ref);
      }
      refs.push(ref);
    }
    return refs;
  }
}

export function idText(ids: ArrayLike<number>, row: number): string {
  return `${ids[2 * row]}:${ids[2 * row + 1]}`;
}

export class MemoryDictionary {
  readonly #strings = new Table<Uint8Array>();
  readonly #functions = new Table<FunctionRow>();
  readonly #locations = new Table<LocationRow>();
  /** Locations, leaf first. */
  readonly #stacks = new Table<number[]>();
  #snapshot: DictionarySnapshot | null = null;

  get counts(): { strings: number; functions: number; locations: number; stacks: number } {
    return {
      strings: this.#strings.rows.length,
      functions: this.#functions.rows.length,
      locations: this.#locations.rows.length,
      stacks: this.#stacks.rows.length,
    };
  }

  stackOf(ids: Ids, row: number): number | undefined {
    return this.#stacks.refs.get(idText(ids, row));
  }

  add(batch: WriteBatch): void {
    const { strings, functions, locations, stacks } = batch;
    const before = JSON.stringify(this.counts);
    const stringRefs = this.#strings.addAll(strings.ids, (row) =>
      strings.bytes.slice(strings.offsets[row], strings.offsets[row + 1]),
    );
    const functionRefs = this.#functions.addAll(functions.ids, (row) => ({
      name: at(stringRefs, at(functions.name, row)),
      systemName: at(stringRefs, at(functions.systemName, row)),
      file: at(stringRefs, at(functions.file, row)),
      startLine: at(functions.startLine, row),
    }));
    const locationRefs = this.#locations.addAll(locations.ids, (row) => ({
      binary: at(stringRefs, at(locations.binary, row)),
      buildId: at(stringRefs, at(locations.buildId, row)),
      space: at(locations.space, row),
      kind: at(locations.kind, row),
      flags: at(locations.flags, row),
      address: [at(locations.address, 2 * row), at(locations.address, 2 * row + 1)],
      lines: numbers(at(locations.lineOffsets, row), at(locations.lineOffsets, row + 1)).map(
        (line) => ({
          function: at(functionRefs, at(locations.lineFunction, line)),
          number: at(locations.lineNumber, line),
          column: at(locations.lineColumn, line),
        }),
      ),
    }));
    this.#stacks.addAll(stacks.ids, (row) =>
      numbers(at(stacks.offsets, row), at(stacks.offsets, row + 1)).map((entry) =>
        at(locationRefs, at(stacks.locations, entry)),
      ),
    );
    if (JSON.stringify(this.counts) !== before) this.#snapshot = null;
  }

  snapshot(): DictionarySnapshot {
    this.#snapshot ??= this.#makeSnapshot();
    return this.#snapshot;
  }

  #makeSnapshot(): DictionarySnapshot {
    const functions = this.#functions.rows;
    const locations = this.#locations.rows;
    const lines = locations.flatMap((location) => location.lines);
    const stacks = this.#stacks.rows;
    const knownStacks = new SharedHashTable();
    for (const [id, ref] of this.#stacks.refs) {
      const [low = 0, high = 0] = id.split(':').map(Number);
      knownStacks.insert(low, high, ref);
    }
    return {
      strings: {
        count: this.#strings.rows.length,
        offsets: offsetsOf(this.#strings.rows),
        bytes: Uint8Array.from(this.#strings.rows.flatMap((bytes) => [...bytes])),
      },
      functions: {
        count: functions.length,
        name: Uint32Array.from(functions, ({ name }) => name),
        systemName: Uint32Array.from(functions, ({ systemName }) => systemName),
        file: Uint32Array.from(functions, ({ file }) => file),
        startLine: Uint32Array.from(functions, ({ startLine }) => startLine),
      },
      locations: {
        count: locations.length,
        binary: Uint32Array.from(locations, ({ binary }) => binary),
        buildId: Uint32Array.from(locations, ({ buildId }) => buildId),
        space: Uint8Array.from(locations, ({ space }) => space),
        kind: Uint8Array.from(locations, ({ kind }) => kind),
        flags: Uint8Array.from(locations, ({ flags }) => flags),
        address: Uint32Array.from(locations.flatMap(({ address }) => address)),
        lineOffsets: offsetsOf(locations.map((location) => location.lines)),
        lineFunction: Uint32Array.from(lines, (line) => line.function),
        lineNumber: Uint32Array.from(lines, (line) => line.number),
        lineColumn: Uint32Array.from(lines, (line) => line.column),
      },
      stacks: {
        count: stacks.length,
        offsets: offsetsOf(stacks),
        locations: Uint32Array.from(stacks.flat()),
      },
      knownStacks,
    };
  }
}

function offsetsOf(rows: readonly ArrayLike<unknown>[]): Uint32Array {
  const offsets = [0];
  for (const row of rows) offsets.push((offsets.at(-1) as number) + row.length);
  return Uint32Array.from(offsets);
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, step) => from + step);
}

function at(values: ArrayLike<number>, row: number): number {
  const value = values[row];
  assert(value !== undefined, `row ${row} is not in a table of ${values.length}`);
  return value;
}
