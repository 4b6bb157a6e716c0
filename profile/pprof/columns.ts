/**
 * One decoded pprof as columns, reused from profile to profile: typed arrays that grow, rows
 * numbered from 0 in the order of the wire, absent references -1. Filled by pprof-decode.ts.
 */
import { assert } from '../errors.ts';

type Column = Uint32Array | Int32Array | Uint8Array;

/** Columns of 64-bit values interleave low and high half. Text columns are rows of `texts`. */
export class PprofColumns {
  /** The input; texts point into it. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Text i is `bytes[start[i] .. start[i] + length[i])`, in whatever encoding; text 0 is empty. */
  texts = { count: 0, start: new Uint32Array(4096), length: new Uint32Array(4096) };
  mappings = {
    count: 0,
    id: new Uint32Array(64),
    start: new Int32Array(128),
    offset: new Int32Array(128),
    file: new Uint32Array(64),
    buildId: new Uint32Array(64),
  };
  functions = {
    count: 0,
    id: new Uint32Array(4096),
    name: new Uint32Array(4096),
    systemName: new Uint32Array(4096),
    file: new Uint32Array(4096),
    startLine: new Uint32Array(4096),
  };
  locations = {
    count: 0,
    id: new Uint32Array(4096),
    /** Row of `mappings`, or -1. */
    mapping: new Int32Array(4096),
    address: new Int32Array(8192),
    /** 1 where pprof's `is_folded` is set. */
    folded: new Uint8Array(4096),
    /** `count + 1` entries into `lines`. */
    lines: new Uint32Array(4097),
  };
  lines = {
    count: 0,
    /** Row of `functions`, or -1. */
    function: new Int32Array(8192),
    line: new Uint32Array(8192),
    column: new Uint32Array(8192),
  };
  samples = {
    count: 0,
    /** `count + 1` entries into `stackLocations`, `values` (by pairs of halves) and `labels`. */
    stack: new Uint32Array(4097),
    value: new Uint32Array(4097),
    label: new Uint32Array(4097),
  };
  /** Rows of `locations`, leaf first. */
  stackLocations = { count: 0, location: new Uint32Array(65_536) };
  values = { count: 0, value: new Int32Array(16_384) };
  labels = {
    count: 0,
    key: new Uint32Array(256),
    /** 0 where the label is a number. */
    text: new Uint32Array(256),
    number: new Int32Array(512),
    unit: new Uint32Array(256),
  };
  sampleTypes: { type: number; unit: number }[] = [];
  comments: number[] = [];
  periodType: { type: number; unit: number } | null = null;
  period = 0n;
  timeNanos = 0n;
  durationNanos = 0n;
  defaultSampleType = 0;
  docUrl = 0;

  /** Empties all tables; memory stays. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.texts.count = 0;
    this.mappings.count = 0;
    this.functions.count = 0;
    this.locations.count = 0;
    this.lines.count = 0;
    this.samples.count = 0;
    this.stackLocations.count = 0;
    this.values.count = 0;
    this.labels.count = 0;
    this.sampleTypes = [];
    this.comments = [];
    this.periodType = null;
    this.period = 0n;
    this.timeNanos = 0n;
    this.durationNanos = 0n;
    this.defaultSampleType = 0;
    this.docUrl = 0;
  }

  /** The text of a row; invalid UTF-8 becomes U+FFFD. */
  textAt(row: number): string {
    const { start, length, count } = this.texts;
    assert(row < count, `text ${row} of ${count} exists`);
    const from = start[row] as number;
    return decoder.decode(this.bytes.subarray(from, from + (length[row] as number)));
  }

  /** Adds a text that the profile does not have; returns its row. */
  appendText(text: Uint8Array): number {
    const { texts } = this;
    if (texts.count === texts.start.length) growTable(texts);
    const row = texts.count++;
    this.replaceText(row, text);
    return row;
  }

  /** Adds several with one copy of the input; returns the first one's row. */
  appendTexts(added: readonly Uint8Array[]): number {
    const { texts } = this;
    const first = texts.count;
    const bytes = new Uint8Array(
      added.reduce((sum, { length }) => sum + length, this.bytes.length),
    );
    bytes.set(this.bytes);
    let end = this.bytes.length;
    for (const text of added) {
      if (texts.count === texts.start.length) growTable(texts);
      texts.start[texts.count] = end;
      texts.length[texts.count++] = text.length;
      bytes.set(text, end);
      end += text.length;
    }
    this.bytes = bytes;
    return first;
  }

  /** Copies the input; for the few profiles that need it. */
  replaceText(row: number, text: Uint8Array): void {
    const bytes = new Uint8Array(this.bytes.length + text.length);
    bytes.set(this.bytes);
    bytes.set(text, this.bytes.length);
    this.texts.start[row] = this.bytes.length;
    this.texts.length[row] = text.length;
    this.bytes = bytes;
  }

  /** Bytes that the tables keep between profiles, the input not counted. */
  retainedBytes(): number {
    let total = 0;
    for (const table of Object.values(this)) {
      if (typeof table !== 'object' || table === null || ArrayBuffer.isView(table)) continue;
      for (const column of Object.values(table)) {
        if (ArrayBuffer.isView(column)) total += column.byteLength;
      }
    }
    return total;
  }
}

// A byte order mark is part of a text like any other character.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Doubles every column of a table; called when a row does not fit its first one. */
export function growTable(table: { [name: string]: Column | number }): void {
  for (const [name, column] of Object.entries(table)) {
    if (typeof column !== 'number') table[name] = grownColumn(column);
  }
}

function grownColumn(column: Column): Column {
  const size = column.length * 2;
  const grown =
    column instanceof Uint8Array
      ? new Uint8Array(size)
      : column instanceof Int32Array
        ? new Int32Array(size)
        : new Uint32Array(size);
  grown.set(column);
  return grown;
}
