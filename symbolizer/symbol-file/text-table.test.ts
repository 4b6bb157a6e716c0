import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_STRING_BYTES } from '../../profile/limits.ts';
import { TextTable } from './text-table.ts';

test('equal texts are one, wherever their bytes come from', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 3 })), (texts) => {
      const table = new TextTable();
      const numbers = texts.map((text) => table.internText(text));
      const distinct = [...new Set(texts)];
      expect(table.count).toBe(distinct.length);
      expect(numbers).toEqual(texts.map((text) => distinct.indexOf(text)));
      const read = numbers.map((number) => Buffer.from(table.bytesOf(number)).toString());
      expect(read).toEqual(texts.map((text) => Buffer.from(text).toString()));
    }),
    { seed: 3 },
  );
});

test('grows, finds what it had, and cuts what is too long', () => {
  const table = new TextTable();
  const text = (i: number) => `name ${i}`;
  const wrong: number[] = [];
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 100_000; i++) if (table.internText(text(i)) !== i) wrong.push(i);
  }
  expect(wrong).toEqual([]);
  const long = table.internText('x'.repeat(MAX_STRING_BYTES + 1));
  expect(table.lengthOf(long)).toBe(MAX_STRING_BYTES);
  const bytes = Buffer.from('..name 5..');
  expect(table.intern(bytes, 2, 8)).toBe(5);
});
