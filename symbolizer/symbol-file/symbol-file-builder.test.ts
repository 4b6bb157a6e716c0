import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildId } from '../../profile/units.ts';
import { type CodePiece, FUNCTION_NODE, NO_TEXT, type TextId } from '../code-piece.ts';
import type { CodeSymbols } from '../elf/elf-symbols.ts';
import type { LeftOut } from '../left-out.ts';
import { openSymbolFile, type SymbolFile } from './symbol-file.ts';
import { SymbolFileBuilder } from './symbol-file-builder.ts';

interface Row {
  address: number;
  /** Position in `calls`, or -1. */
  node: number;
  file: string;
  line: number;
}

interface Piece {
  start: number;
  end: number;
  name: string;
  calls: { parent: number; name: string; file: string; line: number }[];
  rows: Row[];
}

interface Symbol {
  start: number;
  size: number;
  name: string;
}

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'builder-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What the last `build` left out. */
let lastLeftOut: LeftOut = {};

function build(
  pieces: readonly Piece[],
  symbols: readonly Symbol[] = [],
  lacks: LeftOut = {},
): SymbolFile {
  const builder = new SymbolFileBuilder();
  for (const piece of pieces) builder.add(columnsOf(piece, builder));
  const path = join(directory, 'built.esf');
  const head = {
    buildId: 'aabbccdd' as BuildId,
    elfType: 3,
    machine: 62,
    segments: [],
    fromDwarf: true,
    fromPclntab: false,
    leftOut: lacks,
  };
  const { leftOut, ...facts } = builder.finish(path, head, symbolColumns(symbols));
  lastLeftOut = leftOut;
  const file = openSymbolFile(path);
  expect(file).toMatchObject(facts);
  return file;
}

function columnsOf(
  { start, end, name, calls, rows }: Piece,
  builder: SymbolFileBuilder,
): CodePiece {
  const text = (value: string): TextId => {
    return value === '' ? NO_TEXT : builder.texts.internText(value);
  };
  return {
    start,
    end,
    name: text(name),
    nodeCount: calls.length,
    nodeParent: Int32Array.from(calls, ({ parent }) => parent),
    nodeName: Int32Array.from(calls, (call) => text(call.name)),
    nodeCallFile: Int32Array.from(calls, ({ file }) => text(file)),
    nodeCallLine: Int32Array.from(calls, ({ line }) => line),
    rowCount: rows.length,
    rowAddress: Float64Array.from(rows, ({ address }) => address),
    rowNode: Int32Array.from(rows, ({ node }) => node),
    rowFile: Int32Array.from(rows, ({ file }) => text(file)),
    rowLine: Int32Array.from(rows, ({ line }) => line),
  };
}

function symbolColumns(rows: readonly Symbol[]): CodeSymbols {
  const names = rows.map(({ name }) => Buffer.from(name));
  const lengths = names.map((name) => name.length);
  return {
    count: rows.length,
    start: Float64Array.from(rows, ({ start }) => start),
    size: Float64Array.from(rows, ({ size }) => size),
    sectionEnd: new Float64Array(rows.length).fill(2 ** 40),
    table: new Uint8Array(rows.length),
    nameOffset: Uint32Array.from(lengths, (_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0)),
    nameLength: Uint32Array.from(lengths),
    rank: new Uint8Array(rows.length).fill(6),
    tables: [Buffer.concat(names)],
    fromSymtab: rows.length > 0,
    fromDynsym: false,
    skipped: 0,
  };
}

/** `name file:line < caller file:line`, innermost first; `-` where nothing is known. */
function at(file: SymbolFile, address: number): string {
  const found = file.lookup(address, 'elf');
  if (found.kind === 'unknown') return found.reason === 'not-covered' ? '-' : found.reason;
  return found.lines.map((line) => `${line.name} ${line.file}:${line.line}`).join(' < ');
}

/** What `at` should say, from the pieces and symbols themselves. */
function expected(pieces: readonly Piece[], symbols: readonly Symbol[], address: number): string {
  const covers = ({ start, size }: Symbol) => start <= address && address < start + size;
  const symbol = symbols.filter(covers).sort((a, b) => b.start - a.start || a.size - b.size)[0];
  const there = pieces.filter(({ start, end }) => start <= address && address < end);
  const piece = there.find((candidate) => candidate.name !== '') ?? there[0];
  const name = symbol?.name ?? piece?.name ?? '';
  if (name === '') return '-';
  const row = piece?.rows.filter((candidate) => candidate.address <= address).at(-1);
  let [file, line] = [row?.file ?? '', row?.line ?? 0];
  const lines: string[] = [];
  for (let node = row?.node ?? FUNCTION_NODE; node !== FUNCTION_NODE; ) {
    const call = piece?.calls[node];
    if (call === undefined) throw new Error('no such call');
    lines.push(`${call.name} ${file}:${line}`);
    [file, line, node] = [call.file, call.line, call.parent];
  }
  return [...lines, `${name} ${file}:${line}`].join(' < ');
}

/**
 * `name start..end: offset place, ...`; a place is `file:line`, inside of calls `inner file:line <
 * outer file:line < file:line`.
 */
function draw(text: string): Piece {
  const [, name = '', start = '', end = '', rest = ''] =
    /^(\S*) (\d+)\.\.(\d+):? ?(.*)$/.exec(text) ?? [];
  const piece: Piece = { start: Number(start), end: Number(end), name, calls: [], rows: [] };
  const known = new Map<string, number>();
  for (const part of rest.split(', ').filter((row) => row !== '')) {
    const [, address = '', places = ''] = /^(\d+) (.*)$/.exec(part) ?? [];
    const lines = places.split(' < ').map((place) => {
      const [, callee = '', file = '', line = ''] = /^(?:(\S+) )?(\S*):(\d+)$/.exec(place) ?? [];
      return { name: callee, file, line: Number(line) };
    });
    let node = FUNCTION_NODE;
    for (let i = lines.length - 2; i >= 0; i--) {
      const call = lines[i + 1];
      const callee = lines[i]?.name ?? '';
      const key = `${node} ${callee} ${call?.file}:${call?.line}`;
      const next = known.get(key) ?? known.size;
      if (!known.has(key)) {
        piece.calls.push({
          parent: node,
          name: callee,
          file: call?.file ?? '',
          line: call?.line ?? 0,
        });
      }
      known.set(key, next);
      node = next;
    }
    const [row] = lines;
    piece.rows.push({
      address: Number(address),
      node,
      file: row?.file ?? '',
      line: row?.line ?? 0,
    });
  }
  return piece;
}

/** Stretches of equal answers from 0 to `end`, as `first..last answer`. */
function picture(file: SymbolFile, end: number): string[] {
  const stretches: string[] = [];
  for (let first = 0; first < end; ) {
    let last = first;
    while (last + 1 < end && at(file, last + 1) === at(file, first)) last++;
    if (at(file, first) !== '-') stretches.push(`${first}..${last + 1} ${at(file, first)}`);
    first = last + 1;
  }
  return stretches;
}

describe('what holds where', () => {
  test.each<[string, string[], Symbol[], string[]]>([
    ['lines', ['f 2..9: 2 a.c:1, 5 a.c:2'], [], ['2..5 f a.c:1', '5..9 f a.c:2']],
    [
      'inlined calls',
      ['f 0..9: 0 a.c:1, 2 g b.h:7 < a.c:2, 4 h c.h:9 < g b.h:8 < a.c:2, 6 a.c:3'],
      [],
      [
        '0..2 f a.c:1',
        '2..4 g b.h:7 < f a.c:2',
        '4..6 h c.h:9 < g b.h:8 < f a.c:2',
        '6..9 f a.c:3',
      ],
    ],
    ['a name without lines', ['f 2..9'], [], ['2..9 f :0']],
    ['lines without a name', [' 2..9: 2 a.c:1'], [], ['0..16 no-symbols']],
    [
      "a symbol's name before the piece's",
      ['f 2..9: 2 a.c:1, 5 a.c:2'],
      [{ start: 2, size: 4, name: '_Z1fv' }],
      ['2..5 _Z1fv a.c:1', '5..6 _Z1fv a.c:2', '6..9 f a.c:2'],
    ],
    [
      'lines without a name where a symbol is',
      [' 2..9: 2 g b.h:1 < a.c:1'],
      [{ start: 0, size: 4, name: 's' }],
      ['0..2 s :0', '2..4 g b.h:1 < s a.c:1'],
    ],
    [
      'the first piece stays',
      ['f 4..8: 4 a.c:1', 'g 0..12: 0 b.c:1, 5 b.c:2, 10 b.c:3'],
      [],
      ['0..4 g b.c:1', '4..8 f a.c:1', '8..10 g b.c:2', '10..12 g b.c:3'],
    ],
    [
      'lines without a name give way',
      [' 0..12: 0 b.c:1', 'f 4..8: 4 a.c:1'],
      [{ start: 2, size: 8, name: 's' }],
      ['2..4 s b.c:1', '4..8 s a.c:1', '8..10 s b.c:1'],
    ],
    ['the same twice', ['f 4..8: 4 a.c:1', 'g 4..8: 4 b.c:1'], [], ['4..8 f a.c:1']],
  ])('%s', (_, pieces, symbols, stretches) => {
    const file = build(pieces.map(draw), symbols);
    expect(picture(file, 16)).toEqual(stretches);
    file.close();
  });

  test('facts', () => {
    const file = build(
      [draw('f 0..8: 0 a.c:1, 2 g b.h:7 < a.c:2, 4 :0'), draw('f 0..8: 0 h c.h:1 < d.c:1')],
      [{ start: 6, size: 4, name: 's' }],
    );
    expect(file).toMatchObject({ functions: 2, inlinedCalls: 1, lineBytes: 4, namedBytes: 10 });
    file.close();
  });
});

test('what is left out is counted', () => {
  const pieces = ['f 0..8: 0 a.c:1', 'g 4..10: 4 a.c:2', ' 10..14: 10 a.c:3'].map(draw);
  build(pieces, [], { repeated_line_rows: 2, damaged_units: 0 }).close();
  expect(lastLeftOut).toEqual({
    repeated_line_rows: 2,
    overlapping_ranges: 1,
    unnamed_ranges: 1,
  });
});

test.each<[LeftOut, Symbol[], string]>([
  [{}, [], 'no-symbols'],
  [{}, [{ start: 0, size: 4, name: 's' }], 'not-covered'],
  [{ damaged_line_rows: 9, removed_ranges: 9 }, [{ start: 0, size: 4, name: 's' }], 'not-covered'],
  [{ damaged_units: 1 }, [], 'source-damaged'],
  [{ damaged_names: 1, missing_split_units: 1 }, [], 'source-damaged'],
  [{ missing_split_units: 1 }, [{ start: 0, size: 4, name: 's' }], 'source-incomplete'],
  [{ missing_shared_entries: 1 }, [], 'source-incomplete'],
])('without %j and with %j, an address beyond is %s', (lacks, symbols, reason) => {
  const file = build([], symbols, lacks);
  expect(file.lookup(8, 'elf')).toEqual({ kind: 'unknown', reason });
  expect(file.lookup(8, 'file')).toEqual({ kind: 'unknown', reason: 'no-offsets' });
  file.close();
});

describe('long pieces', () => {
  const line = (i: number) => (i * 7919) % 100_000;

  test('are many records', () => {
    const rows = Array.from(
      { length: 5_000 },
      (_, i) => `${i * 3} f${i % 300}.h:${line(i)} < a.c:9`,
    );
    const piece = draw(`f 0..15000: ${rows.map((row) => row.replace(' ', ' g')).join(', ')}`);
    const file = build([piece]);
    for (let i = 0; i < 15_000; i += 7) expect(at(file, i)).toBe(expected([piece], [], i));
    file.close();
  });

  test('of deep inlined calls: what is too deep is left out', () => {
    const calls = Array.from({ length: 400 }, (_, i) => ({
      parent: i - 1,
      name: `level${i + 1}`,
      file: 'deep.h',
      line: i + 1,
    }));
    const rows = calls.map((_, node) => ({ address: node * 2, node, file: 'x.h', line: 5 }));
    const piece = { start: 0, end: 800, name: 'f', calls, rows };
    const file = build([piece]);
    for (const address of [0, 100, 254]) {
      expect(at(file, address)).toBe(expected([piece], [], address));
    }
    expect(at(file, 255)).toMatch(/^level128 x\.h:5 < level127 deep\.h:128 < .* < f deep\.h:1$/);
    expect(at(file, 799)).toMatch(/^level128 deep\.h:129 < level127 deep\.h:128 < /);
    expect(lastLeftOut).toEqual({ deep_calls: 400 - 128 });
    file.close();
  });

  test('rows far apart', () => {
    const piece = draw(`f 0..${2 ** 40}: 0 a.c:1, ${2 ** 33} a.c:2, ${2 ** 39} a.c:2147483647`);
    const file = build([piece]);
    expect(at(file, 2 ** 33 - 1)).toBe('f a.c:1');
    expect(at(file, 2 ** 33)).toBe('f a.c:2');
    expect(at(file, 2 ** 40 - 1)).toBe('f a.c:2147483647');
    file.close();
  });

  test('say the same in few bytes', () => {
    const rows = Array.from({ length: 60_000 }, (_, i) => `${i * 4} a.c:${100 + (i % 50)}`);
    const file = build([draw(`f 0..240000: ${rows.join(', ')}`)]);
    expect(statSync(join(directory, 'built.esf')).size / 60_000).toBeLessThan(2);
    file.close();
  });
});

test('any pieces and symbols: as deciding each address by itself', () => {
  const limit = 120;
  const name = fc.constantFrom('', 'f', 'g', 'h', 'i');
  const place = { file: fc.constantFrom('', 'a.c', 'b.h', 'c.h'), line: fc.nat(300) };
  const piece = fc
    .record({
      start: fc.nat(limit - 1),
      length: fc.integer({ min: 1, max: 60 }),
      name,
      calls: fc.array(fc.record({ parent: fc.nat(20), name, ...place }), { maxLength: 8 }),
      rows: fc.array(
        fc.record({ step: fc.integer({ min: 1, max: 6 }), node: fc.nat(8), ...place }),
      ),
    })
    .map(({ start, length, name, calls, rows }): Piece => {
      const end = start + length;
      const nodes = calls.map((call, i) => ({ ...call, parent: (call.parent % (i + 1)) - 1 }));
      let address = start;
      const placed: Row[] = [];
      for (const { step, node, file, line } of rows) {
        if (address >= end) break;
        placed.push({ address, node: (node % (nodes.length + 1)) - 1, file, line });
        address += step;
      }
      return { start, end, name, calls: nodes, rows: placed };
    });
  const symbol = fc.record({
    start: fc.nat(limit - 1),
    size: fc.integer({ min: 1, max: 30 }),
    name: fc.constantFrom('s', 't', 'u'),
  });
  fc.assert(
    fc.property(
      fc.array(piece),
      fc.uniqueArray(symbol, { selector: (s) => `${s.start}+${s.size}` }),
      (pieces, symbols) => {
        const file = build(pieces, symbols);
        for (let address = 0; address < limit + 70; address++) {
          const truth = expected(pieces, symbols, address);
          const said = at(file, address);
          expect(said === 'no-symbols' ? '-' : said).toBe(truth);
        }
        file.close();
      },
    ),
    { seed: 5, numRuns: 300 },
  );
});
