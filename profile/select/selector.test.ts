import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzSelector } from '../../test/prove/fuzz-selector.ts';
import { EverflameError } from '../errors.ts';
import {
  compileMatcher,
  compileMatchers,
  formatSelector,
  type Matcher,
  parseSelector,
  type Selector,
} from './selector.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

describe('a selector and its canonical text', () => {
  test.each([
    [CPU, `${CPU}{}`],
    [`${CPU}:delta{}`, `${CPU}{}`],
    ['goroutines:goroutines:count::{}', 'goroutines:goroutines:count::{}'],
    ['{}', '{}'],
    [' { a = "b" , } ', '{a="b"}'],
    ['{a="b",c!="d",e=~"f.*",g!~"h"}', '{a="b",c!="d",e=~"f.*",g!~"h"}'],
    ['{a="1",a!="2"}', '{a="1",a!="2"}'],
    [`{a='it"s'}`, '{a="it\\"s"}'],
    ['{a=`\\d+`}', '{a="\\\\d+"}'],
    ['{a="x\\ny\\t\\"\\\\"}', '{a="x\\ny\t\\"\\\\"}'],
    ['{a="ä🔥"}', '{a="ä🔥"}'],
    [`${CPU}\n{\n  host=~"web-.*",\n}`, `${CPU}{host=~"web-.*"}`],
  ])('%j', (text, canonical) => {
    expect(formatSelector(parseSelector(text))).toBe(canonical);
  });
});

describe('faults and where they are', () => {
  test.each([
    // text, position, message
    ['', 0, /empty/],
    ['cpu{}', 0, /not a profile type/],
    ['  cpu{}', 2, /not a profile type/],
    ['{', 1, /expected a label name/],
    ['{a', 2, /expected =, !=/],
    ['{a=', 3, /expected a quoted value/],
    ['{a=b}', 3, /expected a quoted value, found "b}"/],
    ['{a="b', 3, /not closed/],
    ['{a="b"', 6, /expected "," or "}"/],
    ['{a="b" c="d"}', 7, /expected "," or "}"/],
    ['{,}', 1, /expected a label name/],
    ['{a="b"}x', 7, /expected the end/],
    ['{a!b}', 2, /expected =, !=/],
    ['{9a="b"}', 1, /expected a label name/],
    ['{a="\\d"}', 4, /\\d at character 4 .* not an escape/],
    ['{a=~"("}', 4, /not a regular expression/],
    ['{a=~"(a{1000}){1000}"}', 4, /repeat count/],
    [`{${'a="b",'.repeat(65)}}`, 385, /over 64 matchers/],
  ])('%j', (text, position, message) => {
    expect(() => parseSelector(text)).toThrow(message);
    expect(caught(text)).toMatchObject({ field: 'query', position });
  });

  test('a text over the limit', () => {
    expect(caught(`{a="${'x'.repeat(20_000)}"}`)).toMatchObject({
      kind: 'too-large',
      limit: 'MAX_SELECTOR_LENGTH = 16384',
    });
  });
});

describe('matching', () => {
  const labels = { service: 'checkout', host: 'web-1' };
  test.each([
    ['{}', true],
    ['{service="checkout"}', true],
    ['{service="check"}', false],
    ['{service=~"check"}', false],
    ['{service=~"check.*",host!~"db.*"}', true],
    ['{host!="web-1"}', false],
    ['{pod=""}', true],
    ['{pod!=""}', false],
    ['{pod=~".*"}', true],
    ['{pod=~".+"}', false],
    ['{pod!~".+"}', true],
    ['{constructor=""}', true],
    ['{__proto__=""}', true],
  ])('%s', (selector, expected) => {
    expect(compileMatchers(parseSelector(selector).matchers)(labels)).toBe(expected);
  });
});

test('parsing what was formatted gives the same selector', () => {
  const matcher: fc.Arbitrary<Matcher> = fc.oneof(
    fc.record({
      name: fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/),
      op: fc.constantFrom('=' as const, '!=' as const),
      value: fc.string({ unit: 'binary', maxLength: 12 }),
    }),
    fc.record({
      name: fc.constant('host'),
      op: fc.constantFrom('=~' as const, '!~' as const),
      value: fc.constantFrom('web-.*', '\\d+|"', "`'", ''),
    }),
  );
  const field = fc.stringMatching(/^[a-z_/.-]{1,6}$/);
  const selector: fc.Arbitrary<Selector> = fc.record({
    type: fc.option(
      fc.record({
        name: field,
        sampleType: field,
        sampleUnit: field,
        periodType: field,
        periodUnit: field,
      }),
    ),
    matchers: fc.array(matcher, { maxLength: 5 }),
  });
  fc.assert(
    fc.property(selector, (value) => {
      expect(parseSelector(formatSelector(value))).toEqual(value);
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('a long label is not matched with a large expression', () => {
  const accepts = compileMatcher({ name: 'a', op: '=~', value: '(x?){900}' });
  expect(accepts('x'.repeat(900))).toBe(true);
  expect(() => accepts('x'.repeat(10_000))).toThrow('a label of 10000 characters');
});

test('hostile text is refused quickly and in words', async () => {
  const summary = await fuzzSelector({ seed: 1, runs: 2_000, log: () => undefined });
  expect(summary).toMatch(/^2000 selectors/);
}, 60_000);

function caught(text: string): unknown {
  try {
    return parseSelector(text);
  } catch (error) {
    expect(error).toBeInstanceOf(EverflameError);
    return error;
  }
}
