import { expect, test } from 'vitest';
import { formatProfileType, isCountType, parseProfileType } from './profile-type.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

test.each([
  [CPU, CPU],
  [`${CPU}:delta`, CPU],
  ['x:events:count::', 'x:events:count::'],
])('%s is read and written', (text, written) => {
  expect(formatProfileType(parseProfileType(text))).toBe(written);
});

test.each(['', 'cpu', 'a:b:c:d', `${CPU}:x`, `${CPU}:delta:delta`, ':b:c:d:e', 'a::c:d:e'])(
  '"%s" is refused',
  (text) => {
    expect(() => parseProfileType(text)).toThrow('is not a profile type');
  },
);

test.each([
  ['p:samples:count:cpu:nanoseconds', true],
  ['p:alloc_objects:count:space:bytes', true],
  ['p:objects:count:space:bytes', false],
  [CPU, false],
])('%s counts events: %s', (text, counts) => {
  expect(isCountType(parseProfileType(text))).toBe(counts);
});
