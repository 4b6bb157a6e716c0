import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_TEXT } from '../code-piece.ts';
import { ScopePainter } from './scope-painter.ts';
import { NONE, UnitScopes } from './unit-scopes.ts';

/** Draws `f ffffff; a  aa` (a scope and its ranges per part) as the innermost scope per address. */
function paint(picture: string): string {
  const scopes = new UnitScopes();
  const names: string[] = [];
  for (const part of picture.split('\n')) {
    const [, name = '', cells = ''] = /^\s*(\w)\|(.*)\|/.exec(part) ?? [];
    if (name === '') continue;
    const scope = scopes.addScope(names.length === 0 ? NONE : 0, NO_TEXT, NONE, 0);
    names.push(name);
    for (const match of cells.matchAll(/\S+/g)) {
      scopes.addRange(scope, match.index, match.index + match[0].length);
    }
  }
  const painter = new ScopePainter();
  painter.paint(scopes, scopes.lastRange[0] as number);
  let drawn = ' '.repeat(painter.cuts[0] as number);
  for (let cell = 0; cell < painter.cellCount; cell++) {
    const length = (painter.cuts[cell + 1] as number) - (painter.cuts[cell] as number);
    drawn += (names[painter.owner[cell] as number] ?? ' ').repeat(length);
  }
  return drawn;
}

describe('the innermost scope', () => {
  test.each([
    ['nothing inlined', ['f|ffff|'], 'ffff'],
    ['calls inside each other', ['f| ffffffff|', 'a|  aaaa|', 'b|   bb|'], ' fabbafff'],
    ['hot and cold parts', ['f|ff    ff|', 'a| a    a|'], 'fa    af'],
    ['siblings overlap: the later one', ['f|ffffff|', 'a|aaaa|', 'b|  bbb|'], 'aabbbf'],
    ['a call outside of its function', ['f|fff|', 'a|  aaa|'], 'ffaaa'],
    ['the same range three times', ['f|fff|', 'a|fff|', 'b|fff|'], 'bbb'],
  ])('%s', (_, picture, expected) => {
    expect(paint(picture.join('\n'))).toBe(expected);
  });

  test('is the one that comes last, whatever the ranges', () => {
    const range = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 40 }), fc.nat(9));
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 120 }), (ranges) => {
        const scopes = new UnitScopes();
        for (let i = 0; i < 10; i++) scopes.addScope(i === 0 ? NONE : 0, NO_TEXT, NONE, 0);
        const expected = new Array<number>(400).fill(NONE);
        for (const [low, length, scope] of ranges) {
          scopes.addRange(scope, low, low + length);
          expected.fill(scope, low, low + length);
        }
        const painter = new ScopePainter();
        painter.paint(scopes, scopes.lastRange[0] as number);
        const painted = new Array<number>(400).fill(NONE);
        for (let cell = 0; cell < painter.cellCount; cell++) {
          const [start, end] = [painter.cuts[cell] as number, painter.cuts[cell + 1] as number];
          painted.fill(painter.owner[cell] as number, start, end);
        }
        expect(painted).toEqual(expected);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
