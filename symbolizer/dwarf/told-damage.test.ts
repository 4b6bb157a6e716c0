/** What cannot be right is told, and nothing is made up in its place. */
import { describe, expect, test } from 'vitest';
import {
  abbreviation,
  inputOf,
  PieceList,
  sectionsOf,
  text,
  u16,
  u32,
  u64,
  uleb,
  unitOf,
} from '../../test/fixtures/dwarf-bytes.ts';
import { readDwarf } from './dwarf.ts';
import type { DwarfInput, SplitUnit } from './dwarf-input.ts';

const Tag = { unit: 0x11, inlined: 0x1d, subprogram: 0x2e } as const;
const At = {
  ...{ name: 0x03, stmtList: 0x10, low: 0x11, high: 0x12, origin: 0x31, ranges: 0x55 },
  ...{ callFile: 0x58, callLine: 0x59, dwoId: 0x2131 },
} as const;
const Form = {
  ...{ addr: 0x01, data4: 0x06, data8: 0x07, string: 0x08, block1: 0x0a, udata: 0x0f },
  ...{ refAddr: 0x10, ref4: 0x13, indirect: 0x16, secOffset: 0x17, exprloc: 0x18 },
} as const;
const ID = 0x1122334455;

/** A line program of version 4 with one directory and a file; `ops` are its opcodes. */
function lineProgram(directoryOfFile: number, ops: number[]): number[] {
  const tables = [...text('dir'), 0, ...text('a.c'), directoryOfFile, 0, 0, 0];
  const header = [1, 1, 1, 0xfb, 14, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1, ...tables];
  const body = [...u16(4), ...u32(header.length), ...header, ...ops];
  return [...u32(body.length), ...body];
}
/** 16 bytes at 0x1000. */
const ROWS = [0, 9, 2, ...u64(0x1000), 1, 2, 16, 0, 1, 1];

function read(parts: Parameters<typeof sectionsOf>[0], other: Partial<DwarfInput> = {}) {
  const pieces = new PieceList();
  return { report: readDwarf(inputOf(sectionsOf(parts), other), pieces), drawn: pieces.draw() };
}

describe('forms that an attribute cannot have', () => {
  // As an expression has them: a length and bytes.
  const EXPRESSION = [1, 0x9c];
  const LIST = [...u64(0x2000), ...u64(0x2010), ...u64(0), ...u64(0)];

  test.each<[string, [number, number][], number[]]>([
    ['DW_AT_ranges', [[At.ranges, Form.exprloc]], EXPRESSION],
    [
      'DW_AT_low_pc',
      [
        [At.low, Form.block1],
        [At.high, Form.data4],
      ],
      [...EXPRESSION, ...u32(16)],
    ],
    [
      'DW_AT_high_pc',
      [
        [At.low, Form.addr],
        [At.high, Form.exprloc],
      ],
      [...u64(0x2000), ...EXPRESSION],
    ],
  ])('%s of a function', (_, attributes, values) => {
    const { report, drawn } = read({
      abbrev: [
        ...abbreviation(1, Tag.unit, 1),
        ...abbreviation(2, Tag.subprogram, 0, [At.name, Form.string], ...attributes),
        0,
      ],
      info: unitOf([1, 2, ...text('f'), ...values, 0]),
      ranges: LIST,
    });
    expect(report).toMatchObject({ damagedRanges: 1, droppedRanges: 0, functions: 0 });
    expect(report.firstProblem).toMatch(/has form/);
    expect(drawn).toEqual([]);
  });

  test.each([
    ['DW_AT_low_pc', At.low],
    ['DW_AT_stmt_list', At.stmtList],
  ])('%s of a unit', (_, attribute) => {
    const { report } = read({
      abbrev: [...abbreviation(1, Tag.unit, 0, [attribute, Form.exprloc]), 0],
      info: unitOf([1, ...EXPRESSION]),
      line: lineProgram(1, ROWS),
    });
    expect(report).toMatchObject({ unitsDamaged: 1, lines: { programs: 0 } });
  });
});

test.each([
  ['a line of 32 bits', [1, ...u32(0x80000007)], { damagedLines: 1, unknownFiles: 0 }],
  ['a file of 32 bits', [...uleb(0xffffffff), ...u32(7)], { damagedLines: 0, unknownFiles: 1 }],
  ['both as they should be', [1, ...u32(7)], { damagedLines: 0, unknownFiles: 0 }],
])('where a call is: %s', (_, place, expected) => {
  const range = [
    [At.low, Form.addr],
    [At.high, Form.data4],
  ] as const;
  const call = [
    [At.callFile, Form.udata],
    [At.callLine, Form.data4],
  ] as const;
  const name = [At.name, Form.string] as const;
  const at = [...u64(0x1000), ...u32(16)];
  const { report, drawn } = read({
    abbrev: [
      ...abbreviation(1, Tag.unit, 1, [At.stmtList, Form.secOffset]),
      ...abbreviation(2, Tag.subprogram, 1, name, ...range),
      ...abbreviation(3, Tag.inlined, 0, name, ...range, ...call),
      0,
    ],
    info: unitOf([
      1,
      ...u32(0),
      2,
      ...text('outer'),
      ...at,
      3,
      ...text('in'),
      ...at,
      ...place,
      0,
      0,
    ]),
    line: lineProgram(1, ROWS),
  });
  const line = expected.damagedLines === 0 ? 7 : 0;
  expect(drawn).toEqual(['1000-1010 outer', `  1000 in(${line}) < outer dir/a.c:1`]);
  expect(report.lines).toMatchObject(expected);
});

test('a directory that is not in the table', () => {
  const { report, drawn } = read({
    abbrev: [...abbreviation(1, Tag.unit, 0, [At.stmtList, Form.secOffset]), 0],
    info: unitOf([1, ...u32(0)]),
    line: lineProgram(9, ROWS),
  });
  expect(drawn).toEqual(['1000-1010 ?', '  1000 ? a.c:1']);
  expect(report.lines.unknownFiles).toBe(1);
});

describe('split units', () => {
  /** A skeleton with a line program of these opcodes. */
  const skeleton = (idForm: number[], ops: number[]) => ({
    abbrev: [
      ...abbreviation(
        1,
        Tag.unit,
        0,
        [At.stmtList, Form.secOffset],
        [At.dwoId, idForm[0] as number],
      ),
      0,
    ],
    info: unitOf([1, ...u32(0), ...idForm.slice(1), ...u64(ID)]),
    line: lineProgram(1, ops),
  });

  test.each<[string, number[], number]>([
    ['code', ROWS, 1],
    ['data alone', [], 0],
  ])('one with %s is not here', (_, ops, unitsWithoutSplit) => {
    expect(read(skeleton([Form.data8], ops)).report).toMatchObject({ units: 1, unitsWithoutSplit });
  });

  test('an id of an indirect form', () => {
    const asked: bigint[] = [];
    const findSplit = (id: bigint) => {
      asked.push(id);
      return null;
    };
    read(skeleton([Form.indirect, Form.data8], ROWS), { findSplit });
    expect(asked).toEqual([BigInt(ID)]);
  });

  /** Two units with abbreviations of their own; `f` of the second refers to the first. */
  const first = unitOf([1, 2, ...text('name'), 0]);
  const second = (reference: number) =>
    unitOf([1, 2, ...u64(0x1000), ...u32(16), ...u32(reference), 3, ...text('own'), 0]);
  const tables = [
    [
      ...abbreviation(1, Tag.unit, 1),
      ...abbreviation(2, Tag.subprogram, 0, [At.name, Form.string]),
      0,
    ],
    (form: number) => [
      ...abbreviation(1, Tag.unit, 1),
      ...abbreviation(
        2,
        Tag.subprogram,
        0,
        [At.low, Form.addr],
        [At.high, Form.data4],
        [At.origin, form],
      ),
      ...abbreviation(3, Tag.subprogram, 0, [At.name, Form.string]),
      0,
    ],
  ] as const;

  test.each<[string, number, (own: number) => number, string, number]>([
    ['within the unit', Form.ref4, (own) => own, 'own', 0],
    // 12: behind the header and the first entry of the first unit.
    ['to another one, by an offset in what was one file', Form.refAddr, () => 12, '?', 1],
    ['that leaves the unit', Form.ref4, () => 0xffffffff, '?', 1],
  ])('of a package: a reference %s', (_, form, reference, name, damagedNames) => {
    const own = second(0).length - 6;
    const sections = sectionsOf({
      abbrev: [...tables[0], ...tables[1](form)],
      info: [...first, ...second(reference(own))],
    });
    const split: SplitUnit = {
      ...{ sections, infoOffset: first.length, abbrevOffset: tables[0].length },
      ...{ strOffsetsOffset: 0, rnglistsOffset: 0, isPacked: true },
    };
    const { report, drawn } = read(skeleton([Form.data8], []), { findSplit: () => split });
    expect(drawn).toEqual([`1000-1010 ${name}`, `  1000 ${name} ?:0`]);
    expect(report).toMatchObject({ damagedNames, unitsWithoutSplit: 0 });
  });
});
