import { appendFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EverflameError } from '../../profile/errors.ts';
import { MAX_PERF_MAP_ENTRIES, MAX_STRING_BYTES } from '../../profile/limits.ts';
import { PerfMap } from './perf-map.ts';
import { PerfMapFile } from './perf-map-file.ts';

function mapOf(text: string): PerfMap {
  const map = new PerfMap();
  map.append(Buffer.from(text));
  return map;
}

/** Draws which function covers each address: one letter each, `.` where none does. */
function draw(map: PerfMap, from: number, to: number): string {
  let picture = '';
  for (let address = from; address < to; address++) picture += map.lookup(address) ?? '.';
  return picture;
}

describe('overlaps: the later entry is true', () => {
  test.each([
    ['apart', '0 4 a\n6 2 b\n', 'aaaa..bb..'],
    ['on top', '0 8 a\n2 3 b\n', 'aabbbaaa..'],
    ['under', '2 3 b\n0 8 a\n', 'aaaaaaaa..'],
    ['across', '0 5 a\n3 5 b\n', 'aaabbbbb..'],
    ['the same place again', '0 4 a\n0 4 b\n0 2 c\n', 'ccbb......'],
    ['size zero covers nothing', '0 4 a\n1 0 b\n', 'aaaa......'],
    ['three deep', '0 9 a\n1 7 b\n2 2 c\n3 4 d\n', 'abcddddba.'],
  ])('%s', (_, text, picture) => {
    expect(draw(mapOf(text), 0, 10)).toBe(picture);
  });
});

test('names keep their blanks; addresses may have 0x', () => {
  const map = mapOf('0x7f0000001000 20 LazyCompile:*inner loop /srv/app.js:10\n');
  expect(map.lookup(0x7f000000101f)).toBe('LazyCompile:*inner loop /srv/app.js:10');
  expect(map.lookup(0x7f0000001020)).toBeNull();
});

test('lines that are no entry are counted', () => {
  const map = mapOf('nonsense\n\n12 zz name\n10 4\n10 4 \nffffffffffffffff 4 high\n10 4 ok\n');
  expect([map.count, map.malformedLines]).toEqual([1, 6]);
});

test('a line that is too long is none, wherever it is cut', () => {
  const text = Buffer.from(`10 4 a\n20 4 ${'x'.repeat(MAX_STRING_BYTES + 9)}30 4 b\n40 4 c\n`);
  for (const cut of [0, 1, 9, MAX_STRING_BYTES + 16, text.length - 12]) {
    const map = new PerfMap();
    for (const part of [text.subarray(0, cut), text.subarray(cut, -8), text.subarray(-8)]) {
      map.append(part);
    }
    expect([0x10, 0x30, 0x40].map((address) => map.lookup(address))).toEqual(['a', null, 'c']);
    expect([map.count, map.malformedLines]).toEqual([2, 1]);
  }
});

test('any split of the file, sorted or not, gives what painting in order gives', () => {
  const entry = fc.tuple(fc.nat(60), fc.nat(20), fc.constantFrom(...'abcdefgh'));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), fc.nat(400), (entries, cut) => {
      const painted = Array.from({ length: 90 }, () => '.');
      for (const [start, size, name] of entries) painted.fill(name, start, start + size);
      const lines = entries.map(([s, n, name]) => `${s.toString(16)} ${n.toString(16)} ${name}\n`);
      const text = Buffer.from(lines.join(''));
      const map = new PerfMap();
      map.append(text.subarray(0, cut));
      map.append(text.subarray(cut));
      expect(draw(map, 0, 90)).toBe(painted.join(''));
      // 1,100 more entries elsewhere push these into the sorted ranges.
      map.append(Buffer.from(Array.from({ length: 1100 }, () => 'f000 4 z\n').join('')));
      expect(map.lookup(0xf000)).toBe('z');
      expect(draw(map, 0, 90)).toBe(painted.join(''));
    }),
    { seed: 7, numRuns: 100 },
  );
});

test('a full map forgets its oldest entries and counts them', () => {
  const map = new PerfMap();
  for (let i = 0; i <= MAX_PERF_MAP_ENTRIES; i += 1000) {
    const lines = Array.from(
      { length: 1000 },
      (_, k) => `${((i + k) * 16).toString(16)} 10 f${i + k}\n`,
    );
    map.append(Buffer.from(lines.join('')));
  }
  expect(map.droppedEntries).toBe(MAX_PERF_MAP_ENTRIES / 2);
  expect(map.lookup(16)).toBeNull();
  expect(map.lookup(MAX_PERF_MAP_ENTRIES * 16 + 5)).toBe(`f${MAX_PERF_MAP_ENTRIES}`);
  expect(map.lookup(MAX_PERF_MAP_ENTRIES * 8 + 5)).toBe(`f${MAX_PERF_MAP_ENTRIES / 2}`);
});

describe('the file', () => {
  const uid = process.getuid?.() ?? 0;
  let directory = '';
  let path = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'perf-map-'));
    path = join(directory, 'perf-1.map');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('is followed as it grows and begun anew when it is cut', () => {
    writeFileSync(path, '10 10 a\n20 1');
    const file = new PerfMapFile(path, uid);
    expect(file.refresh()).toBe(false);
    expect([file.map.lookup(0x18), file.map.lookup(0x28)]).toEqual(['a', null]);
    appendFileSync(path, '0 b\n');
    file.refresh();
    expect([file.map.lookup(0x18), file.map.lookup(0x28)]).toEqual(['a', 'b']);
    writeFileSync(path, '10 10 c\n');
    file.refresh();
    expect([file.map.lookup(0x18), file.map.lookup(0x28)]).toEqual(['c', null]);
  });

  test('of another user is refused, and so is a link', () => {
    writeFileSync(path, '10 10 a\n');
    const link = join(directory, 'perf-2.map');
    symlinkSync(path, link);
    expect(() => new PerfMapFile(link, uid).refresh()).toThrow(/ELOOP/);
    if (uid === 0) return; // Root's own files are taken for everyone.
    expect(() => new PerfMapFile(path, uid + 1).refresh()).toThrow(EverflameError);
  });
});
