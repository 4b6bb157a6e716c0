import { expect, test } from 'vitest';
import { parseCpuList } from './cpu-list.ts';

test.each([
  ['0\n', [0]],
  ['0-3\n', [0, 1, 2, 3]],
  ['0-1,4,6-7\n', [0, 1, 4, 6, 7]],
])('%j', (text, cpus) => expect(parseCpuList(text)).toEqual(cpus));

test.each(['', 'a', '3-1', '0-999999', '0,,1', '-1'])('%j is refused', (text) => {
  expect(() => parseCpuList(text)).toThrow('is not a list of CPUs');
});
