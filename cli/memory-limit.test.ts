import { expect, test } from 'vitest';
import { MAX_BODY_BYTES } from '../profile/limits.ts';
import { chooseMemoryLimit, shareMemory } from './memory-limit.ts';

test.each([
  ['what is given', 2e9, null, 2e9],
  ['what is given, in a container too', 2e9, 1e9, 2e9],
  ['the default', null, null, 1e9],
  ['the default in a large container', null, 64e9, 1e9],
  ['most of a small container', null, 800e6, 680e6],
  ['the least that works', null, 100e6, 512e6],
])('%s', (_, given, container, limit) => {
  expect(chooseMemoryLimit(given, container)).toBe(limit);
});

test('too little is refused with the least', () => {
  expect(() => chooseMemoryLimit(100e6, null)).toThrow(
    expect.objectContaining({ kind: 'invalid', remedy: expect.stringContaining('512MB') }),
  );
});

test('one body of the largest size has its place whatever the limit', () => {
  expect(shareMemory(512e6).bodyBytes).toBe(MAX_BODY_BYTES);
  expect(shareMemory(16e9).bodyBytes).toBe(1e9);
});

test.each([
  [512e6, 64e6, 192e6, 128e6],
  [1e9, 125e6, 253e6, 250e6],
  [16e9, 512 * 2 ** 20, 512 * 2 ** 20 + 128e6, 256e6],
])('with %d: SQL %d, its process %d, an export %d', (limit, sql, process, exported) => {
  const shares = shareMemory(limit);
  expect([shares.sqlBytes, shares.sqlProcessBytes, shares.exportBytes]).toEqual([
    ...[sql, process, exported],
  ]);
});
