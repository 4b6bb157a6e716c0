/** A small pprof that has one of everything: for tests that damage it or read it twice. */
import { encodePprof, type PprofInput } from '../profile/pprof/encode.ts';

const TYPES = [
  { type: 'samples', unit: 'count' },
  { type: 'cpu', unit: 'nanoseconds' },
  { type: 'inuse_space', unit: 'bytes' },
];

/** With 1 to 3 sample types. */
export function richPprof(sampleTypes: number): Uint8Array {
  return encodePprof(richInput(sampleTypes));
}

/** The same without frames that neither writer nor mapping names: what most writers send. */
export function usualPprof(sampleTypes: number): Uint8Array {
  const input = richInput(sampleTypes);
  const functions = input.functions.map((row) => ({ ...row, file: `${row.file}/ä` }));
  const locations = input.locations.map((row) => ({
    ...row,
    ...(row.mapping <= 0 ? { mapping: 0 } : { lines: [{ function: 3, line: 2 ** 31 + 7 }] }),
  }));
  return encodePprof({ ...input, functions, locations });
}

function richInput(sampleTypes: number): PprofInput {
  const values = Array.from({ length: 4 * sampleTypes }, (_, i) => (i % 3 === 2 ? 0 : 10 ** i));
  return {
    sampleTypes: TYPES.slice(0, sampleTypes),
    defaultSampleType: 'samples',
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 10_000_000,
    timeNanos: 1_779_999_990_000_000_000n,
    durationNanos: 10_000_000_000n,
    comments: ['a comment', 'another'],
    mappings: [
      { start: 0x400000n, limit: 0x500000n, offset: 0x1000n, file: '/bin/app', buildId: 'abcd' },
      { start: 2n ** 63n, limit: 2n ** 64n - 1n, offset: 0n, file: '[kernel]', buildId: '' },
      { start: 0n, limit: 0n, offset: 0n, file: '', buildId: '' },
    ],
    functions: [
      { name: 'main', systemName: 'main', file: 'main.c', startLine: 3 },
      {
        name: 'Klasse::tun()',
        systemName: '_ZN6Klasse3tunEv',
        file: 'klasse.cc',
        startLine: 70_000,
      },
      { name: '[unknown: stack failed]', systemName: '', file: '', startLine: 0 },
      { name: '', systemName: 'größe', file: '', startLine: 0 },
    ],
    locations: [
      { mapping: 0, address: 0x401000n, lines: [{ function: 0, line: 5 }] },
      {
        mapping: 0,
        address: 0x402000n,
        lines: [
          { function: 1, line: 7, column: 3 },
          { function: 0, line: 300 },
        ],
        isFolded: true,
      },
      { mapping: 0, address: 0x403456n, lines: [] },
      { mapping: 1, address: 2n ** 63n + 5n, lines: [{ function: 3, line: 0 }] },
      { mapping: 1, address: 2n ** 63n + 9n, lines: [] },
      { mapping: -1, address: 0x7fff12345678n, lines: [] },
      { mapping: 2, address: 0n, lines: [{ function: 2, line: 0 }] },
    ],
    samples: {
      count: 4,
      offsets: Uint32Array.of(0, 3, 7, 7, 9),
      locations: Uint32Array.of(2, 1, 0, 4, 3, 5, 0, 6, 0),
      values: Float64Array.from(values),
      labels: [
        [
          { key: 'trace-id', value: 'x1' },
          { key: 'bytes', number: -5n, unit: 'bytes' },
        ],
        [],
        [{ key: 'host', value: 'b' }],
        [{ key: 'n', number: 2n ** 60n, unit: '' }],
      ],
    },
  };
}
