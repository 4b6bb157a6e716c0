import { expect, test } from 'vitest';
import { Arena } from './arena.ts';

test('columns are apart and aligned, and their memory is used again', () => {
  const arena = new Arena();
  for (let job = 0; job < 3; job++) {
    arena.reset();
    const columns = [
      arena.uint8(3),
      arena.float64(5),
      arena.uint16(7),
      arena.int32(3 * 2 ** 20), // More than a chunk.
      arena.uint32(9),
      arena.float64(1),
    ];
    for (const [row, column] of columns.entries()) {
      if (job > 0) expect(column.every((value) => value === row + 1)).toBe(true);
      column.fill(row + 1);
    }
    for (const [row, column] of columns.entries()) {
      expect(column.every((value) => value === row + 1)).toBe(true);
    }
  }
});
