/**
 * Columns -> an uncompressed pprof (github.com/google/pprof, proto/profile.proto). Ids on the wire
 * are row + 1, as pprof reserves 0 for "none".
 */
import {
  Location,
  Mapping,
  Function as PprofFunctionRow,
  Profile,
  StringTable,
} from 'pprof-format';
import { assert } from './errors.ts';

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

export interface PprofFunction {
  name: string;
  /** The unmodified (mangled) name; equal to `name` or empty where there is no other. */
  systemName: string;
  file: string;
  startLine: number;
}

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
  const strings = new StringTable();
  const valueType = ({ type, unit }: PprofValueType) => {
    assert(type !== '', 'a value type has a name');
    return { type: strings.dedup(type), unit: strings.dedup(unit) };
  };
  assert(input.sampleTypes.length > 0, 'a pprof has at least one sample type');
  const profile = new Profile({
    sampleType: input.sampleTypes.map(valueType),
    mapping: input.mappings.map((mapping, row) => mappingRow(mapping, row, input, strings)),
    function: input.functions.map((row, index) => functionRow(row, index, strings)),
    location: input.locations.map((location, row) => locationRow(location, row, input)),
    sample: sampleRows(input, strings),
    stringTable: strings,
    timeNanos: input.timeNanos,
    durationNanos: input.durationNanos,
    ...(input.periodType === null ? {} : { periodType: valueType(input.periodType) }),
    period: integer(input.period),
    comment: input.comments.map((comment) => strings.dedup(comment)),
    defaultSampleType: strings.dedup(input.defaultSampleType ?? ''),
  });
  return profile.encode();
}

/** pprof's flags on a mapping say what its locations already have; readers may skip the rest. */
function mappingRow(mapping: PprofMapping, row: number, input: PprofInput, strings: StringTable) {
  const named = input.mappings.length === 1 && input.locations.every((l) => l.lines.length > 0);
  return new Mapping({
    id: row + 1,
    memoryStart: mapping.start,
    memoryLimit: mapping.limit,
    fileOffset: mapping.offset,
    filename: strings.dedup(mapping.file),
    buildId: strings.dedup(mapping.buildId),
    hasFunctions: named,
  });
}

function functionRow(row: PprofFunction, index: number, strings: StringTable) {
  return new PprofFunctionRow({
    id: index + 1,
    name: strings.dedup(row.name),
    systemName: strings.dedup(row.systemName),
    filename: strings.dedup(row.file),
    startLine: row.startLine,
  });
}

function locationRow(location: PprofLocation, row: number, input: PprofInput) {
  assert(location.mapping < input.mappings.length, `location ${row} has its mapping`);
  return new Location({
    id: row + 1,
    mappingId: location.mapping + 1,
    address: location.address,
    line: location.lines.map(({ function: index, line, column }) => {
      assert(index < input.functions.length, `location ${row} has its functions`);
      return { functionId: index + 1, line, column: column ?? 0 };
    }),
    isFolded: location.isFolded ?? false,
  });
}

function sampleRows(input: PprofInput, strings: StringTable) {
  const { count, offsets, locations, values, labels } = input.samples;
  const width = input.sampleTypes.length;
  assert(offsets.length > count, 'a pprof has one offset more than samples');
  assert(values.length >= count * width, 'a pprof has a value for each sample and type');
  const rows = [];
  for (let i = 0; i < count; i++) {
    const locationId: number[] = [];
    for (let j = offsets[i] ?? 0; j < (offsets[i + 1] ?? 0); j++) {
      const row = locations[j] ?? input.locations.length;
      assert(row < input.locations.length, `sample ${i} has its locations`);
      locationId.push(row + 1);
    }
    const value: (number | bigint)[] = [];
    for (let t = 0; t < width; t++) value.push(integer(values[i * width + t] ?? 0));
    rows.push({ locationId, value, label: labelRows(labels?.[i] ?? [], strings) });
  }
  return rows;
}

function labelRows(labels: readonly PprofLabel[], strings: StringTable) {
  return labels.map((label) => {
    const key = strings.dedup(label.key);
    return 'value' in label
      ? { key, str: strings.dedup(label.value) }
      : { key, num: label.number, numUnit: strings.dedup(label.unit) };
  });
}

/** pprof-format writes numbers above 2^53 and negative ones rightly only as bigint. */
function integer(value: number): number | bigint {
  assert(Number.isInteger(value), `${value} is an integer`);
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : BigInt(value);
}
