import { describe, expect, test } from 'vitest';
import { EverflameError } from '../errors.ts';
import { compileRegex } from './regex.ts';

describe('matching', () => {
  test.each([
    // pattern, text, whole, anywhere
    ['web-.*', 'web-1', true, true],
    ['web', 'web-1', false, true],
    ['a|b', 'ab', false, true],
    ['', '', true, true],
    ['', 'x', false, true],
    ['.*', 'ä\u{1f525}', true, true],
    ['(?i)ABC', 'abc', true, true],
    ['^a$', 'a', true, true],
    ['\\d+', '١', false, false],
    ['\\pL+', 'éß', true, true],
    ['.', '\u{1f525}', true, true],
  ])('%j on %j', (pattern, text, whole, anywhere) => {
    const regex = compileRegex(pattern, 'query');
    expect([regex.matchesWhole(text), regex.occursIn(text)]).toEqual([whole, anywhere]);
  });
});

test('expressions that take for ever elsewhere are done at once', () => {
  const text = 'a'.repeat(4_096);
  for (const pattern of ['(a+)+b', '(a|a)*b', '(x+x+)+y', '(a?){500}a{500}']) {
    expect(compileRegex(pattern, 'query').matchesWhole(`${text}!`)).toBe(false);
  }
});

test('an expression that keeps all of its program busy is given up', () => {
  const regex = compileRegex('(a?){999}', 'query');
  const text = 'a'.repeat(4_090);
  const matchAll = () => {
    for (let i = 0; i < 100_000; i++) regex.matchesWhole(`${text}${i}`);
  };
  const limit = 'MAX_REGEX_MS = 1000';
  expect(catchError(matchAll)).toMatchObject({ kind: 'too-large', field: 'query', limit });
});

describe('refused', () => {
  test.each([
    ['(', 'invalid', /missing closing/],
    ['(?=a)', 'invalid', /Perl syntax/],
    ['\\1', 'invalid', /escape/],
    ['(a{1000}){1000}', 'invalid', /repeat count/],
    ['((a{100}){100}){100}', 'invalid', /repeat count/],
    ['a'.repeat(2_049), 'too-large', /2049 characters/],
    ['(\\pL\\d{900}){1}|[a-f]{900}x{1000}y{1000}z{1000}', 'too-large', /instructions/],
  ])('%#', (pattern, kind, message) => {
    const error = catchError(() => compileRegex(pattern, 'focus', 7));
    expect(error).toBeInstanceOf(EverflameError);
    expect(error).toMatchObject({ kind, field: 'focus', position: 7 });
    expect((error as Error).message).toMatch(message);
  });
});

function catchError(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
