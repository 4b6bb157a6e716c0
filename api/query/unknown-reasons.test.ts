import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { textMeta } from '../../profile/text.ts';
import type { BuildId, ElfAddress } from '../../profile/units.ts';
import type { UnknownSymbolReason } from '../../symbolizer/symbol-file/symbol-file.ts';
import type { NoSymbolsReason } from '../../symbolizer/symbolizer.ts';
import { parseDictionaryText } from '../../test/dictionary-text.ts';
import type { FunctionsJson, MergeJson } from '../../wire/http.ts';
import type { OpenSymbolFile, SymbolRow } from './symbol-names.ts';
import { TreeJobs } from './tree-jobs.ts';
import type { GraphJob, StackWeights, TreeJob } from './tree-messages.ts';

/** A symbol file that says of every address what its path is. */
const open: OpenSymbolFile = (path) => {
  if (path === 'gone') throw new Error('ENOENT');
  return {
    lookup: () => ({ kind: 'unknown', reason: path as UnknownSymbolReason }),
    elfAddress: (offset) => (path === 'no-offsets' ? null : (offset as number as ElfAddress)),
    close: () => undefined,
  };
};

const buildId = 'abc' as BuildId;
const absent: SymbolRow[] = [];
const missing = (why: NoSymbolsReason): SymbolRow[] => [{ buildId, missing: why }];
const answers = (path: UnknownSymbolReason | 'gone'): SymbolRow[] => [
  { buildId, path, generation: 1 },
];

function run(job: TreeJob, frame: string, symbolFiles: readonly SymbolRow[]): string {
  const dictionary = parseDictionaryText(`main@/bin/x;${frame}`);
  const reply = new TreeJobs(open, (name) => name).reply({ id: 1, job, dictionary, symbolFiles });
  if ('error' in reply) throw new Error(reply.error.message);
  return reply.answer.body as string;
}

const WEIGHTS: StackWeights = {
  groups: [{}],
  group: Uint32Array.of(0),
  stack: Uint32Array.of(0),
  value: Float64Array.of(8),
  multiplier: 10,
};
const graphJob = (base: StackWeights | null): GraphJob => ({
  kind: 'graph',
  filters: [],
  tree: { granularity: 'function' },
  format: 'json',
  by: [],
  weights: WEIGHTS,
  base,
  mode: 'absolute',
  meta: base === null ? textMeta(0) : textMeta(0, 0),
});

const DOC = readFileSync(new URL('../../docs/debuginfo.md', import.meta.url), 'utf8');
const NATIVE = '0x10@/bin/x#abc';
const OFFSET = 'file:0x10@/bin/x#abc';

describe('a frame that cannot be named stays, under its address or why, and is counted', () => {
  test.each<[string, string, SymbolRow[], string]>([
    ['nobody sent the file', NATIVE, absent, 'no debug information'],
    ['it is not converted yet', NATIVE, missing('waiting'), 'debug information not converted yet'],
    ['it could not be converted', NATIVE, missing('failed'), 'conversion failed'],
    ['it had to go', NATIVE, missing('evicted'), 'debug information evicted'],
    ['only .dwo files came', NATIVE, missing('incomplete'), 'debug information incomplete'],
    ['a stripped file', NATIVE, answers('stripped'), 'stripped'],
    ['a file without any symbols', NATIVE, answers('no-symbols'), 'no symbols in the file'],
    ['outside of any function', NATIVE, answers('not-covered'), 'not covered'],
    ['a damaged unit', NATIVE, answers('source-damaged'), 'debug information damaged'],
    ['no .dwo files', NATIVE, answers('source-incomplete'), 'debug information incomplete'],
    ['a damaged symbol file', NATIVE, answers('damaged'), 'symbol file damaged'],
    ['no symbol file any more', NATIVE, answers('gone'), 'symbol file damaged'],
    ['an offset in no segment', OFFSET, answers('unmapped'), 'outside the file'],
    ['an offset, and no segments', OFFSET, answers('no-offsets'), 'file offsets not known'],
    [
      'an address in no file',
      '0xffffffffff000000@/bin/x#abc',
      answers('damaged'),
      'outside the file',
    ],
    ['no build id', '0x10@/bin/x', absent, 'no build id'],
  ])('%s', (_, frame, symbolFiles, reason) => {
    expect(DOC).toContain(`\n| \`${reason}\` |`);
    const text = run(graphJob(null), frame, symbolFiles);
    const { frames, quality } = JSON.parse(text) as MergeJson;
    expect(frames.at(-1)).toMatchObject({ name: expect.stringMatching(/^x\+0x/), reason });
    expect(quality.series.unsymbolized).toEqual({ [reason]: 80 });

    const diff = JSON.parse(run(graphJob(WEIGHTS), frame, symbolFiles)) as MergeJson;
    expect(diff.frames.at(-1)?.reason).toBe(reason);
    expect(diff.quality.series.unsymbolized).toEqual({ [reason]: 80 });
    expect(diff.base?.quality.series.unsymbolized).toEqual({ [reason]: 80 });

    const page = { sort: 'self', names: 'full', search: '', offset: 0, limit: 9 } as const;
    const job: TreeJob = {
      kind: 'functions',
      weights: WEIGHTS,
      filters: [],
      ...page,
      meta: textMeta(0),
    };
    const functions = JSON.parse(run(job, frame, symbolFiles)) as FunctionsJson;
    expect(functions.functions[0]).toMatchObject({ reason, self: 80 });
    expect(functions.quality.series.unsymbolized).toEqual({ [reason]: 80 });
  });

  test.each([
    ['[unknown: no perf map]@[jit]{unknown}', 'no perf map'],
    ['[unknown: not in the perf map]@[jit]{unknown}', 'not in the perf map'],
    ['[unknown: no kernel symbol]@[kernel]{unknown}', 'no kernel symbol'],
    ['[unknown: kernel addresses hidden]@[kernel]{unknown}', 'kernel addresses hidden'],
    ['[unknown: no mapping]@[anon]{unknown}', 'no mapping'],
  ])('as its writer says: %s', (frame, reason) => {
    const { frames, quality } = JSON.parse(run(graphJob(null), frame, absent)) as MergeJson;
    expect(frames.at(-1)).toMatchObject({ name: `[unknown: ${reason}]`, kind: 'unknown', reason });
    expect(quality.series.incomplete).toEqual({ [reason]: 80 });
  });
});
