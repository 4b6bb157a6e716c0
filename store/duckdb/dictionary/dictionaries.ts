/**
 * Strings, functions, locations and stacks in memory: dense refs by id, and the shared columns that
 * snapshots are made of. What a batch adds is tentative until `commit`; `rollback` drops it.
 */
import { isUtf8 } from 'node:buffer';
import type { DictionarySnapshot } from '../../../profile/dictionary.ts';
import { EverflameError } from '../../../profile/errors.ts';
import type { WriteBatch } from '../../store.ts';
import { Turn } from '../catalogue/turn.ts';
import { IdIndex } from './id-index.ts';
import type { RefSet } from './ref-set.ts';
import { sharedBytes, sharedWords } from './shared-column.ts';

/** How many rows of each table there are; a commit makes those below a mark final. */
export interface DictionaryMark {
  strings: number;
  functions: number;
  locations: number;
  stacks: number;
}

const TABLES = ['strings', 'functions', 'locations', 'stacks'] as const;
/** Rows between looks at the clock: some tenths of a millisecond. */
const SLICE_ROWS = 256;

export class Dictionaries {
  readonly strings = { index: new IdIndex(), offsets: sharedWords(), bytes: sharedBytes() };
  readonly functions = {
    index: new IdIndex(),
    name: sharedWords(),
    systemName: sharedWords(),
    file: sharedWords(),
    startLine: sharedWords(),
  };
  readonly locations = {
    index: new IdIndex(),
    binary: sharedWords(),
    buildId: sharedWords(),
    space: sharedBytes(),
    kind: sharedBytes(),
    flags: sharedBytes(),
    address: sharedWords(),
    lineOffsets: sharedWords(),
    lineFunction: sharedWords(),
    lineNumber: sharedWords(),
    lineColumn: sharedWords(),
  };
  readonly stacks = { index: new IdIndex(), offsets: sharedWords(), locations: sharedWords() };
  rollbacks = 0;
  #snapshot: DictionarySnapshot | null = null;

  constructor() {
    this.strings.offsets.push(0);
    this.locations.lineOffsets.push(0);
    this.stacks.offsets.push(0);
  }

  /** What was added so far is of the transaction that begins; returns where it ends. */
  freeze(): DictionaryMark {
    return {
      strings: this.strings.index.freeze(),
      functions: this.functions.index.freeze(),
      locations: this.locations.index.freeze(),
      stacks: this.stacks.index.freeze(),
    };
  }

  committedMark(): DictionaryMark {
    return {
      strings: this.strings.index.committedCount,
      functions: this.functions.index.committedCount,
      locations: this.locations.index.committedCount,
      stacks: this.stacks.index.committedCount,
    };
  }

  /** Adds the rows of a checked batch that are not there yet. */
  add(batch: WriteBatch): void {
    const steps = this.#addInSteps(batch);
    while (steps.next().done !== true);
  }

  /**
   * As `add`, giving way to other work. Rows are added whole, after those that they refer to, so
   * that a transaction may take the first of them before the last are there. Returns the number of
   * rollbacks there had been: if there are more by now, rows of the batch may be gone.
   */
  async addInTurns(batch: WriteBatch): Promise<number> {
    const { rollbacks } = this;
    const turn = new Turn();
    const steps = this.#addInSteps(batch);
    while (steps.next().done !== true) {
      if (!turn.isOver()) continue;
      await turn.next();
      if (this.rollbacks !== rollbacks) break;
    }
    return rollbacks;
  }

  *#addInSteps({ strings, functions, locations, stacks }: WriteBatch): Generator<void> {
    const stringRefs = new Uint32Array(strings.ids.length / 2);
    yield* inSlices(stringRefs.length, (from, to) =>
      this.#addStrings(strings, from, to, stringRefs),
    );
    const functionRefs = new Uint32Array(functions.ids.length / 2);
    yield* inSlices(functionRefs.length, (from, to) =>
      this.#addFunctions(functions, from, to, functionRefs, stringRefs),
    );
    const locationRefs = new Uint32Array(locations.ids.length / 2);
    yield* inSlices(locationRefs.length, (from, to) =>
      this.#addLocations(locations, from, to, locationRefs, stringRefs, functionRefs),
    );
    yield* inSlices(stacks.ids.length / 2, (from, to) =>
      this.#addStacks(stacks, from, to, locationRefs),
    );
  }

  #addStrings(rows: WriteBatch['strings'], from: number, to: number, refs: Uint32Array): void {
    const { index, offsets, bytes } = this.strings;
    const { ids } = rows;
    for (let row = from; row < to; row++) {
      const low = ids[2 * row] as number;
      const high = ids[2 * row + 1] as number;
      let ref = index.find(low, high);
      if (ref < 0) {
        const text = rows.bytes.subarray(rows.offsets[row], rows.offsets[row + 1]);
        if (!isUtf8(text)) {
          throw new EverflameError('invalid', `string ${row} is not UTF-8`, { field: 'strings' });
        }
        bytes.append(text);
        offsets.push(bytes.length);
        ref = index.assign(low, high);
      }
      refs[row] = ref;
    }
  }

  #addFunctions(
    rows: WriteBatch['functions'],
    from: number,
    to: number,
    refs: Uint32Array,
    strings: Uint32Array,
  ): void {
    const table = this.functions;
    const { ids } = rows;
    for (let row = from; row < to; row++) {
      const low = ids[2 * row] as number;
      const high = ids[2 * row + 1] as number;
      let ref = table.index.find(low, high);
      if (ref < 0) {
        table.name.push(strings[rows.name[row] as number] as number);
        table.systemName.push(strings[rows.systemName[row] as number] as number);
        table.file.push(strings[rows.file[row] as number] as number);
        table.startLine.push(rows.startLine[row] as number);
        ref = table.index.assign(low, high);
      }
      refs[row] = ref;
    }
  }

  #addLocations(
    rows: WriteBatch['locations'],
    from: number,
    to: number,
    refs: Uint32Array,
    strings: Uint32Array,
    functions: Uint32Array,
  ): void {
    const table = this.locations;
    const { ids } = rows;
    for (let row = from; row < to; row++) {
      const low = ids[2 * row] as number;
      const high = ids[2 * row + 1] as number;
      let ref = table.index.find(low, high);
      if (ref < 0) {
        table.binary.push(strings[rows.binary[row] as number] as number);
        table.buildId.push(strings[rows.buildId[row] as number] as number);
        table.space.push(rows.space[row] as number);
        table.kind.push(rows.kind[row] as number);
        table.flags.push(rows.flags[row] as number);
        table.address.push(rows.address[2 * row] as number);
        table.address.push(rows.address[2 * row + 1] as number);
        const end = rows.lineOffsets[row + 1] as number;
        for (let line = rows.lineOffsets[row] as number; line < end; line++) {
          table.lineFunction.push(functions[rows.lineFunction[line] as number] as number);
          table.lineNumber.push(rows.lineNumber[line] as number);
          table.lineColumn.push(rows.lineColumn[line] as number);
        }
        table.lineOffsets.push(table.lineFunction.length);
        ref = table.index.assign(low, high);
      }
      refs[row] = ref;
    }
  }

  #addStacks(rows: WriteBatch['stacks'], from: number, to: number, locations: Uint32Array): void {
    const table = this.stacks;
    const { ids } = rows;
    for (let row = from; row < to; row++) {
      const low = ids[2 * row] as number;
      const high = ids[2 * row + 1] as number;
      if (table.index.find(low, high) >= 0) continue;
      const end = rows.offsets[row + 1] as number;
      for (let at = rows.offsets[row] as number; at < end; at++) {
        table.locations.push(locations[rows.locations[at] as number] as number);
      }
      table.offsets.push(table.locations.length);
      table.index.assign(low, high);
    }
  }

  /** Makes room for what is frozen, so that `commit` needs none. */
  async makeRoom(mark: DictionaryMark): Promise<void> {
    const before = this.committedMark();
    const turn = new Turn();
    for (const table of TABLES) {
      const steps = this[table].index.committed.reserveInSteps(mark[table] - before[table]);
      while (steps.next().done !== true) if (turn.isOver()) await turn.next();
    }
  }

  /** Makes what is frozen, which must be durable, final and visible in the next snapshot. */
  async commit(mark: DictionaryMark): Promise<void> {
    const before = this.committedMark();
    if (TABLES.every((table) => mark[table] === before[table])) return;
    const turn = new Turn();
    for (const table of TABLES) {
      while (this[table].index.publish(SLICE_ROWS) === 'more') {
        if (turn.isOver()) await turn.next();
      }
    }
    for (const table of TABLES) this[table].index.commit();
    this.#snapshot = null;
  }

  /** Rows that are found by their ids: those that nothing used any more have gone. */
  rows(): DictionaryMark {
    return {
      strings: this.strings.index.rows,
      functions: this.functions.index.rows,
      locations: this.locations.index.rows,
      stacks: this.stacks.index.rows,
    };
  }

  /** Hides rows that are not `used`, so many (id-index.ts), between two transactions. */
  *hide(
    used: Readonly<Record<(typeof TABLES)[number], RefSet>>,
    unused: DictionaryMark,
  ): Generator<void> {
    for (const table of TABLES) yield* this[table].index.hide(used[table], unused[table]);
    this.#snapshot = null;
  }

  /** Drops what is not final. The shared columns' tails are written again later. */
  rollback(): void {
    const { strings, functions, locations, stacks } = this;
    for (const table of TABLES) this[table].index.rollback();
    this.rollbacks++;
    const mark = this.committedMark();
    strings.offsets.length = mark.strings + 1;
    strings.bytes.length = strings.offsets.data[mark.strings] as number;
    for (const column of [
      functions.name,
      functions.systemName,
      functions.file,
      functions.startLine,
    ]) {
      column.length = mark.functions;
    }
    locations.lineOffsets.length = mark.locations + 1;
    const lines = locations.lineOffsets.data[mark.locations] as number;
    for (const column of [
      locations.binary,
      locations.buildId,
      locations.space,
      locations.kind,
      locations.flags,
    ]) {
      column.length = mark.locations;
    }
    locations.address.length = 2 * mark.locations;
    for (const column of [locations.lineFunction, locations.lineNumber, locations.lineColumn]) {
      column.length = lines;
    }
    stacks.offsets.length = mark.stacks + 1;
    stacks.locations.length = stacks.offsets.data[mark.stacks] as number;
  }

  snapshot(): DictionarySnapshot {
    this.#snapshot ??= this.#makeSnapshot();
    return this.#snapshot;
  }

  #makeSnapshot(): DictionarySnapshot {
    const { strings, functions, locations, stacks } = this;
    const count = this.committedMark();
    const textEnd = strings.offsets.data[count.strings] as number;
    const lineEnd = locations.lineOffsets.data[count.locations] as number;
    const stackEnd = stacks.offsets.data[count.stacks] as number;
    return {
      strings: {
        count: count.strings,
        offsets: strings.offsets.first(count.strings + 1),
        bytes: strings.bytes.first(textEnd),
      },
      functions: {
        count: count.functions,
        name: functions.name.first(count.functions),
        systemName: functions.systemName.first(count.functions),
        file: functions.file.first(count.functions),
        startLine: functions.startLine.first(count.functions),
      },
      locations: {
        count: count.locations,
        binary: locations.binary.first(count.locations),
        buildId: locations.buildId.first(count.locations),
        space: locations.space.first(count.locations),
        kind: locations.kind.first(count.locations),
        flags: locations.flags.first(count.locations),
        address: locations.address.first(2 * count.locations),
        lineOffsets: locations.lineOffsets.first(count.locations + 1),
        lineFunction: locations.lineFunction.first(lineEnd),
        lineNumber: locations.lineNumber.first(lineEnd),
        lineColumn: locations.lineColumn.first(lineEnd),
      },
      stacks: {
        count: count.stacks,
        offsets: stacks.offsets.first(count.stacks + 1),
        locations: stacks.locations.first(stackEnd),
      },
      knownStacks: stacks.index.committed,
    };
  }

  get byteLength(): number {
    let bytes = 0;
    for (const table of [this.strings, this.functions, this.locations, this.stacks]) {
      for (const column of Object.values(table)) bytes += column.byteLength;
    }
    return bytes;
  }
}

function* inSlices(rows: number, run: (from: number, to: number) => void): Generator<void> {
  for (let from = 0; from < rows; from += SLICE_ROWS) {
    run(from, Math.min(rows, from + SLICE_ROWS));
    yield;
  }
}
