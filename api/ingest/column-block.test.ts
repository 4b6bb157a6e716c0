import { expect, test } from 'vitest';
import { ColumnBlock } from './column-block.ts';

test('columns lie in one buffer, none over another', () => {
  const block = new ColumnBlock(3 + 2 * 3 + 4 + 8 + 4 * 2, 5);
  const columns = [
    block.uint8(3).fill(1),
    block.uint16(3).fill(2),
    block.int32(1).fill(-3),
    block.float64(1).fill(0.5),
    block.uint32(2).fill(5),
  ];
  expect(columns.map((column) => column.join(' '))).toEqual(['1 1 1', '2 2 2', '-3', '0.5', '5 5']);
  expect(new Set(columns.map((column) => column.buffer)).size).toBe(1);
});

test('a column for which there is no room is a broken promise', () => {
  const block = new ColumnBlock(8, 1);
  block.int32(3);
  expect(() => block.uint8(1)).toThrow('room');
});
