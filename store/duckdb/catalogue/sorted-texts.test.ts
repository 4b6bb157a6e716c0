import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sortTexts } from './sorted-texts.ts';

test('sorts as Array.sort does', async () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }));
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 5_000, size: 'max' }), async (texts) => {
      expect(await sortTexts(new Set(texts))).toEqual([...new Set(texts)].sort());
    }),
    { seed: 5, numRuns: 20 },
  );
});
