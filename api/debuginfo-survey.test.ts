import { expect, test } from 'vitest';
import { parseProfileType } from '../profile/select/profile-type.ts';
import type { EpochMs } from '../profile/units.ts';
import { surveyBinaries } from './debuginfo-survey.ts';
import type { BuildWeight } from './query/build-weights.ts';

/** Types of one name from different writers: an agent counts samples, a push has time alone. */
const BUILDS: Record<string, string> = {
  'process_cpu:cpu:nanoseconds:cpu:nanoseconds': 'aa pushed, bb sampled,  nameless',
  'process_cpu:samples:count:cpu:nanoseconds': 'bb sampled, cc named!',
  'memory:alloc_space:bytes:space:bytes': '',
};

/** `id file`, with `!` where the writer gave all names. */
function parseBuilds(text: string): BuildWeight[] {
  return text
    .split(', ')
    .filter((part) => part !== '')
    .map((part) => {
      const [buildId = '', name = ''] = part.split(' ');
      const file = name.replace('!', '');
      const weights = { self: 1, total: 1, unsymbolized: {} };
      return { buildId, file, ...weights, needsSymbols: file === name };
    });
}

test('binaries of every type are noticed once, those whose writer named them are not', async () => {
  const noticed: string[] = [];
  await surveyBinaries(
    {
      store: { profileTypes: async () => Object.keys(BUILDS).map(parseProfileType) },
      queries: {
        buildWeights: async ({ query }) => ({
          total: 1,
          builds: parseBuilds(BUILDS[query.replace('{}', '')] ?? ''),
        }),
      },
      symbolizer: {
        notice: (seen) => {
          for (const { buildId, file } of seen) noticed.push(`${buildId} ${file}`);
        },
      },
      clock: () => 1e12 as EpochMs,
    },
    new AbortController().signal,
  );
  expect(noticed).toEqual(['aa pushed', 'bb sampled']);
});
