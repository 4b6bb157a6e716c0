import { Profile } from 'pprof-format';
import { describe, expect, test } from 'vitest';
import { encodePprof, type PprofInput } from './pprof-encode.ts';

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
