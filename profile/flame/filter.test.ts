import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EverflameError } from '../errors.ts';
import { MAX_FILTERS, MAX_REGEX_LENGTH } from '../limits.ts';
import { compileMatchers } from '../select/selector.ts';
import { formatFilter, parseFilter, parseFilters, splitFilters } from './filter.ts';

describe('what is written', () => {
  test.each([
    [
      'hide:function~^runtime\\.',
      { action: 'hide', field: 'function', op: '~', value: '^runtime\\.' },
    ],
    [
      'show-from:function=a=b:c~d',
      { action: 'show-from', field: 'function', op: '=', value: 'a=b:c~d' },
    ],
    [
      'hide-frames:binary!=libc.so.6',
      { action: 'hide-frames', field: 'binary', op: '!=', value: 'libc.so.6' },
    ],
    ['pivot:file=', { action: 'pivot', field: 'file', op: '=', value: '' }],
    ['collapse:function~.', { action: 'collapse', field: 'function', op: '~', value: '.' }],
    [
      'show:label.host!~a|b',
      { action: 'show', field: 'label', label: 'host', op: '!~', value: 'a|b' },
    ],
    [
      'hide:function=two\nlines',
      { action: 'hide', field: 'function', op: '=', value: 'two\nlines' },
    ],
  ])('%s', (text, filter) => {
    expect(parseFilter(text)).toEqual(filter);
    expect(formatFilter(parseFilter(text))).toBe(text);
  });

  test('whatever the value is, it comes back', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('=', '!='), (value, op) => {
        const text = `hide:binary${op}${value}`;
        expect(parseFilter(text)).toEqual({ action: 'hide', field: 'binary', op, value });
      }),
      { seed: 8 },
    );
  });
});

test.each([
  ['main', 0, '"main" is not a filter'],
  ['hide:function', 5, 'is not a filter'],
  ['hidee:function=a', 0, 'did you mean hide?'],
  ['hide:colour=red', 5, 'is on no known field'],
  ['hide:label.=a', 5, 'names no label'],
  ['pivot:label.host=a', 0, 'show and hide only'],
  ['hide:function~', 14, 'has an empty expression'],
  ['hide:function~(', 14, 'is not a regular expression'],
])('refused: %s', (text, position, problem) => {
  try {
    parseFilter(text);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(EverflameError);
    expect(error).toMatchObject({ kind: 'invalid', field: 'filter', position });
    expect((error as Error).message).toContain(problem);
  }
});

test('any text is a filter or refused as one', () => {
  const word = fc.constantFrom(
    ...'hide show pivot : = ~ ! function label. host ( [ \\ a{9}'.split(' '),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join('')),
      ),
      (text) => {
        try {
          expect(formatFilter(parseFilter(text))).toBe(text);
        } catch (error) {
          expect(error).toBeInstanceOf(EverflameError);
        }
      },
    ),
    { seed: 9, numRuns: 2_000 },
  );
});

test('of a label, the matcher that it becomes is bounded', () => {
  const expression = 'a'.repeat(MAX_REGEX_LENGTH);
  expect(parseFilter(`show:function~${expression}`)).toMatchObject({ value: expression });
  expect(() => parseFilter(`show:label.host~${expression}`)).toThrow('a regular expression has');
});

test('there is an end to their number', () => {
  const filters = new Array<string>(MAX_FILTERS + 1).fill('hide:function=a');
  expect(() => parseFilters(filters)).toThrow(`there are ${MAX_FILTERS + 1} filters`);
});

test.each([
  ['show:label.host=a', 'a'],
  ['hide:label.host=a', ', b, ba'],
  ['show:label.host~a', 'a, ba'],
  ['show:label.host~^a', 'a'],
  ['hide:label.host~a', ', b'],
  ['hide:label.host!~b|x', 'b, ba'],
  ['show:label.host=', ''],
])('labels that %s keeps: %s', (text, kept) => {
  const { matchers, frameFilters } = splitFilters([parseFilter(text)]);
  const accepts = compileMatchers(matchers);
  const hosts = ['', 'a', 'b', 'ba'].filter((host) => accepts({ host }));
  expect(hosts.join(', ')).toBe(kept);
  expect(frameFilters).toEqual([]);
});
