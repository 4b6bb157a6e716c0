import { expect, test } from 'vitest';
import { emptySeriesQuality } from '../profile/flame/quality.ts';
import type { FunctionsJson } from '../wire/http.ts';
import { formatFunctions } from './query.ts';

const row = (name: string, self: number, total: number) => ({
  name,
  system_name: name,
  binary: 'app',
  file: '',
  kind: 'native',
  reason: '',
  self,
  total,
  inlined_self: 0,
});

function answerOf(functions: FunctionsJson['functions'], count = functions.length): FunctionsJson {
  return {
    type: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    unit: 'nanoseconds',
    from_ms: 0,
    to_ms: 1000,
    total_before_filters: 10e9,
    total: 10e9,
    count,
    functions,
    quality: { series: emptySeriesQuality(), hosts: null },
  };
}

test('the function table', () => {
  const text = formatFunctions(answerOf([row('parse', 7.5e9, 7.5e9), row('main', 0, 10e9)], 12));
  expect(text.split('\n')).toEqual([
    'total 10 s, 2 of 12 functions',
    '  self           total           function  binary',
    '7.50 s  75.0 %  7.50 s   75.0 %  parse     app',
    '   0 s  0.00 %    10 s  100.0 %  main      app',
    '',
  ]);
});

test('a name that is longer than a line moves what follows in its own line only', () => {
  const long = 'f<'.repeat(500);
  const rows = [row(long, 7.5e9, 7.5e9), row('main', 0, 10e9)];
  expect(formatFunctions(answerOf(rows)).split('\n').slice(1)).toEqual([
    '  self           total           function  binary',
    `7.50 s  75.0 %  7.50 s   75.0 %  ${long}  app`,
    '   0 s  0.00 %    10 s  100.0 %  main      app',
    '',
  ]);
});

test('what filters leave', () => {
  const text = formatFunctions({ ...answerOf([]), total: 4e9 });
  expect(text.split('\n')[0]).toBe('total 4 s of 10 s before filters');
});

test('nothing', () => {
  expect(formatFunctions({ ...answerOf([]), total: 0, total_before_filters: 0 })).toBe(
    'total 0 s\nself    total    function  binary\n',
  );
});
