/** The layouts of all releases, by hand: nobody has all compilers. */
import { describe, expect, test } from 'vitest';
import { PieceList } from '../../test/fixtures/dwarf-bytes.ts';
import { type GoTableShape, goProgram } from '../../test/fixtures/go-table.ts';
import { readPclntab } from './pclntab.ts';

const SHAPES = (['1.2', '1.16', '1.18', '1.20'] as const).flatMap((version) =>
  ([8, 4] as const).flatMap((pointerSize) =>
    ([1, 4] as const).map((quantum): GoTableShape => ({ version, pointerSize, quantum })),
  ),
);

describe('the same program in each layout has the same functions, files, lines and calls', () => {
  test.each(SHAPES)('$version, $pointerSize-byte pointers, quantum $quantum', (shape) => {
    const sink = new PieceList();
    const report = readPclntab(goProgram(shape), sink);
    expect(report).toMatchObject({ version: shape.version, functions: 2, inlinedCalls: 1 });
    expect(report).toMatchObject({ functionsDamaged: 0, functionsWithoutInlines: 0 });
    expect(sink.pieces.map(({ name, rows }) => [name, ...rows])).toEqual([
      [
        'main.f',
        '1000 main.f a.go:10',
        '1004 main.f a.go:11',
        '1008 main.g(11) < main.f b.go:5',
        '1010 main.f a.go:12',
      ],
      ['main.h', '1020 main.h a.go:30'],
    ]);
  });
});
