import { expect, test } from 'vitest';
import { DiskSpace, volumeOf } from './disk-space.ts';

test.each([
  ['a large volume', 2 ** 40, 256 * 2 ** 20, true],
  ['a large volume, nearly full', 2 ** 40, 256 * 2 ** 20 - 1, false],
  ['a small one', 2 ** 29, 32 * 2 ** 20, true],
  ['a small one, nearly full', 2 ** 29, 32 * 2 ** 20 - 1, false],
  ['a tiny one', 1000, 500, true],
  ['a tiny one, nearly full', 1000, 499, false],
])('%s', (_, totalBytes, freeBytes, hasRoom) => {
  const disk = new DiskSpace(() => ({ totalBytes, freeBytes }));
  const check = () => disk.checkRoom();
  if (hasRoom) check();
  else expect(check).toThrow(expect.objectContaining({ kind: 'storage-full' }));
});

test('writes go on as soon as there is room again', () => {
  let freeBytes = 0;
  const disk = new DiskSpace(() => ({ totalBytes: 1000, freeBytes }));
  expect(() => disk.checkRoom()).toThrow('the disk has 0 bytes left');
  freeBytes = 500;
  disk.checkRoom();
});

test('a real volume', () => {
  volumeOf('/').checkRoom();
});
