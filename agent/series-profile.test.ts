import fc from 'fast-check';
import { Profile } from 'pprof-format';
import { expect, test } from 'vitest';
import { NamedFrames } from './frames.ts';
import { SeriesProfile } from './series-profile.ts';

const named = new NamedFrames();
const frames = Array.from({ length: 300 }, (_, i) => named.get(`[m${i % 3}]`, `f${i}`));

/** Stack, leaf first -> samples. */
function read(profile: SeriesProfile): Map<string, number> {
  const pprof = Profile.decode(profile.encode({ startMs: 1, lengthMs: 1, periodNs: 7 }));
  const names = pprof.location.map(({ line }) => {
    const row = pprof.function[Number(line[0]?.functionId) - 1]!;
    return pprof.stringTable.strings[Number(row.name)];
  });
  const rows = pprof.sample.map(({ locationId, value }): [string, number] => {
    expect(Number(value[1])).toBe(7 * Number(value[0]));
    return [locationId.map((id) => names[Number(id) - 1]).join(), Number(value[0])];
  });
  expect(new Set(rows.map(([stack]) => stack)).size).toBe(rows.length);
  return new Map(rows);
}

test('stacks of all shapes add up, wherever kernel and user code meet', () => {
  const part = fc.array(fc.nat(299), { maxLength: 130 });
  const few = fc.array(fc.nat(2), { maxLength: 3 });
  const stack = fc.tuple(fc.oneof(part, few), fc.oneof(part, few), fc.integer({ min: 1, max: 9 }));
  const property = fc.property(fc.array(stack, { maxLength: 120 }), (stacks) => {
    const profile = new SeriesProfile();
    const sums = new Map<string, number>();
    for (const [leafward, rootward, count] of stacks) {
      const framesOf = (rows: readonly number[]) => rows.map((row) => frames[row]!);
      profile.add(framesOf(leafward), framesOf(rootward), count);
      const text = [...leafward, ...rootward].map((row) => `f${row}`).join();
      sums.set(text, (sums.get(text) ?? 0) + count);
    }
    expect(read(profile)).toEqual(sums);
    expect(profile.samples).toBe(stacks.reduce((sum, [, , count]) => sum + count, 0));
  });
  fc.assert(property, { seed: 1, numRuns: 100 });
});
