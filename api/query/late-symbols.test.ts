import { expect, test } from 'vitest';
import type { DictionaryColumns } from '../../profile/dictionary.ts';
import { decodeFg1 } from '../../profile/flame/fg1.ts';
import { formatGraphText, textMeta } from '../../profile/text.ts';
import type { BuildId } from '../../profile/units.ts';
import { demangle } from '../../symbolizer/demangle/demangle.ts';
import type { SymbolFileRow } from '../../symbolizer/symbolizer.ts';
import { parseDictionaryText } from '../../test/dictionary-text.ts';
import type { MergeJson } from '../../wire/http.ts';
import type { OpenSymbolFile } from './symbol-names.ts';
import { TreeJobs } from './tree-jobs.ts';
import type { GraphJob } from './tree-messages.ts';

/**
 * Every symbol file has `alpha` at 0x11 and `c::gamma()` at 0x31; that of path `lines` has their
 * files, and `epsilon` at 0x99.
 */
const open: OpenSymbolFile = (path) => {
  if (path === 'missing') throw new Error('ENOENT');
  const names: Record<number, [name: string, file: string]> = {
    17: ['alpha', 'a.c'],
    49: ['_ZN1c5gammaEv', 'g.c'],
    ...(path === 'lines' ? { 153: ['epsilon', 'e.c'] } : {}),
  };
  return {
    elfAddress: () => null,
    lookup(address) {
      const [name, file = ''] = names[address] ?? [];
      if (name === undefined) return { kind: 'unknown', reason: 'not-covered' };
      const place = path === 'lines' ? { file, line: 7 } : { file: '', line: 0 };
      return { kind: 'symbol', lines: [{ name, ...place }] };
    },
    close() {},
  };
};

function symbolFile(buildId: string, path = buildId, generation = 1): SymbolFileRow {
  return { buildId: buildId as BuildId, path, generation };
}

/** Asks one worker's jobs again and again: stack i of the dictionary has value i. */
function asker(dictionary: DictionaryColumns, values: readonly number[]) {
  const jobs = new TreeJobs(open, demangle);
  return (format: GraphJob['format'], symbolFiles?: readonly SymbolFileRow[]) => {
    const weights = {
      groups: [{}],
      group: new Uint32Array(values.length),
      stack: Uint32Array.from(values.keys()),
      value: Float64Array.from(values),
      multiplier: 1,
    };
    const tree = { granularity: 'function' } as const;
    const shape = { by: [], filters: [], base: null, mode: 'absolute', meta: textMeta(0) } as const;
    const job = { kind: 'graph', tree, format, weights, ...shape } as const;
    const world = symbolFiles === undefined ? {} : { symbolFiles };
    const reply = jobs.reply({ id: 1, job, dictionary, ...world });
    if ('error' in reply) throw new Error(reply.error.message);
    return reply.answer.body;
  };
}

/** Name, reason and file of the innermost frame of one stack, and the weight without names. */
function describer(frame: string) {
  const ask = asker(parseDictionaryText(frame), [8]);
  return (symbolFiles: readonly SymbolFileRow[]) => {
    const { frames, quality } = JSON.parse(ask('json', symbolFiles) as string) as MergeJson;
    const { name, reason, file } = frames.at(-1) ?? {};
    return [name, reason, file, quality.series.unsymbolized];
  };
}

const ABSENT = ['x+0x99', 'no debug information', '', { 'no debug information': 8 }];

test('symbol files that arrive later name what was an address, and nothing else', () => {
  const text = 'main;0x11@/bin/x#abc\nmain;0x11@/bin/y#def\nmain';
  const ask = asker(parseDictionaryText(text), [1, 2, 4]);
  const drawn = (symbolFiles?: readonly SymbolFileRow[]) =>
    formatGraphText(decodeFg1(ask('fg1', symbolFiles) as Uint8Array));
  const before = 'total 0/7\n  main 4/7\n    x+0x11@x 1/1\n    y+0x11@y 2/2\n';
  const after = 'total 0/7\n  main 4/7\n    alpha@x 1/1\n    y+0x11@y 2/2\n';
  expect(drawn([])).toBe(before);
  expect(drawn([symbolFile('abc')])).toBe(after);
  expect(drawn()).toBe(after);
  expect(drawn([symbolFile('abc', 'missing', 2)])).toBe(before);
  expect(drawn([symbolFile('abc', 'again', 3)])).toBe(after);
});

test('they say why an address has no name now, not before', () => {
  const described = describer('0x99@/bin/x#abc');
  expect(described([])).toEqual(ABSENT);
  const covered = ['x+0x99', 'not covered', '', { 'not covered': 8 }];
  expect(described([symbolFile('abc')])).toEqual(covered);
  expect(described([symbolFile('abc', 'lines', 2)])).toEqual(['epsilon', '', 'e.c', {}]);
  expect(described([])).toEqual(ABSENT);
});

test('they give a function that had a name its file', () => {
  const described = describer('0x31@/bin/x#abc');
  expect(described([symbolFile('abc')])).toEqual(['c::gamma()', '', '', {}]);
  expect(described([symbolFile('abc', 'lines', 2)])).toEqual(['c::gamma()', '', 'g.c', {}]);
});

test('one that cannot be read is a reason', () => {
  const reason = 'symbol file damaged';
  const described = describer('0x99@/bin/x#abc');
  expect(described([symbolFile('abc', 'missing')])).toEqual([
    'x+0x99',
    reason,
    '',
    { [reason]: 8 },
  ]);
});
