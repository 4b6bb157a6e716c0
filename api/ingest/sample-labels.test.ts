import { expect, test } from 'vitest';
import { MAX_LABELS_PER_SAMPLE, MAX_LABELSETS_PER_PROFILE } from '../../profile/limits.ts';
import { PprofColumns } from '../../profile/pprof/columns.ts';
import { PprofDecoder } from '../../profile/pprof/decode.ts';
import { encodePprof, type PprofLabel } from '../../profile/pprof/encode.ts';
import { ColumnBlock } from './column-block.ts';
import { SampleLabels } from './sample-labels.ts';

const KEY = { k0: 1, k1: 2 };

/** The label columns of a profile whose samples have these labels. */
function columnsOf(labels: PprofLabel[][]): PprofColumns {
  const columns = new PprofColumns();
  const count = labels.length;
  const samples = {
    count,
    offsets: new Uint32Array(count + 1),
    locations: new Uint32Array(0),
    values: new Float64Array(count).fill(1),
    labels,
  };
  new PprofDecoder(columns).decode(
    encodePprof({
      sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
      periodType: null,
      period: 0,
      timeNanos: 0n,
      durationNanos: 0n,
      comments: [],
      mappings: [],
      functions: [],
      locations: [],
      samples,
    }),
  );
  return columns;
}

/** The rows of the samples' sets, and the sets, through one batch of one profile. */
function collect(labels: PprofLabel[][]) {
  const columns = columnsOf(labels);
  const sets = new SampleLabels(KEY);
  sets.begin();
  sets.beginProfile();
  const rows = labels.map((_, i) => sets.rowOf(columns, i));
  return { rows, dropped: sets.dropped, ...sets.finish(new ColumnBlock(sets.byteLength, 1)) };
}

test('sets are canonical: sorted, each label once, each set once', () => {
  const trace = { key: 'trace', value: 'x' };
  const bytes = { key: 'bytes', number: 7n, unit: 'b' };
  const { rows, labelsets, labelsetIds } = collect([
    [],
    [trace, bytes],
    [bytes, trace, trace],
    [bytes],
  ]);
  expect(rows).toEqual([0, 1, 1, 2]);
  expect(labelsets).toEqual([
    [],
    [{ key: 'bytes', number: '7', unit: 'b' }, trace],
    [{ key: 'bytes', number: '7', unit: 'b' }],
  ]);
  expect(labelsetIds).toHaveLength(6);
});

test('keys stay as they were written', () => {
  for (const key of ['thread id', 'größe', '2nd', 'host']) {
    expect(collect([[{ key, value: 'v' }]]).labelsets[1]).toEqual([{ key, value: 'v' }]);
  }
});

test('numbers keep all their digits', () => {
  const number = -(2n ** 63n);
  const { labelsets } = collect([[{ key: 'n', number, unit: '' }]]);
  expect(labelsets[1]).toEqual([{ key: 'n', number: '-9223372036854775808', unit: '' }]);
});

test('over a limit the sample has the empty set, and is counted', () => {
  const label = (i: number) => ({ key: `k${i}`, value: 'v' });
  const many = Array.from({ length: MAX_LABELS_PER_SAMPLE + 1 }, (_, i) => label(i));
  const long = [{ key: 'long', value: 'x'.repeat(5000) }];
  expect(collect([many, many.slice(1), long])).toMatchObject({ rows: [0, 1, 0], dropped: 2 });

  const distinct = Array.from({ length: MAX_LABELSETS_PER_PROFILE + 3 }, (_, i) => [label(i)]);
  const { rows, dropped } = collect([...distinct, [label(0)]]);
  expect(rows.slice(-4)).toEqual([0, 0, 0, 1]);
  expect(dropped).toBe(3);
});
