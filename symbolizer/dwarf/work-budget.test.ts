import { describe, expect, test } from 'vitest';
import {
  abbreviation,
  inputOf,
  sectionsOf,
  text,
  u8,
  u16,
  u32,
  u64,
  uleb,
  unitOf,
} from '../../test/fixtures/dwarf-bytes.ts';
import type { CodeSink, TextId, Texts } from '../code-piece.ts';
import { readDwarf } from './dwarf.ts';
import type { DwarfReport, DwarfSections } from './dwarf-input.ts';

const UNIT = 0x11;
const SUBPROGRAM = 0x2e;
const INLINED = 0x1d;
const CODE = 0x1000;

/** Counts what it is given. */
class Meter implements CodeSink {
  pieces = 0;
  rows = 0;
  nodes = 0;
  textBytes = 0;
  readonly texts: Texts = {
    intern: (_, start, end) => {
      this.textBytes += end - start;
      return 0 as TextId;
    },
    internText: () => 0 as TextId,
  };

  add({ rowCount, nodeCount }: { rowCount: number; nodeCount: number }): void {
    this.pieces++;
    this.rows += rowCount;
    this.nodes += nodeCount;
  }
}

interface Measured {
  report: DwarfReport;
  meter: Meter;
  inputBytes: number;
}

function measure(parts: Partial<Record<keyof DwarfSections, number[]>>): Measured {
  const sections = sectionsOf(parts);
  const meter = new Meter();
  const report = readDwarf(inputOf(sections), meter);
  const inputBytes = Object.values(sections).reduce((sum, { length }) => sum + length, 0);
  return { report, meter, inputBytes };
}

const times = (count: number, part: (i: number) => number[]): number[] => {
  const bytes: number[] = [];
  for (let i = 0; i < count; i++) for (const byte of part(i)) bytes.push(byte);
  return bytes;
};

const unitRow = abbreviation(1, UNIT, 1);
const named = abbreviation(2, SUBPROGRAM, 0, [0x03, 0x0e], [0x11, 0x01], [0x12, 0x06]);
const ranged = abbreviation(3, SUBPROGRAM, 0, [0x55, 0x17]);
const outer = abbreviation(4, SUBPROGRAM, 1, [0x11, 0x01], [0x12, 0x06]);
const deeper = abbreviation(5, INLINED, 1, [0x31, 0x13], [0x11, 0x01], [0x12, 0x06]);
const referring = abbreviation(6, SUBPROGRAM, 0, [0x31, 0x13], [0x11, 0x01], [0x12, 0x06]);
const lined = abbreviation(7, UNIT, 0, [0x10, 0x17]);
const abbrev = [...unitRow, ...named, ...ranged, ...outer, ...deeper, ...referring, ...lined, 0];

/** What refers to much again and again. Without a bound each is a hundred million steps or more. */
const AMPLIFIERS: Record<string, () => Partial<Record<keyof DwarfSections, number[]>>> = {
  'one range list for all functions': () => ({
    abbrev,
    info: unitOf([1, ...times(20_000, () => [3, ...u32(0)]), 0]),
    ranges: [
      ...times(20_000, (i) => [...u64(CODE + 2 * i), ...u64(CODE + 2 * i + 1)]),
      ...u64(0),
      ...u64(0),
    ],
  }),
  'names that are each other, one byte later': () => ({
    abbrev,
    info: unitOf([1, ...times(60_000, (i) => [2, ...u32(i), ...u64(CODE + i), ...u32(1)]), 0]),
    str: [...times(60_000, () => [65]), 0],
  }),
  'tables of abbreviations that begin one row later': () => {
    const row = abbreviation(9, SUBPROGRAM, 0);
    return {
      abbrev: [...times(20_000, () => row), 0],
      info: times(20_000, (i) => unitOf([1, 0], i * row.length)),
    };
  },
  'one line program for all units': () => ({
    abbrev,
    info: times(20_000, () => unitOf([7, ...u32(0)])),
    line: lineProgram(times(40_000, () => [0x4c])),
  }),
  'calls inside each other, cut by as many lines': () => ({
    abbrev: [...abbreviation(1, UNIT, 1, [0x10, 0x17]), ...outer, ...deeper, 0],
    info: unitOf([
      ...[1, ...u32(0), 4, ...u64(CODE), ...u32(40_000)],
      ...times(4_000, () => [5, ...u32(12), ...u64(CODE), ...u32(40_000)]),
    ]),
    line: lineProgram(times(40_000, () => [0x4c])),
  }),
};

/** DWARF 4; special opcodes move on by a byte and a line. */
function lineProgram(opcodes: number[]): number[] {
  const lengths = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
  const tables = [1, 1, 1, 0xfb, 14, 13, ...lengths, 0, ...text('a.c'), 0, 0, 0, 0];
  const start = [0, 9, 2, ...u64(CODE)];
  const body = [...u16(4), ...u32(tables.length), ...tables, ...start, ...opcodes, 0, 1, 1];
  return [...u32(body.length), ...body];
}

describe('work and output are bounded by the input', () => {
  test.each(Object.entries(AMPLIFIERS))('%s', (_, parts) => {
    const { meter, inputBytes } = measure(parts());
    const most = 2 ** 20 + 8 * inputBytes;
    expect(meter.textBytes).toBeLessThanOrEqual(most);
    expect(meter.pieces + meter.rows + meter.nodes).toBeLessThanOrEqual(most);
  });

  test.each(['one range list for all functions', 'names that are each other, one byte later'])(
    '%s: it says that it gave up',
    (name) => {
      const { report } = measure(AMPLIFIERS[name]?.() ?? {});
      expect(report).toMatchObject({ unitsDamaged: 1, firstProblem: /refers to itself too often/ });
    },
  );

  test('units that only follow one that gave up are counted', () => {
    const list = AMPLIFIERS['one range list for all functions']?.() ?? {};
    const info = [...(list.info ?? []), ...unitOf([1, 0]), ...unitOf([1, 0])];
    expect(measure({ ...list, info }).report).toMatchObject({ units: 1, unitsDamaged: 3 });
  });
});

describe('entries', () => {
  const function_ = (code: number, reference: number) => [
    ...[code, ...u32(reference), ...u64(CODE), ...u32(16)],
  ];

  test.each<[string, number[], number]>([
    // The first entry is at 11, the functions at 12, 29, ...
    ['that refer to themselves', function_(6, 12), 1],
    ['that refer to each other', [...function_(6, 29), ...function_(6, 12)], 2],
    ['that refer to the unit', function_(6, 11), 1],
    ['that refer to nothing', function_(6, 900), 1],
    ['that refer 17 entries on', times(17, (i) => function_(6, 29 + 17 * i)), 17],
  ])('%s have no name, and it is counted', (_, functions, count) => {
    const { report } = measure({ abbrev, info: unitOf([1, ...functions, 0]) });
    expect(report).toMatchObject({ functions: functions.length / 17, unitsDamaged: 0 });
    expect(report.damagedNames).toBeGreaterThanOrEqual(1);
    expect(report.damagedNames).toBeLessThanOrEqual(count);
    expect(report.firstProblem).not.toBe('');
  });

  test('inside each other without end cost their unit, not the next', () => {
    const deep = unitOf([1, ...times(5_000, () => [4, ...u64(CODE), ...u32(1)])]);
    const next = unitOf([1, 2, ...u32(0), ...u64(2 * CODE), ...u32(1), 0]);
    const { report } = measure({ abbrev, info: [...deep, ...next], str: text('next') });
    expect(report).toMatchObject({ units: 2, unitsDamaged: 1, firstProblem: /MAX_ENTRY_DEPTH/ });
    expect(report.functions).toBe(4_096 + 1);
  });

  test('with forms that name forms cost their unit, not the next', () => {
    const rows = [...unitRow, ...abbreviation(2, SUBPROGRAM, 0, [0x03, 0x16]), 0];
    const chain = unitOf([1, 2, ...times(100, () => [0x16]), 0x08, ...text('x'), 0]);
    const good = unitOf([1, 2, 0x08, ...text('y'), 0]);
    const { report } = measure({ abbrev: rows, info: [...chain, ...good] });
    expect(report).toMatchObject({ units: 2, unitsDamaged: 1, firstProblem: /indirect form/ });
  });

  test('behind the last one are damage, zeros are not', () => {
    const first = [2, ...u32(0), ...u64(CODE), ...u32(16)];
    const read = (rest: number[]) =>
      measure({ abbrev, info: unitOf([1, ...first, 0, ...rest]), str: text('first') }).report;
    expect(read([0, 0, 0, 0])).toMatchObject({ functions: 1, unitsDamaged: 0, firstProblem: '' });
    expect(read([0, 0, ...first])).toMatchObject({ functions: 1, unitsDamaged: 1 });
  });

  test('before damage stay', () => {
    const first = [2, ...u32(0), ...u64(CODE), ...u32(16)];
    const { report } = measure({ abbrev, info: unitOf([1, ...first, 99]), str: text('first') });
    expect(report).toMatchObject({ functions: 1, unitsDamaged: 1 });
  });
});

test('zeros between units are padding, anything else is damage', () => {
  const unit = unitOf([1, 0]);
  const padded = measure({ abbrev, info: [...unit, ...u32(0), ...u32(0), ...unit, ...u32(0)] });
  expect(padded.report).toMatchObject({ units: 2, unitsDamaged: 0, firstProblem: '' });
  const cut = measure({ abbrev, info: [...unit, ...u32(400), ...u8(1, 2), ...uleb(300)] });
  expect(cut.report).toMatchObject({ units: 1, unitsDamaged: 1, firstProblem: /no unit begins/ });
});
