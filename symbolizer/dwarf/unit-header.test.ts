import { describe, expect, test } from 'vitest';
import { shapedUnit, type UnitShape, u8, u16, u32, u64 } from '../../test/fixtures/dwarf-bytes.ts';
import { viewOf } from './dwarf-file.ts';
import { readUnitHeader, unitEnd } from './unit-header.ts';

const ENTRIES = [1, 2, 3];
const ID = 0x1122334455;

function headerOf(bytes: number[], start = 0) {
  return readUnitHeader(viewOf(Uint8Array.from(bytes)), start);
}

describe('headers', () => {
  test.each<[string, UnitShape, string]>([
    ['DWARF 2', { version: 2 }, 'v2 a8 o4 t1 entries at 11'],
    ['DWARF 3, 64-bit', { version: 3, offsetSize: 8 }, 'v3 a8 o8 t1 entries at 23'],
    ['DWARF 4, addresses of 4', { version: 4, addressSize: 4 }, 'v4 a4 o4 t1 entries at 11'],
    ['DWARF 5', { version: 5 }, 'v5 a8 o4 t1 entries at 12'],
    ['DWARF 5, 64-bit', { version: 5, offsetSize: 8 }, 'v5 a8 o8 t1 entries at 24'],
    ['partial', { version: 5, type: 3 }, 'v5 a8 o4 t3 entries at 12'],
    ['skeleton', { version: 5, type: 4, extra: u64(ID) }, 'v5 a8 o4 t4 entries at 20 id'],
    ['split', { version: 5, type: 5, extra: u64(ID) }, 'v5 a8 o4 t5 entries at 20 id'],
    ['type', { version: 5, type: 2, extra: [...u64(9), ...u32(30)] }, 'v5 a8 o4 t2 entries at 24'],
    [
      'split type, 64-bit',
      { version: 5, type: 6, offsetSize: 8, extra: [...u64(9), ...u64(30)] },
      'v5 a8 o8 t6 entries at 40',
    ],
  ])('%s', (_, shape, expected) => {
    const bytes = [99, ...shapedUnit(shape, ENTRIES, 77), 99];
    const header = headerOf(bytes, 1);
    const { version, addressSize, offsetSize, type, firstEntry, dwoId } = header;
    const id = dwoId === null ? '' : ' id';
    const drawn = `v${version} a${addressSize} o${offsetSize} t${type}`;
    expect(`${drawn} entries at ${firstEntry - 1}${id}`).toBe(expected);
    expect(header).toMatchObject({ start: 1, end: bytes.length - 1, abbrevOffset: 77 });
    expect(dwoId ?? BigInt(ID)).toBe(BigInt(ID));
  });

  const good = shapedUnit({ version: 5, type: 4, extra: u64(ID) }, []);
  test.each<[string, number[], RegExp]>([
    ['version 1', shapedUnit({ version: 1 }, []), /version 1/],
    ['version 6', shapedUnit({ version: 6 }, []), /version 6/],
    ['addresses of 2 bytes', [...u32(7), ...u16(4), ...u32(0), 2], /addresses of 2 bytes/],
    ['a length that leaves the section', [...u32(60), ...u16(4)], /leaves its section/],
    ['a reserved length', [...u32(0xfffffff1), ...u16(4)], /leaves its section/],
    ['a 64-bit length cut off', [...u32(0xffffffff), 1, 0, 0], /leaves its section/],
    ['a length above 2^53', [...u32(0xffffffff), ...u64(2 ** 60), 0], /leaves its section/],
    ['nothing but a length', u32(0), /shorter than its header/],
    ['a version only', [...u32(2), ...u16(4)], /shorter than its header/],
    ['no address size', [...u32(6), ...u16(4), ...u32(0)], /shorter than its header/],
    ['an id cut off', [...u32(12), ...good.slice(4, 16)], /shorter than its header/],
  ])('%s is refused', (_, bytes, message) => {
    expect(() => headerOf(bytes)).toThrow(message);
  });

  test('any cut is refused, and reads nothing behind it', () => {
    for (let length = 0; length < good.length - 4; length++) {
      expect(() => headerOf([...u32(length), ...good.slice(4, 4 + length)])).toThrow();
      expect(() => headerOf(good.slice(0, length))).toThrow();
    }
  });
});

test.each<[string, number[], number]>([
  ['32-bit', u32(16), 20],
  ['64-bit', [...u32(0xffffffff), ...u64(16)], 28],
  ['reserved', u32(0xfffffff0), Number.POSITIVE_INFINITY],
  ['cut', u8(1, 0, 0), Number.POSITIVE_INFINITY],
])('where a unit ends: %s', (_, bytes, end) => {
  expect(unitEnd(viewOf(Uint8Array.from(bytes)), 0)).toBe(end);
});
