import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringAt } from './dictionary.ts';
import { TextTable } from './strings.ts';
import type { StringRef } from './units.ts';

test('texts keep their numbers; 0 is the empty one', () => {
  const table = new TextTable();
  expect(['b', '', 'a', 'b'].map((text) => table.intern(text))).toEqual([1, 0, 2, 1]);
  expect(table.count).toBe(3);
});

test('columns hold the texts asked for, in that order, however the table grew', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 30 })),
      fc.array(fc.nat(), { maxLength: 30 }),
      (rounds, picks) => {
        const table = new TextTable();
        const texts = [''];
        for (const round of rounds) {
          for (const text of round) texts[table.intern(text)] = text;
          const rows = Int32Array.from([0, ...picks, 0, 1, 2], (pick) => pick % texts.length);
          const columns = table.columnsOf(rows);
          const read = Array.from(rows, (_, at) => stringAt(columns, at as StringRef));
          expect(read).toEqual(Array.from(rows, (row) => texts[row]));
        }
      },
    ),
    { seed: 7, numRuns: 200 },
  );
});

test('more text than the table has room for at first', () => {
  const table = new TextTable();
  const texts = Array.from({ length: 5000 }, (_, row) => `name ${row}`);
  const rows = Int32Array.from(texts, (text) => table.intern(text));
  const columns = table.columnsOf(rows);
  expect(stringAt(columns, 4999 as StringRef)).toBe('name 4999');
});
