/**
 * Columns, or rows as they come -> an uncompressed pprof (github.com/google/pprof,
 * proto/profile.proto). Ids on the wire are row + 1, as pprof reserves 0 for "none".
 */
import { assert } from '../errors.ts';
import { WireWriter } from './protobuf.ts';

export interface PprofValueType {
  type: string;
  unit: string;
}

export interface PprofMapping {
  /** Addresses of the process, or of the ELF file where the writer normalizes. */
  start: bigint;
  limit: bigint;
  offset: bigint;
  file: string;
  buildId: string;
}

/** What all locations of a mapping have already; pprof looks up the rest itself. */
export interface MappingSymbols {
  functions: boolean;
  files: boolean;
  lineNumbers: boolean;
  inlines: boolean;
}

const NOT_SYMBOLIZED: MappingSymbols = {
  functions: false,
  files: false,
  lineNumbers: false,
  inlines: false,
};

export interface PprofLine {
  /** Row of `functions`. */
  function: number;
  line: number;
  column?: number;
}

export interface PprofLocation {
  /** Row of `mappings`, or -1. */
  mapping: number;
  address: bigint;
  /** Innermost inlined function first; empty where nobody named the address. */
  lines: readonly PprofLine[];
  isFolded?: boolean;
}

export type PprofLabel = { key: string } & ({ value: string } | { number: bigint; unit: string });

export interface PprofFunction {
  name: string;
  /** The unmodified (mangled) name; equal to `name` or empty where there is no other. */
  systemName: string;
  file: string;
  startLine: number;
}

/** Row i is one sample; its stack is `locations[offsets[i] .. offsets[i + 1])`. */
export interface PprofSamples {
  count: number;
  /** At least `count + 1` entries. */
  offsets: Uint32Array;
  /** Rows of `PprofInput.locations`, leaf first. */
  locations: Uint32Array;
  /** Integers; sample i's value of type t is `values[i * sampleTypes.length + t]`. */
  values: Float64Array;
  /** Labels of sample i, where any sample has some. */
  labels?: readonly (readonly PprofLabel[])[];
}

export interface PprofInput {
  /** At least one, none with an empty type. */
  sampleTypes: readonly PprofValueType[];
  defaultSampleType?: string;
  /** Null together with `period` 0 where the profile has no period. */
  periodType: PprofValueType | null;
  period: number;
  timeNanos: bigint;
  durationNanos: bigint;
  comments: readonly string[];
  mappings: readonly PprofMapping[];
  functions: readonly PprofFunction[];
  locations: readonly PprofLocation[];
  samples: PprofSamples;
}

/** The pprof's bytes, without gzip. O(size of the input). */
export function encodePprof(input: PprofInput): Uint8Array {
  const writer = new PprofWriter();
  for (const sampleType of input.sampleTypes) writer.sampleType(sampleType);
  const symbolized = symbolizedMappings(input);
  input.mappings.forEach((mapping, row) => {
    writer.mapping(mapping, symbolized[row] ?? NOT_SYMBOLIZED);
  });
  for (const { name, systemName, file, startLine } of input.functions) {
    writer.function(name, systemName, file, startLine);
  }
  for (const location of input.locations) writer.location(location);
  writeSamples(writer, input);
  writer.times(input.timeNanos, input.durationNanos);
  writer.period(input.periodType, input.period);
  if (input.comments.length > 0) writer.comments(input.comments);
  writer.defaultSampleType(input.defaultSampleType ?? '');
  return writer.finish();
}

/** By mapping; one of which any location has no name may still be symbolized by the reader. */
function symbolizedMappings({ mappings, functions, locations }: PprofInput): MappingSymbols[] {
  const known = mappings.map(() => ({
    functions: true,
    files: false,
    lineNumbers: false,
    inlines: false,
  }));
  for (const { mapping, lines } of locations) {
    const symbols = known[mapping];
    if (symbols === undefined) continue;
    symbols.functions &&= lines.length > 0;
    symbols.inlines ||= lines.length > 1;
    symbols.files ||= lines.some((line) => (functions[line.function]?.file ?? '') !== '');
    symbols.lineNumbers ||= lines.some(({ line }) => line > 0);
  }
  return known.map((symbols) => (symbols.functions ? symbols : NOT_SYMBOLIZED));
}

function writeSamples(writer: PprofWriter, { sampleTypes, samples }: PprofInput): void {
  const { count, offsets, locations, values, labels } = samples;
  assert(offsets.length > count, 'a pprof has one offset more than samples');
  assert(
    values.length >= count * sampleTypes.length,
    'a pprof has a value for each sample and type',
  );
  for (let i = 0; i < count; i++) {
    const end = offsets[i + 1] as number;
    assert(end <= locations.length, `sample ${i} has its locations`);
    const start = writer.beginSample(locations, offsets[i] as number, end);
    writer.values(values, i * sampleTypes.length);
    for (const label of labels?.[i] ?? []) writer.label(label);
    writer.endSample(start);
  }
}

/** Writes one profile after the other; its buffers are used again. */
export class PprofWriter {
  readonly #out = new WireWriter();
  readonly #texts = new WireWriter();
  readonly #textRows = new Map<string, number>();
  #sampleTypes = 0;
  #mappings = 0;
  #functions = 0;
  #locations = 0;

  /** The pprof's bytes; the next row begins another profile. */
  finish(): Uint8Array {
    assert(this.#sampleTypes > 0, 'a pprof has at least one sample type');
    // The empty text comes first; a table of its own is part of every pprof.
    this.#row('');
    const texts = this.#texts.finish();
    const rows = this.#out.finish();
    const pprof = new Uint8Array(texts.length + rows.length);
    pprof.set(texts);
    pprof.set(rows, texts.length);
    this.#textRows.clear();
    this.#sampleTypes = 0;
    this.#mappings = 0;
    this.#functions = 0;
    this.#locations = 0;
    return pprof;
  }

  sampleType(valueType: PprofValueType): void {
    this.#valueType(1, valueType);
    this.#sampleTypes++;
  }

  period(valueType: PprofValueType | null, period: number): void {
    if (valueType !== null) this.#valueType(11, valueType);
    this.#out.integer(12, period);
  }

  times(timeNanos: bigint, durationNanos: bigint): void {
    this.#out.int64(9, timeNanos);
    this.#out.int64(10, durationNanos);
  }

  comments(comments: readonly string[]): void {
    const start = this.#out.begin(13);
    for (const comment of comments) this.#out.varint(this.#row(comment));
    this.#out.end(start);
  }

  defaultSampleType(type: string): void {
    this.#out.uint(14, this.#row(type));
  }

  /** Returns the row. */
  mapping(mapping: PprofMapping, symbols: MappingSymbols = NOT_SYMBOLIZED): number {
    const out = this.#out;
    const start = out.begin(3);
    out.uint(1, ++this.#mappings);
    out.int64(2, mapping.start);
    out.int64(3, mapping.limit);
    out.int64(4, mapping.offset);
    out.uint(5, this.#row(mapping.file));
    out.uint(6, this.#row(mapping.buildId));
    out.uint(7, symbols.functions ? 1 : 0);
    out.uint(8, symbols.files ? 1 : 0);
    out.uint(9, symbols.lineNumbers ? 1 : 0);
    out.uint(10, symbols.inlines ? 1 : 0);
    out.end(start);
    return this.#mappings - 1;
  }

  function(name: string, systemName: string, file: string, startLine: number): number {
    const out = this.#out;
    const start = out.begin(5);
    out.uint(1, ++this.#functions);
    out.uint(2, this.#row(name));
    out.uint(3, this.#row(systemName));
    out.uint(4, this.#row(file));
    out.integer(5, startLine);
    out.end(start);
    return this.#functions - 1;
  }

  location(location: PprofLocation): void {
    const out = this.#out;
    const start = this.#beginLocation(location.mapping);
    out.int64(3, location.address);
    for (const line of location.lines) this.#line(line.function, line.line, line.column ?? 0);
    out.uint(5, location.isFolded === true ? 1 : 0);
    out.end(start);
  }

  /** A location that nobody named; the address is below 2^53. */
  nativeLocation(mapping: number, address: number): void {
    const start = this.#beginLocation(mapping);
    this.#out.uint(3, address);
    this.#out.end(start);
  }

  /** A location that is a function as a whole. */
  namedLocation(mapping: number, functionRow: number): void {
    const start = this.#beginLocation(mapping);
    this.#line(functionRow, 0, 0);
    this.#out.end(start);
  }

  /** Opens a sample with `locations[from .. to)`; its values and labels follow, then `end`. */
  beginSample(locations: Uint32Array, from: number, to: number): number {
    const out = this.#out;
    const start = out.begin(2);
    if (to === from) return start;
    const stack = out.begin(1);
    for (let i = from; i < to; i++) {
      const row = locations[i] as number;
      assert(row < this.#locations, 'a sample has its locations');
      out.varint(row + 1);
    }
    out.end(stack);
    return start;
  }

  /** Values `values[from .. from + types)` of the open sample. */
  values(values: Float64Array, from: number): void {
    const out = this.#out;
    const start = out.begin(2);
    for (let i = from; i < from + this.#sampleTypes; i++) out.packed(values[i] as number);
    out.end(start);
  }

  label(label: PprofLabel): void {
    const out = this.#out;
    const start = out.begin(3);
    out.uint(1, this.#row(label.key));
    if ('value' in label) {
      out.uint(2, this.#row(label.value));
    } else {
      out.int64(3, label.number);
      out.uint(4, this.#row(label.unit));
    }
    out.end(start);
  }

  endSample(start: number): void {
    this.#out.end(start);
  }

  #valueType(field: number, { type, unit }: PprofValueType): void {
    assert(type !== '', 'a value type has a name');
    const start = this.#out.begin(field);
    this.#out.uint(1, this.#row(type));
    this.#out.uint(2, this.#row(unit));
    this.#out.end(start);
  }

  #beginLocation(mapping: number): number {
    assert(mapping < this.#mappings, 'a location has its mapping');
    const start = this.#out.begin(4);
    this.#out.uint(1, ++this.#locations);
    this.#out.uint(2, mapping + 1);
    return start;
  }

  #line(functionRow: number, line: number, column: number): void {
    assert(functionRow < this.#functions, 'a line has its function');
    const start = this.#out.begin(4);
    this.#out.uint(1, functionRow + 1);
    this.#out.integer(2, line);
    this.#out.integer(3, column);
    this.#out.end(start);
  }

  #row(text: string): number {
    if (this.#textRows.size === 0) this.#addText('');
    return this.#textRows.get(text) ?? this.#addText(text);
  }

  #addText(text: string): number {
    const row = this.#textRows.size;
    this.#textRows.set(text, row);
    this.#texts.text(6, text);
    return row;
  }
}
