/** The whole selection as a pprof: the writers' locations and mappings, with the names found. */
import { type DictionaryColumns, refs } from '../../profile/dictionary.ts';
import { EverflameError } from '../../profile/errors.ts';
import { encodePprof, type PprofLabel, type PprofSamples } from '../../profile/pprof/encode.ts';
import { PprofTables } from './pprof-tables.ts';
import type { SymbolNames } from './symbol-names.ts';
import type { PprofJob } from './tree-messages.ts';

/** Uncompressed. Values are rounded, since pprof holds integers only (means of gauges are not). */
export function buildPprof(
  dictionary: DictionaryColumns,
  symbols: SymbolNames,
  job: PprofJob,
  checkStop: () => void,
): Uint8Array {
  const tables = new PprofTables(dictionary, symbols);
  const samples = sampleColumns(dictionary, tables, job, checkStop);
  checkStop();
  return encodePprof({
    ...pprofHeader(job),
    mappings: tables.mappings,
    functions: tables.functions,
    locations: tables.locations,
    samples,
  });
}

/** What a pprof says of all its samples. */
export function pprofHeader({ type, meta, period, comments }: PprofJob) {
  const [from, to] = [BigInt(meta.fromMs), BigInt(meta.toMs)];
  return {
    sampleTypes: [{ type: type.sampleType, unit: type.sampleUnit }],
    periodType: type.periodType === '' ? null : { type: type.periodType, unit: type.periodUnit },
    period: type.periodType === '' ? 0 : Math.round(period),
    timeNanos: from * 1_000_000n,
    durationNanos: (to - from) * 1_000_000n,
    comments,
  };
}

/** Counts in the type's unit, as whole numbers. */
export function pprofValue(counts: number, multiplier: number): number {
  const value = Math.round(counts * multiplier);
  if (value < 2 ** 63) return value;
  throw new EverflameError('unprocessable', `a stack weighs ${value}, and a pprof has 64 bits`, {
    field: 'format',
    limit: 'int64 = 9223372036854775807',
    remedy: 'Ask for a shorter range, for fewer series or for another format.',
  });
}

function sampleColumns(
  dictionary: DictionaryColumns,
  tables: PprofTables,
  job: PprofJob,
  checkStop: () => void,
): PprofSamples {
  const { stack, value, group, groups, multiplier } = job.weights;
  const samples: PprofSamples = {
    ...stackColumns(dictionary, tables, stack, checkStop),
    values: Float64Array.from(value, (counts) => pprofValue(counts, multiplier)),
  };
  const labels = groups.map((set) =>
    Object.entries(set).map(([key, text]): PprofLabel => ({ key, value: text })),
  );
  if (labels.some((set) => set.length > 0)) {
    samples.labels = Array.from(group, (row) => labels[row] ?? []);
  }
  return samples;
}

/** The samples' stacks as rows of the tables. */
export function stackColumns(
  { stacks }: DictionaryColumns,
  tables: PprofTables,
  stack: Uint32Array,
  checkStop: () => void,
): Pick<PprofSamples, 'count' | 'offsets' | 'locations'> {
  const count = stack.length;
  const starts = new Uint32Array(count + 1);
  for (let row = 0; row < count; row++) {
    const ref = refs.stack(stack[row] as number);
    const depth = (stacks.offsets[ref + 1] as number) - (stacks.offsets[ref] as number);
    starts[row + 1] = (starts[row] as number) + depth;
  }
  const rows = new Uint32Array(starts[count] as number);
  let filled = 0;
  for (let row = 0; row < count; row++) {
    checkStop();
    const ref = refs.stack(stack[row] as number);
    for (let at = stacks.offsets[ref] as number; at < (stacks.offsets[ref + 1] as number); at++) {
      rows[filled++] = tables.locationRow(stacks.locations[at] as number);
    }
  }
  return { count, offsets: starts, locations: rows };
}
