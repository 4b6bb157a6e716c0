import { expect, test } from 'vitest';
import { readLeftOut } from './left-out-words.ts';

test('damage before what is usual, a reason that is not known by its own words', () => {
  const rows = readLeftOut({ removed_ranges: 5, damaged_units: 2, new_reason: 1 });
  expect(rows.map((row) => [row.count, row.title, row.isUsual])).toEqual([
    [2, 'Units of DWARF that cannot be read to their end', false],
    [1, 'new reason', false],
    [5, 'Ranges of functions that the linker removed', true],
  ]);
});
