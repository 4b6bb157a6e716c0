/** Random worlds: what is pushed, in which order, and when blocks are made in between. */
import fc from 'fast-check';
import type { Matcher } from '../../profile/select/selector.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type { WindowRow } from '../../store/store.ts';
import type { DrawnBatch, DrawnProfile } from '../conformance/drawn-batch.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const COUNT = 'process_cpu:samples:count:cpu:nanoseconds';
const WALL = 'wall:wall:nanoseconds:wall:nanoseconds';
const BYTES = 'io:bytes:bytes::';
const HEAP = 'memory:inuse_space:bytes:space:bytes';
const GOROUTINES = 'goroutines:goroutines:count::';
export const DELTAS = [CPU, COUNT, WALL, BYTES];
export const GAUGES = [HEAP, GOROUTINES];

/** Midnight, so that profiles lie on two days. */
export const T0 = Date.UTC(2026, 10, 20);
export const HOUR_MS = 3_600_000;

export type Step =
  | { kind: 'write'; batch: DrawnBatch }
  | { kind: 'seal' }
  /** Rows up to a time only. */
  | { kind: 'seal-old'; beforeMs: number }
  /** Days that are over are merged. */
  | { kind: 'maintain' }
  | { kind: 'delete'; matchers: Matcher[]; range: TimeRange }
  | { kind: 'reopen' };

/** Before and after midnight, an hour ago, and on the next day. */
export const timeMs: fc.Arbitrary<number> = fc
  .tuple(
    fc.constantFrom(0, 0, 0, 0, -HOUR_MS, 24 * HOUR_MS),
    fc.oneof(
      fc.integer({ min: -6, max: 6 }).map((steps) => steps * 5_000),
      fc.integer({ min: -30_000, max: 30_000 }),
    ),
  )
  .map(([base, more]) => T0 + base + more);

const labels: fc.Arbitrary<Record<string, string>> = fc
  .record({
    service_name: fc.constantFrom('web', 'db'),
    host: fc.constantFrom('', 'h1', 'h2'),
    zone: fc.constantFrom('', '', 'x'),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')));

const frame = fc.constantFrom(
  ...['a', 'b', 'c', 'd', 'a@x.c:1', 'a@x.c:2', 'b@y.c:7', 'a+b', 'c@x.c:3+d@y.c:4', 'b+c+b'],
  ...['lib!a', 'lib!b@l.c:5', '[kernel]!k', 'lib!0x10', 'lib!0x20', 'lib!0x10'],
);
const stack = fc
  .array(frame, { minLength: 1, maxLength: 6, size: 'max' })
  .map((frames) => frames.join(';'));
const labelset = fc.constantFrom(
  ...['', '', '', '[user=u1] ', '[user=u2] ', '[user=u1,bytes=512 b] ', '[zone=in] ', '[app.k=v] '],
);
const value = fc.oneof(fc.nat(9), fc.nat(1_000_000), fc.constantFrom(0, 2 ** 40));

/** Of a delta, some samples have times of their own. */
function lines(profileMs: number, ownTimes: boolean): fc.Arbitrary<string> {
  const own = ownTimes
    ? fc.oneof(
        { weight: 5, arbitrary: fc.constant('') },
        {
          weight: 1,
          arbitrary: fc.integer({ min: 0, max: 4_999 }).map((ms) => ` @${profileMs + ms}`),
        },
      )
    : fc.constant('');
  const line = fc
    .tuple(labelset, stack, value, own)
    .map(([set, frames, number, time]) => `${set}${frames} ${number}${time}`);
  return fc.array(line, { maxLength: 6, size: 'max' }).map((all) => all.join('\n'));
}

/** What one kind of producer sends: the types of a series do not change. */
const PRODUCERS: readonly (readonly string[])[] = [
  [`${COUNT}=>${CPU}`],
  [CPU],
  [COUNT, CPU],
  [COUNT],
  [WALL],
  [BYTES],
  [HEAP],
  [GOROUTINES],
  [WALL, HEAP, GOROUTINES],
  [BYTES, GOROUTINES],
];

function hasSample(text: string): boolean {
  return / [1-9]\d*( @|$)/m.test(text);
}

const profile: fc.Arbitrary<DrawnProfile> = fc
  .record({
    labels,
    tsMs: timeMs,
    durationMs: fc.constantFrom(5_000, 10_000, 10_000, 20_000),
    period: fc.constantFrom(0, 1, 10, 10, 1e9 / 19),
    producer: fc.nat(PRODUCERS.length - 1),
    comments: fc.constantFrom<string[]>([], [], ['one'], ['two', 'one']),
  })
  .chain(({ producer, ...rest }) => {
    const types = PRODUCERS[producer] as readonly string[];
    const drawn = types.map((type) => lines(rest.tsMs, !GAUGES.includes(type)));
    return fc.tuple(...drawn).map((texts) => ({
      ...rest,
      // Of a type that has no sample in a profile without a period, stores may tell zero events or
      // none.
      period: texts.every(hasSample) ? rest.period : rest.period || 10,
      labels: { ...rest.labels, producer: `p${producer}` },
      types: Object.fromEntries(types.map((type, row) => [type, texts[row] ?? ''])),
    }));
  });

const counters = fc.record(
  { sampled: fc.nat(200), sent: fc.nat(200), lost_read: fc.nat(9) },
  { requiredKeys: ['sampled'] },
);
/** Numbers rise with time, but for a clock that jumped back, and one that is off. */
function windowOf(seq: number, counters: Record<string, number>): WindowRow {
  const jumpMs = seq % 7 === 3 ? -HOUR_MS : seq % 7 === 4 ? 5_000 : 0;
  const startMs = (T0 + jumpMs + (seq - 20) * 10_000) as EpochMs;
  return { seq, startMs, lengthMs: 10_000, frequencyHz: seq % 5 === 0 ? 99 : 19, counters };
}

const AGENTS = ['1', '2'].map((number) => ({
  id: `agent-${number}`,
  host: `h${number}`,
  version: '1.0',
  kernel: '6.1',
}));

/** Windows that never come by themselves have the numbers below. */
const FIRST_OWN_SEQ = 10;

/** A request's own window is its last; others are told late, or once more. */
const batch: fc.Arbitrary<DrawnBatch> = fc
  .record({
    number: fc.nat(30),
    profiles: fc.array(profile, { maxLength: 8, size: 'max' }),
    agent: fc.constantFrom(null, ...AGENTS),
    late: fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), counters), { maxLength: 2 }),
    counters,
  })
  .map(({ number, profiles, agent, late, counters: own }) => {
    const drawn = { id: `b${number}`, profiles };
    if (agent === null) return drawn;
    const windows = [...late, [FIRST_OWN_SEQ + number, own] as const];
    return { ...drawn, agent, windows: windows.map(([seq, counts]) => windowOf(seq, counts)) };
  });

/** A window is told late only after its own request, or without one. */
function orderReports(steps: readonly Step[]): Step[] {
  const reported = new Set<string>();
  return steps.map((one) => {
    if (one.kind !== 'write') return one;
    const { agent, windows = [], ...rest } = one.batch;
    if (agent === undefined) return one;
    const own = windows.at(-1)?.seq ?? 0;
    const mayBeTold = ({ seq }: WindowRow): boolean =>
      seq < FIRST_OWN_SEQ || reported.has(`${agent.id} ${seq}`);
    const bySeq = new Map(
      windows
        .slice(0, -1)
        .filter(mayBeTold)
        .map((late) => [late.seq, late]),
    );
    bySeq.delete(own);
    const kept = [...bySeq.values(), ...windows.slice(-1)];
    reported.add(`${agent.id} ${own}`);
    return { kind: 'write', batch: { ...rest, agent, windows: kept } };
  });
}

const deletion: fc.Arbitrary<Step> = fc
  .record({
    host: fc.constantFrom('h1', 'h2', ''),
    fromMs: timeMs,
    lengthMs: fc.constantFrom(1, 10_000, HOUR_MS),
  })
  .map(({ host, fromMs, lengthMs }) => ({
    kind: 'delete',
    matchers: [{ name: 'host', op: '=', value: host }],
    range: { from: fromMs as EpochMs, to: (fromMs + lengthMs) as EpochMs },
  }));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: batch.map((drawn): Step => ({ kind: 'write', batch: drawn })) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'seal' }) },
  { weight: 1, arbitrary: timeMs.map((ms): Step => ({ kind: 'seal-old', beforeMs: ms })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'maintain' }) },
  { weight: 1, arbitrary: deletion },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reopen' }) },
);

export const world: fc.Arbitrary<Step[]> = fc
  .array(step, { minLength: 3, maxLength: 12, size: 'max' })
  .map(orderReports);
