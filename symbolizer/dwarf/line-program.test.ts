import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_TEXT, type TextId, type Texts } from '../code-piece.ts';
import { openByteSource } from '../elf/byte-reader.ts';
import { openElfFile } from '../elf/elf-file.ts';
import type { DwarfSections } from './dwarf-input.ts';
import { LineProgramReader, type LineTable, type LineUnit } from './line-program.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'line-program-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

class TextList implements Texts {
  readonly list: string[] = [];
  intern(bytes: Uint8Array, start: number, end: number): TextId {
    return this.internText(Buffer.from(bytes.subarray(start, end)).toString());
  }
  internText(text: string): TextId {
    const known = this.list.indexOf(text);
    return (known >= 0 ? known : this.list.push(text) - 1) as TextId;
  }
}

const NONE = new Uint8Array(0);

function sectionsWith(sections: Partial<DwarfSections>): DwarfSections {
  return {
    info: NONE,
    abbrev: NONE,
    str: NONE,
    lineStr: NONE,
    line: NONE,
    strOffsets: NONE,
    addr: NONE,
    ranges: NONE,
    rnglists: NONE,
    ...sections,
  };
}

function unitAt(offset: number, compDir = '/build'): LineUnit {
  return { offset, compDir: Buffer.from(compDir), strOffsetsBase: 0 };
}

/** Rows as text: `10 /build/a.c:3`, `14 end`. */
function draw(table: LineTable | null, texts: TextList): string[] {
  if (table === null) return ['unreadable'];
  const rows: string[] = [];
  for (let row = 0; row < table.count; row++) {
    const file = table.file[row] === NO_TEXT ? '?' : texts.list[table.file[row] as number];
    const place = table.end[row] === 1 ? 'end' : `${file}:${table.line[row]}`;
    rows.push(`${(table.address[row] as number).toString(16)} ${place}`);
  }
  return rows;
}

describe('compilers', () => {
  const source = [
    'static inline int twice(int x) { return x + x; }',
    '#line 100 "part.h"',
    'int helper(int x) { int y = twice(x);',
    '  while (y > 3) y = y / 2 + twice(y & 1);',
    '  return y; }',
    '#line 7 "/absolute/other.c"',
    'int main(int argc, char **argv) { return helper(argc) + twice(argc); }',
  ].join('\n');

  test.each([
    ['gcc', '-gdwarf-2', '-O2', '-gno-variable-location-views'],
    ['gcc', '-gdwarf-3', '-O2'],
    ['gcc', '-gdwarf-4', '-O2', '-ffunction-sections'],
    ['gcc', '-gdwarf-5', '-O2', '-ffunction-sections'],
    ['gcc', '-gdwarf-5', '-gdwarf64', '-O0'],
    ['clang', '-gdwarf-2', '-O2'],
    ['clang', '-gdwarf-4', '-O2', '-ffunction-sections'],
    ['clang', '-gdwarf-5', '-O0'],
  ])('%s %s %s: rows as readelf has them', (compiler, ...options) => {
    const name = [compiler, ...options].join('');
    writeFileSync(join(directory, 'main.c'), source);
    const cwd = directory;
    execFileSync(compiler, [...options, '-o', name, 'main.c'], { cwd, stdio: 'pipe' });
    const { texts, table } = readWhole(join(directory, name));
    expect(draw(table, texts)).toEqual(sorted(readelfRows(name)));
  });

  /** A sequence's end comes before the next one's start. */
  function sorted(rows: readonly string[]): string[] {
    return rows.toSorted((a, b) => Number.parseInt(a, 16) - Number.parseInt(b, 16));
  }

  /** What readelf decodes; of rows with one address the last one. */
  function readelfRows(name: string): string[] {
    const options = { cwd: directory, env: { ...process.env, LC_ALL: 'C' } };
    const text = execFileSync('readelf', ['-W', '--debug-dump=decodedline', name], options);
    const rows: string[] = [];
    for (const line of text.toString().split('\n')) {
      const [, base, number, address] = /^(\S+) +(\d+|-) +(?:0x([0-9a-f]+))/.exec(line) ?? [];
      if (base === undefined || address === undefined) continue;
      const path = { 'part.h': 'part.h', 'other.c': '/absolute/other.c' }[base] ?? base;
      const joined = path.startsWith('/') ? path : join(directory, path);
      const row = `${address} ${number === '-' ? 'end' : `${joined}:${number}`}`;
      if (rows.at(-1)?.startsWith(`${address} `) && !rows.at(-1)?.endsWith(' end')) rows.pop();
      rows.push(row);
    }
    return rows;
  }

  function readWhole(path: string) {
    const source = openByteSource(path);
    const elf = openElfFile(source);
    const bytes = (name: string) => {
      const section = elf.section(name);
      return section === undefined ? NONE : source.read(section.offset, section.size);
    };
    const lineStr = bytes('.debug_line_str');
    const sections = sectionsWith({ line: bytes('.debug_line'), lineStr });
    source.close();
    const texts = new TextList();
    const reader = new LineProgramReader(sections, texts, (address) => address > 0);
    return { texts, table: reader.read(unitAt(0, directory)) };
  }
});

/** A line program of version 2 with opcode base 10; `ops` are its opcodes. */
function program(ops: readonly number[], files = ['a.c', 'b.c']): Uint8Array {
  const names = files.flatMap((file) => [...Buffer.from(`${file}\0`), 0, 0, 0]);
  const header = [1, 1, 0xfb, 14, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, ...names, 0];
  const body = [2, 0, ...u32(header.length), ...header, ...ops];
  return Uint8Array.from([...u32(body.length), ...body]);
}

function u32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

const setAddress = (address: number) => [0, 5, 2, ...u32(address)];
const COPY = [1];
const pc = (bytes: number) => [2, bytes];
const line = (lines: number) => [3, lines];
const file = (index: number) => [4, index];
const END = [0, 1, 1];

describe('semantics', () => {
  test.each<[string, number[][], string[]]>([
    [
      'the last of equal addresses holds',
      [setAddress(0x10), COPY, line(4), COPY, pc(4), COPY, END],
      ['10 /build/a.c:5', '14 end'],
    ],
    [
      'special opcodes',
      // Opcode 10 + 14 * 2 + 6: two instructions and one line on.
      [setAddress(0x10), COPY, [44], pc(1), END],
      ['10 /build/a.c:1', '12 /build/a.c:2', '13 end'],
    ],
    ['DW_LNS_const_add_pc', [setAddress(0x10), COPY, [8], END], ['10 /build/a.c:1', '21 end']],
    [
      'DW_LNS_fixed_advance_pc',
      [setAddress(0x10), COPY, [9, 0x34, 0x12], END],
      ['10 /build/a.c:1', '1244 end'],
    ],
    [
      'DW_LNE_define_file',
      [[0, 9, 3, 0x2f, 0x63, 0x2e, 0x63, 0, 0, 0, 0], setAddress(16), file(3), COPY, pc(1), END],
      ['10 /c.c:1', '11 end'],
    ],
    ['a file that is not there', [setAddress(16), file(9), COPY, pc(1), END], ['10 ?:1', '11 end']],
    [
      'unknown opcodes are skipped',
      [[0, 3, 0x80, 9, 9], setAddress(16), COPY, pc(1), END],
      ['10 /build/a.c:1', '11 end'],
    ],
    [
      'a sequence with an address of another size than 4 or 8',
      [setAddress(16), COPY, [0, 3, 2, 32, 0], pc(1), COPY, END, setAddress(48), COPY, pc(1), END],
      ['30 /build/a.c:1', '31 end'],
    ],
    [
      'sequences are sorted',
      [setAddress(0x20), COPY, pc(4), END, setAddress(0x10), file(2), COPY, pc(4), END],
      ['10 /build/b.c:1', '14 end', '20 /build/a.c:1', '24 end'],
    ],
    [
      'of overlapping sequences the one that ends first holds',
      [
        [...setAddress(0x10), ...COPY, ...pc(8), ...line(1), ...COPY, ...pc(8), ...END],
        [...setAddress(0x0c), ...file(2), ...COPY, ...pc(8), ...END],
      ],
      ['c /build/b.c:1', '14 end', '14 /build/a.c:1', '18 /build/a.c:2', '20 end'],
    ],
    ['removed functions', [COPY, pc(4), END], []],
    ['no end', [setAddress(16), COPY, pc(4), COPY], []],
    ['nothing inside', [setAddress(16), COPY, END], []],
    [
      'damage after a sequence',
      [setAddress(16), COPY, pc(1), END, setAddress(32), COPY, [2, 0x80]],
      ['10 /build/a.c:1', '11 end'],
    ],
    [
      'a row that goes back',
      [setAddress(16), COPY, setAddress(8), COPY, setAddress(24), END],
      ['10 /build/a.c:1', '18 end'],
    ],
    [
      'a line below 0',
      [setAddress(16), line(0x40), COPY, pc(1), END],
      ['10 /build/a.c:0', '11 end'],
    ],
  ])('%s', (_, ops, rows) => {
    const texts = new TextList();
    const sections = sectionsWith({ line: program(ops.flat()) });
    const reader = new LineProgramReader(sections, texts, (address) => address > 0);
    expect(draw(reader.read(unitAt(0)), texts)).toEqual(rows);
  });

  test.each<[string, number[][], number[]]>([
    ['of code', [setAddress(16), COPY, setAddress(8), COPY, setAddress(24), END], [0, 0, 1]],
    ['that ends before it', [setAddress(16), COPY, setAddress(8), END], [0, 1, 1]],
    ['of a removed function', [COPY, pc(4), COPY, setAddress(0), COPY, END], [1, 0, 0]],
  ])('a sequence %s that goes back is counted', (_, ops, counts) => {
    const sections = sectionsWith({ line: program(ops.flat()) });
    const reader = new LineProgramReader(sections, new TextList(), (address) => address > 0);
    reader.read(unitAt(0));
    const { removedSequences, damagedSequences, damagedRows } = reader.report;
    expect([removedSequences, damagedSequences, damagedRows]).toEqual(counts);
  });

  test.each([
    ['/build', 'a.c', '/build/a.c'],
    ['/build/', 'a.c', '/build/a.c'],
    ['', 'a.c', 'a.c'],
    ['/build', '../a.c', '/build/../a.c'],
    ['/build', '/a.c', '/a.c'],
    ['/build', 'C:\\a.c', 'C:\\a.c'],
  ])('%s + %s = %s', (compDir, name, path) => {
    const texts = new TextList();
    const reader = new LineProgramReader(
      sectionsWith({ line: program([], [name]) }),
      texts,
      () => true,
    );
    const id = reader.read(unitAt(0, compDir))?.fileText(1);
    expect(texts.list[id ?? NO_TEXT]).toBe(path);
  });
});

describe('hostile programs', () => {
  test('a program that all units share is not run for ever', () => {
    const reader = new LineProgramReader(
      sectionsWith({ line: program([...setAddress(16), ...COPY, ...pc(1), ...END]) }),
      new TextList(),
      () => true,
    );
    for (let i = 0; i < 100; i++) reader.read(unitAt(0));
    expect(reader.report).toMatchObject({ programs: 100, overBudget: 96, rows: 8 });
  });

  test('nor is a damaged header of many files read for each of them', () => {
    const line = program([], Array(20_000).fill('a.c'));
    line[line.length - 1] = 1; // The table of files has no end.
    const reader = new LineProgramReader(sectionsWith({ line }), new TextList(), () => true);
    for (let i = 0; i < 10_000; i++) reader.read(unitAt(0));
    expect(reader.report).toMatchObject({ programs: 10_000, damaged: 5, overBudget: 9_995 });
  });

  test('paths over the budget are not put together', () => {
    const names = Array.from({ length: 20_000 }, (_, file) => `${file}.c`);
    const reader = new LineProgramReader(
      sectionsWith({ line: program([], names) }),
      { intern: () => 0 as TextId, internText: () => 0 as TextId },
      () => true,
    );
    const table = reader.read(unitAt(0, `/${'d'.repeat(60_000)}`));
    for (let file = 1; file <= names.length; file++) table?.fileText(file);
    expect(reader.report.droppedPaths).toBeGreaterThan(19_000);
  });

  test('any bytes: no error, columns as promised', () => {
    const good = program([...setAddress(16), ...COPY, 44, 45, ...pc(1), ...END]);
    const mutation = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 6 }), fc.nat(good.length), (changes, cut) => {
        const bytes = Uint8Array.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        const line = bytes.subarray(0, cut);
        const reader = new LineProgramReader(sectionsWith({ line }), new TextList(), () => true);
        const table = reader.read(unitAt(0));
        for (let row = 1; row < (table?.count ?? 0); row++) {
          const before = table?.address[row - 1] as number;
          expect(table?.address[row] as number).toBeGreaterThanOrEqual(before);
        }
        if (table !== null && table.count > 0) expect(table.end[table.count - 1]).toBe(1);
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });
});
