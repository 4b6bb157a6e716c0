import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ByteBudget, gunzip, inflate } from './gunzip.ts';

const TEXT = Buffer.from('profile '.repeat(5000));
const WHOLE = gzipSync(TEXT);

function forge(gzip: Buffer, size: number): Buffer {
  const forged = Buffer.from(gzip);
  forged.writeUInt32LE(size, forged.length - 4);
  return forged;
}

test.each([
  ['one member', WHOLE, TEXT],
  ['an empty one', gzipSync(''), Buffer.alloc(0)],
  [
    'several members',
    Buffer.concat([WHOLE, gzipSync('x'), WHOLE]),
    Buffer.concat([TEXT, Buffer.from('x'), TEXT]),
  ],
])('%s', (_, gzip, text) => {
  const budget = new ByteBudget();
  expect(Buffer.from(gunzip(gzip, budget, 'body')).equals(text)).toBe(true);
  expect(budget.used).toBe(text.length);
});

test('zlib', () => {
  const budget = new ByteBudget(TEXT.length);
  expect(Buffer.from(inflate(deflateSync(TEXT), budget, 'body')).equals(TEXT)).toBe(true);
  expect(() => inflate(deflateSync(TEXT), budget, 'body')).toThrow(
    expect.objectContaining({ kind: 'too-large' }),
  );
});

describe('what is refused', () => {
  test.each([
    ['cut in the data', WHOLE.subarray(0, 50)],
    ['cut in the trailer', WHOLE.subarray(0, WHOLE.length - 3)],
    ['the header only', WHOLE.subarray(0, 10)],
    ['nothing', Buffer.alloc(0)],
    ['a wrong checksum', Buffer.concat([WHOLE.subarray(0, -8), Buffer.alloc(8)])],
    ['a forged size', forge(WHOLE, 7)],
    ['no gzip', Buffer.from('{}')],
  ])('%s', (_, gzip) => {
    expect(() => gunzip(gzip, new ByteBudget(), 'body')).toThrow(
      expect.objectContaining({ kind: 'invalid', field: 'body' }),
    );
  });

  const zeros = gzipSync(Buffer.alloc(2 ** 22));
  test.each([
    ['honest', zeros],
    ['with a small size forged', forge(zeros, 1)],
    ['with a size forged within the budget', forge(zeros, 2 ** 19)],
    ['in members', Buffer.concat(Array.from({ length: 9 }, () => gzipSync(Buffer.alloc(2 ** 18))))],
  ])('a bomb, %s', (_, gzip) => {
    expect(() => gunzip(gzip, new ByteBudget(2 ** 20), 'body')).toThrow(
      expect.objectContaining({
        kind: 'too-large',
        limit: expect.stringContaining('MAX_DECOMPRESSED_BYTES'),
      }),
    );
  });

  test('the second of two that only together are too much', () => {
    const budget = new ByteBudget(TEXT.length + 10);
    gunzip(WHOLE, budget, 'body');
    expect(() => gunzip(WHOLE, budget, 'body')).toThrow('too large after decompression');
  });
});
