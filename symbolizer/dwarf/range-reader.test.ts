import { describe, expect, test } from 'vitest';
import {
  abbreviation,
  addressOf,
  inputOf,
  offsetOf,
  PieceList,
  sectionsOf,
  shapedUnit,
  type UnitShape,
  u8,
  u16,
  u32,
  u64,
  uleb,
} from '../../test/fixtures/dwarf-bytes.ts';
import { readDwarf } from './dwarf.ts';

const UNIT = 0x11;
const SUBPROGRAM = 0x2e;
const At = { low: 0x11, high: 0x12, ranges: 0x55, addrBase: 0x73, rnglistsBase: 0x74 };
const Form = { addr: 1, data2: 5, data4: 6, data8: 7, udata: 0x0f, secOffset: 0x17, addrx: 0x1b };
const RNGLISTX = 0x23;
/** Of the unit; what ranges count from. */
const BASE = 0x1000;
const HEADER = { 4: 12, 8: 20 };

interface Function {
  shape: UnitShape;
  /** Attributes with their forms, and their values. */
  attributes: [attribute: number, form: number][];
  values: number[];
  ranges?: number[];
  rnglists?: number[];
}

/** `1000-1010` for each stretch of the function. */
function read({ shape, attributes, values, ranges = [], rnglists = [] }: Function) {
  const { offsetSize = 4 } = shape;
  const bases: [number, number][] = [
    [At.low, Form.addr],
    [At.addrBase, Form.secOffset],
    [At.rnglistsBase, Form.secOffset],
  ];
  const row = abbreviation(2, SUBPROGRAM, 0, ...attributes);
  const header = HEADER[offsetSize];
  const first = [...addressOf(shape, BASE), ...offsetOf(shape, 8), ...offsetOf(shape, header)];
  const pieces = new PieceList();
  const sections = sectionsOf({
    abbrev: [...abbreviation(1, UNIT, 1, ...bases), ...row, 0],
    info: shapedUnit(shape, [1, ...first, 2, ...values, 0]),
    addr: [
      ...new Array<number>(8),
      ...[0x3000, 0x3010, 0x5000].flatMap((a) => addressOf(shape, a)),
    ],
    ranges,
    rnglists: [...new Array<number>(header), ...rnglists],
  });
  const report = readDwarf(inputOf(sections, { isCode: (address) => address >= BASE }), pieces);
  return { report, drawn: pieces.draw().filter((row) => !row.startsWith(' ')) };
}

const stretches = (what: Function) =>
  read(what)
    .drawn.map((row) => row.replace(/ .*/, ''))
    .join(' ');

const V = (version: number, more: Partial<UnitShape> = {}): UnitShape => ({ version, ...more });

describe('low and high', () => {
  test.each<[string, UnitShape, [number, number], number[], string]>([
    [
      'DWARF 2: an address',
      V(2),
      [Form.addr, Form.addr],
      [...u64(0x2000), ...u64(0x2010)],
      '2000-2010',
    ],
    ['DWARF 4: data2', V(4), [Form.addr, Form.data2], [...u64(0x2000), ...u16(16)], '2000-2010'],
    ['DWARF 4: data8', V(4), [Form.addr, Form.data8], [...u64(0x2000), ...u64(16)], '2000-2010'],
    ['DWARF 4: udata', V(4), [Form.addr, Form.udata], [...u64(0x2000), ...uleb(300)], '2000-212c'],
    ['DWARF 5: addrx', V(5), [Form.addrx, Form.data4], [1, ...u32(16)], '3010-3020'],
    ['DWARF 5: addrx twice', V(5), [Form.addrx, Form.addrx], [0, 1], '3000-3010'],
    ['addrx1', V(5), [0x29, Form.data4], [1, ...u32(16)], '3010-3020'],
    ['addrx2', V(5), [0x2a, Form.data4], [...u16(1), ...u32(16)], '3010-3020'],
    ['addrx3', V(5), [0x2b, Form.data4], [1, 0, 0, ...u32(16)], '3010-3020'],
    ['addrx4', V(5), [0x2c, Form.data4], [...u32(1), ...u32(16)], '3010-3020'],
    ['32-bit', V(5, { addressSize: 4 }), [Form.addrx, Form.data4], [2, ...u32(16)], '5000-5010'],
    [
      '64-bit DWARF',
      V(5, { offsetSize: 8 }),
      [Form.addrx, Form.data4],
      [2, ...u32(1)],
      '5000-5001',
    ],
    ['nothing inside', V(4), [Form.addr, Form.data2], [...u64(0x2000), ...u16(0)], ''],
    ['no code there', V(4), [Form.addr, Form.data2], [...u64(16), ...u16(4)], ''],
  ])('%s', (_, shape, [low, high], values, expected) => {
    const attributes: Function['attributes'] = [
      [At.low, low],
      [At.high, high],
    ];
    expect(stretches({ shape, attributes, values })).toBe(expected);
  });
});

describe('lists of DWARF 2 to 4', () => {
  const list = (shape: UnitShape, ...pairs: [number, number][]) =>
    [...pairs, [0, 0]].flatMap(([low = 0, high = 0]) => [
      ...addressOf(shape, low),
      ...addressOf(shape, high),
    ]);
  const HIGHEST = { 4: 0xffffffff, 8: 2 ** 64 };
  const two: [number, number][] = [
    [0x10, 0x20],
    [0x40, 0x48],
  ];
  test.each<[string, UnitShape, number, string]>([
    ['DWARF 2', V(2), Form.data4, '1010-1020 1040-1048'],
    ['DWARF 3, 64-bit', V(3, { offsetSize: 8 }), Form.data8, '1010-1020 1040-1048'],
    ['DWARF 4', V(4), Form.secOffset, '1010-1020 1040-1048'],
    ['32-bit addresses', V(4, { addressSize: 4 }), Form.secOffset, '1010-1020 1040-1048'],
  ])('%s', (_, shape, form, expected) => {
    const offset = [...list(shape, [1, 2]), ...list(shape, ...two)];
    const values = offsetOf(shape, list(shape, [1, 2]).length);
    const what: Function = { shape, attributes: [[At.ranges, form]], values, ranges: offset };
    expect(stretches(what)).toBe(expected);
  });

  test.each([4, 8] as const)('another base, addresses of %i bytes', (addressSize) => {
    const shape = V(4, { addressSize });
    const highest = addressSize === 8 ? u64(0xffffffff).fill(0xff) : u32(HIGHEST[4]);
    const ranges = [
      ...[...addressOf(shape, 1), ...addressOf(shape, 2)],
      ...[...highest, ...addressOf(shape, 0x7000)],
      ...list(shape, ...two),
    ];
    const what: Function = {
      shape,
      attributes: [[At.ranges, Form.secOffset]],
      values: u32(0),
      ranges,
    };
    expect(stretches(what)).toBe('1001-1002 7010-7020 7040-7048');
  });

  test.each<[string, number, number[]]>([
    ['outside of the section', 900, []],
    ['without an end', 0, [...u64(0x10), ...u64(0x20)]],
  ])('%s: what was read stays, the rest is counted', (_, offset, ranges) => {
    const attributes: Function['attributes'] = [[At.ranges, Form.secOffset]];
    const { report, drawn } = read({ shape: V(4), attributes, values: u32(offset), ranges });
    expect(drawn.length).toBe(ranges.length === 0 ? 0 : 1);
    expect(report).toMatchObject({ damagedRanges: 1, unitsDamaged: 0, firstProblem: /range list/ });
  });
});

describe('lists of DWARF 5', () => {
  const a = u64;
  const LISTS: [string, number[], string][] = [
    ['offset_pair', [4, 0x10, 0x20], '1010-1020'],
    ['base_addressx', [1, 2, 4, 0x10, 0x20], '5010-5020'],
    ['startx_endx', [2, 0, 1], '3000-3010'],
    ['startx_length', [3, 1, 0x08], '3010-3018'],
    ['base_address', [5, ...a(0x8000), 4, 0, 4], '8000-8004'],
    ['start_end', [6, ...a(0x8000), ...a(0x8008)], '8000-8008'],
    ['start_length', [7, ...a(0x8000), ...uleb(0x100)], '8000-8100'],
    [
      'more than one',
      [4, 0x10, 0x20, 7, ...a(0x2000), 1, 4, 0x40, 0x41],
      '1010-1020 1040-1041 2000-2001',
    ],
    ['nothing', [], ''],
  ];
  test.each(LISTS)('%s', (_, list, expected) => {
    const rnglists = [...list, 0];
    const shape = V(5);
    const at = offsetOf(shape, HEADER[4]);
    const attributes: Function['attributes'] = [[At.ranges, Form.secOffset]];
    expect(stretches({ shape, attributes, values: at, rnglists })).toBe(expected);
  });

  test.each([4, 8] as const)('by their index, offsets of %i bytes', (offsetSize) => {
    const shape = V(5, { offsetSize });
    // Two offsets, then the lists: offsets count from the table.
    const table = [...offsetOf(shape, 2 * offsetSize), ...offsetOf(shape, 2 * offsetSize + 4)];
    const rnglists = [...table, ...[4, 0, 1, 0], ...[4, 0x10, 0x20, 0]];
    const what: Function = { shape, attributes: [[At.ranges, RNGLISTX]], values: [1], rnglists };
    expect(stretches(what)).toBe('1010-1020');
  });

  test.each<[string, number, number[], string]>([
    ['an unknown kind', Form.secOffset, [4, 0, 1, 9], '1000-1001'],
    ['no end', Form.secOffset, [4, 0, 1, 4], '1000-1001'],
    ['an address cut off', Form.secOffset, [4, 0, 1, 6, ...u32(0)], '1000-1001'],
    ['an index outside .debug_addr', Form.secOffset, [4, 0, 1, 3, 77, 1, 0], '1000-1001'],
    ['an offset below 0', 0x0d, [4, 0, 1, 0], ''],
    ['no such list', RNGLISTX, [4, 0, 1, 0], ''],
  ])('%s: what was read stays, the rest is counted', (_, form, rnglists, expected) => {
    const byte = { [RNGLISTX]: 99, 13: 0x7f }[form];
    const values = byte === undefined ? u32(HEADER[4]) : u8(byte);
    const what: Function = { shape: V(5), attributes: [[At.ranges, form]], values, rnglists };
    expect(stretches(what)).toBe(expected);
    expect(read(what).report).toMatchObject({ damagedRanges: 1, unitsDamaged: 0 });
  });

  test('ranges that are no code are counted', () => {
    const rnglists = [7, ...a(8), 4, 6, ...a(0x3000), ...a(0x2000), 7, ...a(0x2000), 0, 0];
    const attributes: Function['attributes'] = [[At.ranges, Form.secOffset]];
    const { report, drawn } = read({ shape: V(5), attributes, values: u32(HEADER[4]), rnglists });
    expect([drawn, report.droppedRanges, report.damagedRanges]).toEqual([[], 2, 0]);
  });
});
