import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_LABEL_NAMES } from '../../../profile/limits.ts';
import type { Labels } from '../../../profile/select/labels.ts';
import { compileMatchers, parseSelector } from '../../../profile/select/selector.ts';
import { SeriesTable } from './series-table.ts';

const word = fc.constantFrom('a', 'b', 'c', 'host', 'pod');
const labelSet = fc
  .dictionary(word, word, { maxKeys: 4 })
  .map((labels) => Object.fromEntries(Object.entries(labels).sort()));

function tableOf(sets: readonly Labels[]): SeriesTable {
  const table = new SeriesTable();
  for (const [at, labels] of sets.entries()) table.add(labels, at % 3);
  return table;
}

describe('series are what was added', () => {
  test('labels, values and periods, also after some were taken back', () => {
    fc.assert(
      fc.property(
        fc.array(labelSet, { maxLength: 30 }),
        fc.nat(30),
        fc.array(labelSet, { maxLength: 10 }),
        (sets, kept, more) => {
          const table = tableOf(sets);
          table.truncate(kept);
          const left = sets.slice(0, kept);
          for (const labels of more) table.add(labels, left.length % 3);
          const all = [...left, ...more];
          expect(table.count).toBe(all.length);
          expect(all.map((_, series) => table.labels(series))).toEqual(all);
          for (const name of ['a', 'host', 'none']) {
            const values = all.map((_, series) => table.labelValue(series, name));
            expect(values).toEqual(all.map((labels) => labels[name] ?? ''));
          }
          expect(left.map((_, series) => table.period(series))).toEqual(left.map((_, i) => i % 3));
          const everything = new Uint8Array(all.length).fill(1);
          expect(table.namesAmong(everything).sort()).toEqual(
            [...new Set(all.flatMap((labels) => Object.keys(labels)))].sort(),
          );
        },
      ),
      { seed: 1 },
    );
  });

  test.each(['{a="b"}', '{a!="b"}', '{a=~"b|c"}', '{a=""}', '{a!~"b.*", host="a"}', '{pod!=""}'])(
    '%s selects as it does one by one',
    (text) => {
      const { matchers } = parseSelector(text);
      const accepts = compileMatchers(matchers);
      fc.assert(
        fc.property(fc.array(labelSet, { maxLength: 30 }), (sets) => {
          const table = tableOf(sets);
          const selected = table.select(matchers);
          expect([...selected]).toEqual(sets.map((labels) => (accepts(labels) ? 1 : 0)));
          const chosen = sets.filter((_, series) => selected[series] === 1);
          const hosts = new Set(chosen.flatMap(({ host }) => (host === undefined ? [] : [host])));
          expect(new Set(table.valuesAmong('host', selected))).toEqual(hosts);
        }),
        { seed: 2 },
      );
    },
  );
});

test('verdicts are kept, and asked for where values are new', async () => {
  const table = tableOf([{ a: 'x1' }, { a: 'y' }, {}]);
  const { matchers } = parseSelector('{a=~"x.*"}');
  await table.judgeAhead(matchers);
  expect([...table.select(matchers)]).toEqual([1, 0, 0]);
  table.truncate(1);
  for (const a of ['z', 'x2', 'y', 'x1']) table.add({ a }, 0);
  expect([...table.select(matchers)]).toEqual([1, 0, 1, 0, 1]);
  // More matchers than are kept, one of them twice.
  const asked = Array.from({ length: 30 }, (_, at) => `{a!~"x${at % 20}"}`);
  for (const text of asked) {
    const [first] = table.select(parseSelector(text).matchers);
    expect(first).toBe(text === '{a!~"x1"}' ? 0 : 1);
  }
});

test('other work runs while a matcher is asked about many values', async () => {
  const table = tableOf(Array.from({ length: 40_000 }, (_, at) => ({ a: `value-${at}` })));
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await table.judgeAhead(parseSelector('{a=~"(.*[0-9]+){9}x"}').matchers);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(1);
});

test('a limit is named, and what it refused leaves no trace', () => {
  const table = new SeriesTable();
  for (let name = 0; name < MAX_LABEL_NAMES; name++) table.add({ [`n${name}`]: 'x' }, 0);
  expect(() => table.add({ more: 'x' }, 0)).toThrow(
    expect.objectContaining({
      kind: 'unprocessable',
      limit: `MAX_LABEL_NAMES = ${MAX_LABEL_NAMES}`,
    }),
  );
  expect(table.count).toBe(MAX_LABEL_NAMES);
  expect(table.labelValue(3, 'n3')).toBe('x');
});
