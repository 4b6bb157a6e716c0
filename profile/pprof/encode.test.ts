import fc from 'fast-check';
import { Profile } from 'pprof-format';
import { describe, expect, test } from 'vitest';
import { encodePprof, type PprofInput } from './encode.ts';

const INPUT: PprofInput = {
  sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
  periodType: null,
  period: 0,
  timeNanos: 0n,
  durationNanos: 0n,
  comments: [],
  mappings: [],
  functions: [],
  locations: [],
  samples: {
    count: 0,
    offsets: Uint32Array.of(0),
    locations: new Uint32Array(0),
    values: new Float64Array(0),
  },
};

test('a profile without samples is whole', () => {
  const profile = Profile.decode(encodePprof(INPUT));
  expect(profile.stringTable.strings).toEqual(['', 'cpu', 'nanoseconds']);
  expect(profile.sample).toEqual([]);
  expect(profile.periodType).toBeUndefined();
});

test.each([0, 1, 2 ** 31, 2 ** 53, 2 ** 62])('the value %d arrives exactly', (value) => {
  const samples = {
    count: 1,
    offsets: Uint32Array.of(0, 0),
    locations: new Uint32Array(0),
    values: Float64Array.of(value),
  };
  const profile = Profile.decode(encodePprof({ ...INPUT, samples }));
  expect(BigInt(profile.sample[0]?.value[0] ?? -1)).toBe(BigInt(value));
});

describe('input that cannot be right is a broken invariant', () => {
  const broken: [string, Partial<PprofInput>][] = [
    ['no sample type', { sampleTypes: [] }],
    ['a type without a name', { sampleTypes: [{ type: '', unit: 'count' }] }],
    ['a mapping that is not there', { locations: [{ mapping: 0, address: 1n, lines: [] }] }],
    [
      'a function that is not there',
      { locations: [{ mapping: -1, address: 1n, lines: [{ function: 0, line: 1 }] }] },
    ],
    [
      'a location that is not there',
      {
        samples: {
          count: 1,
          offsets: Uint32Array.of(0, 1),
          locations: Uint32Array.of(0),
          values: Float64Array.of(1),
        },
      },
    ],
    ['too few offsets', { samples: { ...INPUT.samples, count: 1, values: Float64Array.of(1) } }],
    ['too few values', { samples: { ...INPUT.samples, count: 1, offsets: new Uint32Array(2) } }],
    ['half a nanosecond', { period: 0.5 }],
  ];
  test.each(broken)('%s', (_, fields) => {
    expect(() => encodePprof({ ...INPUT, ...fields })).toThrow('broken invariant');
  });
});

const text = fc.oneof(
  fc.constantFrom('', 'main', 'größe', '\u{1f525}', 'x'.repeat(127), 'y'.repeat(128)),
  fc.string({ unit: 'binary', maxLength: 200 }),
);
const uint64 = fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 300n));
const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
const row = (count: number) => fc.nat(Math.max(count - 1, 0));
const integer = fc.oneof(fc.nat(200), fc.maxSafeInteger(), fc.constantFrom(-1, 2 ** 31, 2 ** 62));
const label = fc.oneof(
  fc.record({ key: text, value: text }),
  fc.record({ key: text, number: int64, unit: text }),
);

/** Profiles of every shape, long stacks among them; rows of two mappings and three functions. */
const profileInput: fc.Arbitrary<PprofInput> = fc
  .record({
    mappings: fc.array(
      fc.record({ start: uint64, limit: uint64, offset: uint64, file: text, buildId: text }),
      { minLength: 2, maxLength: 2 },
    ),
    functions: fc.array(
      fc.record({ name: text, systemName: text, file: text, startLine: integer }),
      { minLength: 3, maxLength: 3 },
    ),
    locations: fc.array(
      fc.record({
        mapping: fc.integer({ min: -1, max: 1 }),
        address: uint64,
        lines: fc.array(fc.record({ function: row(3), line: integer, column: integer }), {
          maxLength: 3,
        }),
        isFolded: fc.boolean(),
      }),
      { minLength: 1, maxLength: 200 },
    ),
    stacks: fc.array(fc.array(fc.nat(), { maxLength: 150 }), { maxLength: 4 }),
    values: fc.array(integer, { minLength: 8, maxLength: 8 }),
    labels: fc.array(fc.array(label, { maxLength: 2 }), { minLength: 4, maxLength: 4 }),
    comments: fc.array(text, { maxLength: 3 }),
    defaultSampleType: text,
    times: fc.tuple(int64, int64),
  })
  .map(({ stacks, values, labels, times, ...rest }) => {
    const offsets = new Uint32Array(stacks.length + 1);
    for (const [i, stack] of stacks.entries()) offsets[i + 1] = offsets[i]! + stack.length;
    const locations = Uint32Array.from(stacks.flat(), (at) => at % rest.locations.length);
    return {
      ...rest,
      sampleTypes: [
        { type: 'samples', unit: 'count' },
        { type: 'cpu', unit: '' },
      ],
      periodType: { type: 'cpu', unit: 'nanoseconds' },
      period: 10_101_010,
      timeNanos: times[0],
      durationNanos: times[1],
      samples: {
        count: stacks.length,
        offsets,
        locations,
        values: Float64Array.from(values),
        labels,
      },
    };
  });

test('pprof-format reads what was meant', () => {
  const signed = (value: number | bigint) => BigInt.asIntN(64, BigInt(value));
  const property = fc.property(profileInput, (input) => {
    const profile = Profile.decode(encodePprof(input));
    const texts = profile.stringTable.strings;
    const text = (index: number | bigint) => texts[Number(index)];
    expect(texts[0]).toBe('');
    expect(new Set(texts).size).toBe(texts.length);
    expect(profile.mapping.map((m) => [m.id, text(m.filename), text(m.buildId)])).toEqual(
      input.mappings.map(({ file, buildId }, i) => [i + 1, file, buildId]),
    );
    const ranges = profile.mapping.map((m) => [m.memoryStart, m.memoryLimit, m.fileOffset]);
    expect(ranges.flat().map(BigInt)).toEqual(
      input.mappings.flatMap(({ start, limit, offset }) => [start, limit, offset]),
    );
    const functions = profile.function.map((f) => [f.name, f.systemName, f.filename].map(text));
    expect(functions).toEqual(input.functions.map((f) => [f.name, f.systemName, f.file]));
    expect(profile.function.map((f) => signed(f.startLine))).toEqual(
      input.functions.map(({ startLine }) => BigInt(startLine)),
    );
    expect(
      profile.location.map((l) => ({
        mapping: Number(l.mappingId) - 1,
        address: BigInt(l.address),
        lines: l.line.map((line) => ({
          function: Number(line.functionId) - 1,
          line: Number(signed(line.line)),
          column: Number(signed(line.column)),
        })),
        isFolded: l.isFolded,
      })),
    ).toEqual(input.locations);
    expect(profile.sample.flatMap((s) => s.locationId.map((id) => Number(id) - 1))).toEqual([
      ...input.samples.locations,
    ]);
    expect(profile.sample.flatMap((s) => s.value.map((value) => Number(signed(value))))).toEqual([
      ...input.samples.values.subarray(0, 2 * input.samples.count),
    ]);
    expect(
      profile.sample.map((s) =>
        s.label.map((l) =>
          Number(l.str) === 0 && (Number(l.numUnit) !== 0 || BigInt(l.num) !== 0n)
            ? { key: text(l.key), number: signed(l.num), unit: text(l.numUnit) }
            : { key: text(l.key), value: text(l.str) },
        ),
      ),
    ).toEqual(
      input.samples.labels!.slice(0, input.samples.count).map((labels) =>
        // A label without text and without number is the same message either way.
        labels.map((l) =>
          'number' in l && l.number === 0n && l.unit === '' ? { key: l.key, value: '' } : l,
        ),
      ),
    );
    expect([signed(profile.timeNanos), signed(profile.durationNanos)]).toEqual([
      input.timeNanos,
      input.durationNanos,
    ]);
    expect(profile.comment.map(text)).toEqual(input.comments);
    expect(text(profile.defaultSampleType)).toBe(input.defaultSampleType);
    expect([Number(profile.period), text(profile.periodType!.unit)]).toEqual([
      10_101_010,
      'nanoseconds',
    ]);
  });
  fc.assert(property, { seed: 1, numRuns: 200 });
});
