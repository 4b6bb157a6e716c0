/** A single profile's rows -> its pprof: rows of one stack and label set are one sample. */
import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { encodePprof, type PprofLabel } from '../../profile/pprof/encode.ts';
import type { SampleLabel } from '../../store/store.ts';
import { stackColumns } from './pprof-answer.ts';
import { PprofTables } from './pprof-tables.ts';
import type { SymbolNames } from './symbol-names.ts';
import type { ProfileJob } from './tree-messages.ts';

/** Uncompressed. Names that symbol files give are added to those of the profile's writer. */
export function buildProfilePprof(
  dictionary: DictionaryColumns,
  symbols: SymbolNames,
  job: ProfileJob,
  checkStop: () => void,
): Uint8Array {
  const tables = new PprofTables(dictionary, symbols);
  const { stack, labelset, values } = gatherSamples(job);
  const columns = stackColumns(dictionary, tables, stack, checkStop);
  const labels = job.labelsets.map((set) => set.map(toPprofLabel));
  const hasLabels = labels.some((set) => set.length > 0);
  return encodePprof({
    sampleTypes: job.values.map(({ type, unit }) => ({ type, unit })),
    periodType: job.periodType,
    period: job.periodType === null ? 0 : Math.round(job.period),
    timeNanos: toNanos(job.tsMs),
    durationNanos: toNanos(job.durationMs),
    comments: job.comments,
    mappings: tables.mappings,
    functions: tables.functions,
    locations: tables.locations,
    samples: {
      ...columns,
      values,
      ...(hasLabels ? { labels: Array.from(labelset, (row) => labels[row] ?? []) } : {}),
    },
  });
}

/** Rows come ordered by stack and label set; each pair is one sample with a value of each type. */
function gatherSamples({ weights, type, values: types }: ProfileJob) {
  const { stack, group: labelset, value } = weights;
  const starts: number[] = [];
  for (let row = 0; row < stack.length; row++) {
    const isNew = stack[row] !== stack[row - 1] || labelset[row] !== labelset[row - 1];
    if (row === 0 || isNew) starts.push(row);
  }
  const values = new Float64Array(starts.length * types.length);
  for (const [sample, start] of starts.entries()) {
    const end = starts[sample + 1] ?? stack.length;
    for (let row = start; row < end; row++) {
      for (const [at, { row: of, factor }] of types.entries()) {
        if (of !== type[row]) continue;
        values[sample * types.length + at] = Math.round((value[row] as number) * factor);
      }
    }
  }
  const pick = (column: Uint32Array) => Uint32Array.from(starts, (row) => column[row] as number);
  return { stack: pick(stack), labelset: pick(labelset), values };
}

function toPprofLabel(label: SampleLabel): PprofLabel {
  if ('value' in label) return label;
  return { key: label.key, number: BigInt(label.number), unit: label.unit };
}

/** Durations have fractions of a millisecond. */
function toNanos(timeMs: number): bigint {
  const whole = Math.floor(timeMs);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((timeMs - whole) * 1e6));
}
