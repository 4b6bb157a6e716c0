/** Profiles for tests, written as folded text: `root;child;leaf 3` per line. */
import { gzipSync } from 'node:zlib';
import {
  encodePprof,
  type PprofFunction,
  type PprofLocation,
  type PprofValueType,
} from '../profile/pprof/encode.ts';

export interface PprofText {
  timeMs: number;
  durationMs?: number;
  sampleType?: PprofValueType;
  periodType?: PprofValueType;
  period?: number;
  binary?: string;
}

/** A gzipped pprof of one sample type (cpu/nanoseconds unless told otherwise). */
export function pprofFromText(folded: string, options: PprofText): Uint8Array {
  const functions: PprofFunction[] = [];
  const locations: PprofLocation[] = [];
  const rowOf = new Map<string, number>();
  const stacks: number[] = [];
  const offsets = [0];
  const values: number[] = [];
  for (const line of folded.trim().split('\n')) {
    const space = line.lastIndexOf(' ');
    const names = line.slice(0, space).trim().split(';').reverse();
    for (const name of names) {
      let row = rowOf.get(name);
      if (row === undefined) {
        row = functions.length;
        rowOf.set(name, row);
        functions.push({ name, systemName: name, file: `${name}.c`, startLine: 1 });
        const address = BigInt(0x1000 + 16 * row);
        locations.push({ mapping: 0, address, lines: [{ function: row, line: 1 }] });
      }
      stacks.push(row);
    }
    offsets.push(stacks.length);
    values.push(Number(line.slice(space + 1)));
  }
  const nanos = (ms: number) => BigInt(Math.round(ms)) * 1_000_000n;
  const cpu = { type: 'cpu', unit: 'nanoseconds' };
  return gzipSync(
    encodePprof({
      sampleTypes: [options.sampleType ?? cpu],
      periodType: options.periodType ?? cpu,
      period: options.period ?? 1,
      timeNanos: nanos(options.timeMs),
      durationNanos: nanos(options.durationMs ?? 10_000),
      comments: [],
      mappings: [
        {
          start: 0n,
          limit: 0x100000n,
          offset: 0n,
          file: options.binary ?? '/bin/app',
          buildId: '',
        },
      ],
      functions,
      locations,
      samples: {
        count: values.length,
        offsets: Uint32Array.from(offsets),
        locations: Uint32Array.from(stacks),
        values: Float64Array.from(values),
      },
    }),
  );
}
