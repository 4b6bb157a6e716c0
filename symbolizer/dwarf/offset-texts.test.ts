import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TextId } from '../code-piece.ts';
import { NOT_KNOWN, OffsetTexts } from './offset-texts.ts';

const SEED = 7;

test('what was put in comes out, or is forgotten; nothing else does', () => {
  const offsets = fc.uniqueArray(
    fc.oneof(fc.nat(5_000), fc.nat(2 ** 31), fc.constantFrom(0, 2 ** 32 - 2, 2 ** 32, 2 ** 53)),
    { maxLength: 3_000, size: 'max' },
  );
  fc.assert(
    fc.property(offsets, (list) => {
      const texts = new OffsetTexts();
      const early = list.filter((offset, text) => {
        const before = texts.get(offset);
        texts.set(offset, text as TextId);
        return before !== NOT_KNOWN;
      });
      const expected = list.map((offset, text) => (offset < 2 ** 32 - 1 ? text : NOT_KNOWN));
      expect(early).toEqual([]);
      expect(list.map((offset) => texts.get(offset))).toEqual(expected);
    }),
    { seed: SEED, numRuns: 50 },
  );
});

test('over its bound it starts anew', () => {
  const texts = new OffsetTexts();
  const count = 1_200_000;
  for (let offset = 0; offset < count; offset++) texts.set(offset, offset as TextId);
  let known = 0;
  let wrong = 0;
  for (let offset = 0; offset < count; offset++) {
    const text = texts.get(offset);
    if (text === offset) known++;
    else if (text !== NOT_KNOWN) wrong++;
  }
  expect(wrong).toBe(0);
  expect(known).toBeGreaterThan(0);
  expect(known).toBeLessThan(count);
});

test('of offsets made to collide only some are remembered', () => {
  const texts = new OffsetTexts();
  // Times the inverse of the hash's multiplier: they differ in no bit that a small table looks at.
  const offsets = Array.from({ length: 64 }, (_, row) => Math.imul(row << 26, 0x144c_bc89) >>> 0);
  for (const offset of offsets) texts.set(offset, 1 as TextId);
  expect(offsets.filter((offset) => texts.get(offset) === 1)).toHaveLength(32);
});
