/** A random workload against a model that is too simple to be wrong. */
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Labels } from '../../profile/select/labels.ts';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import { compileMatchers, type Matcher } from '../../profile/select/selector.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { Store } from '../../store/store.ts';
import { type DrawnProfile, drawBatch, mergeText } from './drawn-batch.ts';

const COUNT = 'process_cpu:samples:count:cpu:nanoseconds';
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const TYPES = [CPU, COUNT, `${COUNT}=>${CPU}`];

interface ModelBatch {
  id: string;
  profiles: DrawnProfile[];
}

interface Question {
  type: string;
  matchers: Matcher[];
  from: number;
  to: number;
  by: string[];
}

const labels: fc.Arbitrary<Labels> = fc.record({
  service_name: fc.constantFrom('web', 'db'),
  host: fc.constantFrom('h1', 'h2', 'h3'),
});
const line = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }), fc.nat(50))
  .map(([frames, value]) => `${frames.join(';')} ${value}`);
const stacks = fc.array(line, { maxLength: 4 }).map((lines) => lines.join('\n'));
const profile: fc.Arbitrary<DrawnProfile> = fc.record({
  labels,
  tsMs: fc.nat(20),
  period: fc.constantFrom(2, 5),
  types: fc.dictionary(fc.constantFrom(...TYPES), stacks, { minKeys: 1, maxKeys: 3 }),
});
const batch: fc.Arbitrary<ModelBatch> = fc.record({
  id: fc.nat(8).map((number) => `b${number}`),
  profiles: fc.array(profile, { maxLength: 4 }),
});
const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom('service_name', 'host', 'zone'),
  op: fc.constantFrom('=', '!=', '=~', '!~'),
  value: fc.constantFrom('web', 'h1', 'h[12]', '', '.*'),
});
const question: fc.Arbitrary<Question> = fc.record({
  type: fc.constantFrom(CPU, COUNT),
  matchers: fc.array(matcher, { maxLength: 2 }),
  from: fc.nat(10),
  to: fc.integer({ min: 11, max: 21 }),
  by: fc.constantFrom([], ['host'], ['service_name', 'host']),
});

/** The answer as mergeText prints it. */
function expectedMerge(batches: Iterable<ModelBatch>, asked: Question): string[] {
  const sums = new Map<string, number>();
  const accepts = compileMatchers(asked.matchers);
  for (const { profiles } of batches) {
    for (const { labels: own, tsMs, period = 0, types } of profiles) {
      if (tsMs < asked.from || tsMs >= asked.to || !accepts(own)) continue;
      const group = asked.by.map((name) => `${name}=${own[name]}`).join(',');
      for (const [rowType, text] of Object.entries(types)) {
        const [type, derived] = rowType.split('=>');
        const factor = type === asked.type ? 1 : derived === asked.type ? period : 0;
        for (const [, stack, value] of text.matchAll(/(\S+) (\d+)/g)) {
          const key = `${group === '' ? '' : `{${group}} `}${stack}`;
          const product = Number(value) * factor;
          if (product > 0) sums.set(key, (sums.get(key) ?? 0) + product);
        }
      }
    }
  }
  return [...sums].map(([key, sum]) => `${key} ${sum}`).sort();
}

async function checkAnswer(
  store: Store,
  stored: Map<string, ModelBatch>,
  asked: Question,
): Promise<void> {
  const range = { from: asked.from as EpochMs, to: asked.to as EpochMs };
  const type = parseProfileType(asked.type);
  const selection = { type, matchers: asked.matchers, range };
  const merged = await store.merge(selection, asked.by);
  const expected = expectedMerge(stored.values(), asked);
  expect(mergeText(store.snapshot(), merged)).toEqual(expected);
  const lines = await store.timeline(selection, [], 3);
  const total = lines[0]?.value.reduce((sum, value) => sum + (value || 0), 0);
  const ungrouped = expectedMerge(stored.values(), { ...asked, by: [] });
  expect(total).toBe(ungrouped.reduce((sum, text) => sum + Number(text.split(' ').at(-1)), 0));
}

export function describeRandomWork(
  openNew: () => Promise<{ store: Store; place: { open: () => Promise<Store> } }>,
): void {
  describe('random work', () => {
    test('answers as a model does, before and after reopening', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(batch, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
          fc.array(question, { minLength: 2, maxLength: 4 }),
          async (rounds, questions) => {
            const { store, place } = await openNew();
            const stored = new Map<string, ModelBatch>();
            for (const round of rounds) {
              // Of batches with one id the first counts, also where they come at once.
              for (const drawn of round) if (!stored.has(drawn.id)) stored.set(drawn.id, drawn);
              const known = store.snapshot();
              await Promise.all(
                round.map((drawn) => store.write(drawBatch(store.idKey, { ...drawn, known }))),
              );
              for (const asked of questions) await checkAnswer(store, stored, asked);
            }
            await store.close();
            const again = await place.open();
            onTestFinished(() => again.close());
            for (const asked of questions) await checkAnswer(again, stored, asked);
            await again.close();
          },
        ),
        { seed: 11, numRuns: 15 },
      );
    }, 120_000);
  });
}
