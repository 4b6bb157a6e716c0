/** Everything that a store can be asked, drawn at random, with answers in a form that compares. */
import fc from 'fast-check';
import type { Labels } from '../../profile/select/labels.ts';
import { formatProfileType, parseProfileType } from '../../profile/select/profile-type.ts';
import { formatSelector, type Matcher } from '../../profile/select/selector.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type { MetaSelection, SelectionSummary, Store } from '../../store/store.ts';
import { stackText } from '../conformance/drawn-batch.ts';
import { DELTAS, GAUGES, HOUR_MS, T0, timeMs } from './worlds.ts';

export interface Question {
  type: string;
  matchers: Matcher[];
  range: TimeRange;
  by: string[];
  stepMs: number;
}

const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom('service_name', 'host', 'zone', 'user', 'bytes', 'exported_zone', 'none'),
  op: fc.constantFrom('=', '!=', '=~', '!~'),
  value: fc.constantFrom('web', 'h1', 'h[12]', '', '.*', 'u1', 'u.|', 'x', 'in', '512'),
});

const someTime: fc.Arbitrary<TimeRange> = fc.tuple(timeMs, timeMs).map(([one, other]) => ({
  from: Math.min(one, other) as EpochMs,
  to: (Math.max(one, other) + 1) as EpochMs,
}));
const allTime: TimeRange = {
  from: (T0 - 2 * HOUR_MS) as EpochMs,
  to: (T0 + 25 * HOUR_MS) as EpochMs,
};
const MINUTE_MS = 60_000;
const someMinutes: fc.Arbitrary<TimeRange> = fc
  .tuple(fc.integer({ min: -3, max: 2 }), fc.integer({ min: 1, max: 62 }))
  .map(([first, minutes]) => ({
    from: (T0 + first * MINUTE_MS) as EpochMs,
    to: (T0 + (first + minutes) * MINUTE_MS) as EpochMs,
  }));
const range: fc.Arbitrary<TimeRange> = fc.oneof(
  { weight: 1, arbitrary: someTime },
  { weight: 1, arbitrary: someMinutes },
  { weight: 2, arbitrary: fc.constant(allTime) },
);

const by: fc.Arbitrary<string[]> = fc.constantFrom<string[]>(
  ...[
    [],
    [],
    ['service_name'],
    ['host'],
    ['service_name', 'zone'],
    ['user'],
    ['exported_zone', 'host'],
    ['none'],
  ],
);

export const question: fc.Arbitrary<Question> = fc
  .record({
    type: fc.constantFrom(...DELTAS, ...GAUGES),
    matchers: fc.oneof(
      { weight: 2, arbitrary: fc.constant<Matcher[]>([]) },
      { weight: 1, arbitrary: fc.array(matcher, { minLength: 1, maxLength: 2 }) },
    ),
    range,
    by,
    steps: fc.integer({ min: 1, max: 12 }),
    unitMs: fc.constantFrom(1, MINUTE_MS),
  })
  .map(({ steps, unitMs, ...rest }) => {
    const lengthMs = rest.range.to - rest.range.from;
    const stepMs = Math.max(1, Math.ceil(lengthMs / steps / unitMs)) * unitMs;
    return { ...rest, stepMs };
  });

/** Answers by name; each is plain data without an order that nothing promises. */
export async function answerAll(store: Store, asked: Question): Promise<Record<string, unknown>> {
  const { matchers, range, by: labels, stepMs } = asked;
  const type = parseProfileType(asked.type);
  const selection = { type, matchers, range };
  const both = await store.mergeAndSummarize(selection, labels);
  const profiles = await store.profiles(selection, 10_000);
  const agents = await store.agents(range);
  const timeline = await store.timeline(selection, labels, stepMs);
  return {
    merge: await mergeAnswer(store, asked),
    mergeBeside: mergeValues(store, both.merged),
    summary: summaryAnswer(await store.summary(selection)),
    summaryBeside: summaryAnswer(both.summary),
    timeline: Object.fromEntries(
      timeline
        .filter(({ value }) => value.some((at) => !Number.isNaN(at)))
        .map((group) => [
          groupText(group.labels),
          { value: [...group.value], samples: [...group.samples] },
        ]),
    ),
    coveredMs: await store.coveredMs(selection),
    profiles: profiles
      .map((profile) => ({
        ...profile,
        types: profile.types.map(formatProfileType).sort(),
        comments: [...profile.comments].sort(),
      }))
      .sort((a, b) => (profileText(a) < profileText(b) ? -1 : 1)),
    agents,
    listed: await listedAnswer(store, { type, matchers }),
  };
}

/** That no event was sampled and that none is known says the same of profiles without a sample. */
function summaryAnswer(summary: SelectionSummary): SelectionSummary {
  return { ...summary, samples: summary.samples || null };
}

/** Of all times: within a range a store may also list what a series has before and after it. */
async function listedAnswer(store: Store, selection: MetaSelection): Promise<unknown> {
  const { matchers } = selection;
  return {
    types: (await store.profileTypes({ matchers })).map(formatProfileType),
    names: await store.labelNames(selection),
    users: await store.labelValues('user', { matchers }),
    hosts: await store.labelValues('host', selection),
  };
}

async function mergeAnswer(store: Store, asked: Question): Promise<Record<string, number>> {
  const { matchers, range } = asked;
  const selection = { type: parseProfileType(asked.type), matchers, range };
  return mergeValues(store, await store.merge(selection, asked.by));
}

function mergeValues(
  store: Store,
  merged: Awaited<ReturnType<Store['merge']>>,
): Record<string, number> {
  const snapshot = store.snapshot();
  const values: Record<string, number> = {};
  for (const [row, stack] of merged.stack.entries()) {
    const labels = merged.groups[merged.group[row] as number] ?? {};
    const key = `${groupText(labels)} ${stackText(snapshot, stack)}`;
    if (key in values) throw new Error(`the merge has ${key} twice`);
    const value = merged.value[row] as number;
    if (merged.integer && !Number.isInteger(value)) throw new Error(`${value} is no count`);
    values[key] = value * merged.multiplier;
  }
  return values;
}

function groupText(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort());
}

function profileText({ tsMs, labels }: { tsMs: number; labels: Labels }): string {
  return `${tsMs} ${groupText(labels)}`;
}

export function questionText(asked: Question): string {
  const { from, to } = asked.range;
  const selector = formatSelector({ type: parseProfileType(asked.type), matchers: asked.matchers });
  return `${selector} ${from}..${to} by ${asked.by.join()} step ${asked.stepMs}`;
}
