import { describe, expect, test } from 'vitest';
import {
  abbreviation,
  inputOf,
  offsetOf,
  PieceList,
  sectionsOf,
  shapedUnit,
  text,
  type UnitShape,
  u8,
  u16,
  u32,
  u64,
  uleb,
  unitOf,
} from '../../test/fixtures/dwarf-bytes.ts';
import { readDwarf } from './dwarf.ts';
import type { DwarfInput, DwarfSections } from './dwarf-input.ts';

const UNIT = 0x11;
const PARTIAL = 0x3c;
const SUBPROGRAM = 0x2e;
const VARIABLE = 0x34;
const At = { name: 3, linkage: 0x6e, origin: 0x31, specification: 0x47, strOffsetsBase: 0x72 };
const Form = { string: 8, strp: 0x0e, refAddr: 0x10, ref4: 0x13, refSig8: 0x20, alt: 0x1f20 };
const CODE: [number, number][] = [
  [0x11, 0x01],
  [0x12, 0x06],
];
const PLACE = [...u64(0x1000), ...u32(16)];

/** The name of the only function with code, and what was counted. */
function read(parts: Partial<Record<keyof DwarfSections, number[]>>, other?: Partial<DwarfInput>) {
  const pieces = new PieceList();
  const report = readDwarf(inputOf(sectionsOf(parts), other), pieces);
  return { name: pieces.pieces[0]?.name, report };
}

describe('a name in every form', () => {
  const STR = [...text('zero'), ...text('name')];
  const NAME = 5;
  const strOffsets = (shape: UnitShape) => [
    ...new Array<number>(shape.offsetSize === 8 ? 16 : 8),
    ...[0, 0, NAME].flatMap((offset) => offsetOf(shape, offset)),
  ];
  const V4: UnitShape = { version: 4 };
  const V5: UnitShape = { version: 5 };
  const WIDE: UnitShape = { version: 5, offsetSize: 8 };
  test.each<[string, UnitShape, number[], number[]]>([
    ['string', V4, [Form.string], text('name')],
    ['strp', V4, [Form.strp], u32(NAME)],
    ['strp, DWARF 2', { version: 2 }, [Form.strp], u32(NAME)],
    ['strp, 64-bit', { version: 3, offsetSize: 8 }, [Form.strp], u64(NAME)],
    ['line_strp', V5, [0x1f], u32(2)],
    ['strx', V5, [0x1a], uleb(2)],
    ['strx, 64-bit', WIDE, [0x1a], uleb(2)],
    ['strx1', V5, [0x25], u8(2)],
    ['strx2', V5, [0x26], u16(2)],
    ['strx3', V5, [0x27], u8(2, 0, 0)],
    ['strx4', V5, [0x28], u32(2)],
    ['indirect', V5, [0x16], [Form.strp, ...u32(NAME)]],
  ])('%s', (_, shape, form, value) => {
    const base = abbreviation(1, UNIT, 1, [At.strOffsetsBase, 0x17]);
    const row = abbreviation(2, SUBPROGRAM, 0, ...CODE, [At.name, form[0] as number]);
    const start = offsetOf(shape, shape.offsetSize === 8 ? 16 : 8);
    const { name, report } = read({
      abbrev: [...base, ...row, 0],
      info: shapedUnit(shape, [1, ...start, 2, ...PLACE, ...value, 0]),
      str: STR,
      lineStr: [0, 0, ...text('name')],
      strOffsets: strOffsets(shape),
    });
    expect([name, report.damagedNames, report.firstProblem]).toEqual(['name', 0, '']);
  });

  test.each<[string, number, number[]]>([
    ['outside of .debug_str', Form.strp, u32(900)],
    ['an index outside of .debug_str_offsets', 0x1a, uleb(77)],
    ['a form of numbers', 0x06, u32(5)],
  ])('%s: none, and counted', (_, form, value) => {
    const row = abbreviation(2, SUBPROGRAM, 0, ...CODE, [At.name, form]);
    const abbrev = [...abbreviation(1, UNIT, 1), ...row, 0];
    const { name, report } = read({
      abbrev,
      info: unitOf([1, 2, ...PLACE, ...value, 0]),
      str: STR,
    });
    expect([name, report.damagedNames, report.functions]).toEqual(['?', 1, 1]);
    expect(report.firstProblem).not.toBe('');
  });
});

/** Rows: 2 = code that refers, 3 = a name, 4 = a linkage name and more, 5 = no function. */
const abbrev = [
  ...abbreviation(1, UNIT, 1),
  ...abbreviation(2, SUBPROGRAM, 0, ...CODE, [At.origin, Form.ref4]),
  ...abbreviation(3, SUBPROGRAM, 0, [At.name, Form.string], [At.specification, Form.ref4]),
  ...abbreviation(4, SUBPROGRAM, 0, [At.linkage, Form.string]),
  ...abbreviation(5, VARIABLE, 0, [At.name, Form.string]),
  ...abbreviation(6, SUBPROGRAM, 0, ...CODE, [At.origin, Form.refAddr]),
  ...abbreviation(7, SUBPROGRAM, 0, ...CODE, [At.origin, Form.alt]),
  ...abbreviation(8, SUBPROGRAM, 0, ...CODE, [At.specification, Form.refSig8]),
  ...abbreviation(9, PARTIAL, 1),
  0,
];

describe('names that are elsewhere', () => {
  const FIRST = 12;
  const NEXT = FIRST + 17;
  const refer = (code: number, to: number) => [code, ...PLACE, ...u32(to)];
  test.each<[string, number[], string, number]>([
    ['its declaration', [...refer(2, NEXT), 4, ...text('_Zx')], '_Zx', 0],
    [
      'the linkage name wins',
      [...refer(2, NEXT), 3, ...text('x'), ...u32(36), 4, ...text('_Zx')],
      '_Zx',
      0,
    ],
    [
      'no linkage name: the first name',
      [...refer(2, NEXT), 3, ...text('x'), ...u32(36), 3, ...text('y'), ...u32(36)],
      'x',
      1,
    ],
    ['damage behind a name leaves it', [...refer(2, NEXT), 3, ...text('x'), ...u32(900)], 'x', 1],
    ['no function', [...refer(2, NEXT), 5, ...text('v')], '?', 1],
    ['another section unit', [...refer(6, NEXT), 4, ...text('_Zx')], '_Zx', 0],
    ['nobody', [...refer(2, NEXT), 3, ...text(''), ...u32(36), 4, ...text('')], '?', 1],
    ['a type unit', [8, ...PLACE, ...u64(7)], '?', 1],
  ])('%s', (_, entries, expected, damaged) => {
    const { name, report } = read({ abbrev, info: unitOf([1, ...entries, 0]) });
    expect([name, report.damagedNames]).toEqual([expected, damaged]);
  });

  test.each<[string, number[]]>([
    ['has no name', [10, ...PLACE]],
    ['refers to one that has none', [...refer(2, NEXT), 11]],
  ])('a function that %s is whole', (_, entries) => {
    const nameless = [
      ...abbreviation(10, SUBPROGRAM, 0, ...CODE),
      ...abbreviation(11, SUBPROGRAM, 0),
      ...abbrev,
    ];
    const { name, report } = read({ abbrev: nameless, info: unitOf([1, ...entries, 0]) });
    expect([name, report.functions, report.damagedNames]).toEqual(['?', 1, 0]);
  });

  test('a unit that only is referred to, before or behind', () => {
    const partial = unitOf([9, 4, ...text('_Zx'), 0]);
    const before = read({ abbrev, info: [...partial, ...unitOf([1, ...refer(6, 12), 0])] });
    const size = unitOf([1, ...refer(6, 0), 0]).length;
    const behind = read({ abbrev, info: [...unitOf([1, ...refer(6, size + 12), 0]), ...partial] });
    expect([before.name, behind.name]).toEqual(['_Zx', '_Zx']);
    expect(before.report).toMatchObject({ units: 1, functions: 1, firstProblem: '' });
  });

  test('the supplementary file, here or not', () => {
    const info = unitOf([1, ...refer(7, 12), 0]);
    const supplementary = sectionsOf({ abbrev, info: unitOf([9, 4, ...text('_Zx'), 0]) });
    expect(read({ abbrev, info }, { supplementary }).name).toBe('_Zx');
    const without = read({ abbrev, info });
    expect([without.name, without.report.missingSupplementary]).toEqual(['?', 1]);
    expect(without.report).toMatchObject({ damagedNames: 0, firstProblem: '' });
  });

  test('a text of the supplementary file, here or not', () => {
    const row = abbreviation(2, SUBPROGRAM, 0, ...CODE, [At.name, 0x1f21]);
    const parts = { abbrev: [...abbreviation(1, UNIT, 1), ...row, 0] };
    const info = unitOf([1, 2, ...PLACE, ...u32(1), 0]);
    const supplementary = sectionsOf({ str: [0, ...text('name')] });
    expect(read({ ...parts, info }, { supplementary }).name).toBe('name');
    const { report } = read({ ...parts, info });
    expect(report).toMatchObject({ missingSupplementary: 1, damagedNames: 0 });
  });

  test('what many refer to is read once', () => {
    const many = Array.from({ length: 1_000 }, () => refer(2, 12)).flat();
    const { report } = read({ abbrev, info: unitOf([1, 4, ...text('_Zx'), ...many, 0]) });
    expect(report).toMatchObject({ functions: 1_000, firstProblem: '' });
    const damaged = Array.from({ length: 1_000 }, () => refer(2, 9_000_000)).flat();
    const counted = read({ abbrev, info: unitOf([1, ...damaged, 0]) }).report;
    expect(counted).toMatchObject({ functions: 1_000, damagedNames: 1 });
  });
});
