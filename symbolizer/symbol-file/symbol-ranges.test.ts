import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CodeSymbols } from '../elf/elf-symbols.ts';
import { symbolName, symbolRanges } from './symbol-ranges.ts';

const RANKS: Record<string, number> = { n: 0, Ti: 3, t: 4, w: 5, T: 6 };
const SECTION_END = 20;

interface Row {
  type: string;
  start: number;
  size: number;
  name: string;
}

function columns(rows: readonly Row[]): CodeSymbols {
  const names = Buffer.from(`${rows.map((row) => row.name).join('\0')}\0`);
  let offset = 0;
  const offsets = rows.map((row) => {
    const at = offset;
    offset += row.name.length + 1;
    return at;
  });
  return {
    count: rows.length,
    start: Float64Array.from(rows, (row) => row.start),
    size: Float64Array.from(rows, (row) => row.size),
    sectionEnd: Float64Array.from(rows, () => SECTION_END),
    table: new Uint8Array(rows.length),
    nameOffset: Uint32Array.from(offsets),
    nameLength: Uint32Array.from(rows, (row) => row.name.length),
    rank: Uint8Array.from(rows, (row) => RANKS[row.type] as number),
    tables: [names],
    fromSymtab: true,
    fromDynsym: false,
    skipped: 0,
  };
}

/** `T 2+5 a, n 9 b`: type, start, size where there is one, name. */
function parse(text: string): Row[] {
  return text.split(', ').map((part) => {
    const [type = '', place = '', name = ''] = part.split(' ');
    const [start = '', size = '0'] = place.split('+');
    return { type, start: Number(start), size: Number(size), name };
  });
}

/** One letter per address: the last of the name that covers it, `.` where none does. */
function draw(rows: readonly Row[]): string {
  const symbols = columns(rows);
  const { count, starts, symbols: owners } = symbolRanges(symbols);
  const picture = Array.from({ length: SECTION_END + 2 }, () => '.');
  for (let range = 0; range < count; range++) {
    const owner = owners[range] as number;
    const letter = owner < 0 ? '.' : Buffer.from(symbolName(symbols, owner)).toString().slice(-1);
    picture.fill(letter, starts[range] as number);
  }
  return picture.join('');
}

describe('which symbol names an address', () => {
  test.each([
    ['gaps stay', 'T 2+3 a, T 8+2 b', '..aaa...bb............'],
    ['the last to begin wins, the outer resumes', 'T 0+12 a, T 3+4 b', 'aaabbbbaaaaa..........'],
    ['across', 'T 0+6 a, T 4+6 b', 'aaaabbbbbb............'],
    ['of one start, the shorter', 'T 0+8 a, T 0+3 b', 'bbbaaaaa..............'],
    ['three deep', 'T 0+12 a, T 1+9 b, T 2+3 c', 'abcccbbbbbaa..........'],
    ['ends inside are passed over', 'T 0+4 a, T 2+8 b, T 3+2 c', 'aabccbbbbb............'],
    ['no size: to the next', 'T 1 a, T 5+2 b', '.aaaabb...............'],
    ['no size: to the end of the section', 'T 15 a', '...............aaaaa..'],
    ['no size: to the end of what is around', 'T 0+6 a, T 3 b', 'aaabbb................'],
    ['no size beside one with a size', 'T 2 a, T 2+2 b', '..bb..................'],
    ['no size at the end of the section', 'T 20 a', '......................'],
    ['labels fill gaps only', 'T 4+3 a, n 2 b, n 5 c, n 9 d', '..bbaaa..ddddddddddd..'],
    ['labels with a size', 'n 2+3 a, n 9 b, T 12+1 c', '..aaa....bbbc.........'],
    ['labels alone', 'n 2 a, n 4 b', '..aabbbbbbbbbbbbbbbb..'],
    ['global before weak before local', 't 0+2 a, w 0+2 b, T 0+2 c', 'cc....................'],
    ['a function before its resolver', 'Ti 0+2 a, t 0+2 b', 'bb....................'],
    ['fewer underscores', 'T 0+2 __a, T 0+2 _b', 'bb....................'],
    ['the shorter name', 'T 0+2 zz, T 0+2 aab', 'zz....................'],
    ['the lower bytes', 'T 0+2 C2, T 0+2 C1', '11....................'],
  ])('%s', (_, text, picture) => {
    expect(draw(parse(text))).toBe(picture);
  });
});

test('any symbols: as deciding each address by itself, in any order', () => {
  const row = fc.record({
    type: fc.constant('T'),
    start: fc.nat(SECTION_END - 1),
    size: fc.integer({ min: 1, max: 12 }),
    name: fc.constantFrom(...'abcdefghij'),
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (rows) => {
      let expected = '';
      for (let at = 0; at < SECTION_END + 2; at++) {
        const covering = rows.filter(({ start, size }) => start <= at && at < start + size);
        covering.sort((a, b) => b.start - a.start || a.size - b.size || (a.name < b.name ? -1 : 1));
        expected += covering[0]?.name ?? '.';
      }
      expect(draw(rows).slice(0, SECTION_END)).toBe(expected.slice(0, SECTION_END));
      expect(draw([...rows].reverse())).toBe(draw(rows));
    }),
    { seed: 11, numRuns: 500 },
  );
});
