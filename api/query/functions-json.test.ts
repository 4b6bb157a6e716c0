import { expect, test } from 'vitest';
import { textMeta } from '../../profile/text.ts';
import { parseDictionaryText } from '../../test/dictionary-text.ts';
import type { FunctionsJson } from '../../wire/http.ts';
import { TreeJobs } from './tree-jobs.ts';

test('how much of a function ran inlined into its callers', () => {
  const dictionary = parseDictionaryText('-\nmain>leaf@a\nmain>leaf>leaf@a\nleaf@a');
  const jobs = new TreeJobs(
    () => ({
      lookup: () => ({ kind: 'unknown', reason: 'not-covered' }),
      elfAddress: () => null,
      close: () => undefined,
    }),
    (name) => name,
  );
  const weights = {
    groups: [{}],
    group: new Uint32Array(3),
    stack: Uint32Array.of(1, 2, 3),
    value: Float64Array.of(1, 2, 4),
    multiplier: 10,
  };
  const page = { sort: 'self', names: 'full', search: '', offset: 0, limit: 9 } as const;
  const job = { kind: 'functions', weights, filters: [], ...page, meta: textMeta(0) } as const;
  const reply = jobs.reply({ id: 1, job, dictionary, symbolFiles: [] });
  if ('error' in reply) throw new Error(reply.error.message);
  const { functions } = JSON.parse(reply.answer.body as string) as FunctionsJson;
  expect(
    functions.map(({ name, self, inlined_self }) => `${name} ${inlined_self}/${self}`),
  ).toEqual(['leaf 30/70', 'main 0/0']);
});
