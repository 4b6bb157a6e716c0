import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { EpochMs } from '../../../profile/units.ts';
import { type DrawnProfile, drawBatch } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const OFF_CPU = 'off_cpu:off_cpu:nanoseconds:off_cpu:nanoseconds';
const HEAP = 'memory:inuse_space:bytes:space:bytes';
/** The times of questions count from here. */
const T0 = 1_700_000_000_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** 2023-11-15: blocks of two days. */
const MIDNIGHT = 1_700_006_400_000;

async function openStore(): Promise<{ store: EmbeddedStore; dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-coverage-'));
  const store = await openDuckStore({ dataDir, threads: 2, nowMs: () => MIDNIGHT + 72 * HOUR_MS });
  onTestFinished(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });
  return { store, dataDir };
}

async function filesOf(dataDir: string, table: string): Promise<string[]> {
  const folder = join(dataDir, 'blocks');
  const names = (await readdir(folder)).filter((name) => name.includes(`.${table}.`));
  return names.map((name) => join(folder, name));
}

/** At a minute, and before or after it by less than one; an hour ago and at midnight. */
const timeMs = fc
  .tuple(
    fc.constantFrom(-HOUR_MS, 0, 0, 0, 0, 0, 0),
    fc.integer({ min: -1, max: 1 }),
    fc.constantFrom(-1, 0, 0, 30_000),
  )
  .map(([base, minute, more]) => MIDNIGHT + base + minute * MINUTE_MS + more);

const drawn = fc.record({
  service: fc.constantFrom('s0', 's1'),
  host: fc.nat(20),
  period: fc.constantFrom(0, 100, 100, 250),
  types: fc.constantFrom<string[]>([CPU], [`${SAMPLES}=>${CPU}`], [OFF_CPU, HEAP], [CPU, SAMPLES]),
  tsMs: timeMs,
  durationMs: fc.constantFrom(1, 0.25, 999.5, 10_000, 10_000, 60_000, 90_500.25, HOUR_MS),
  values: fc.array(fc.nat(9), { minLength: 1, maxLength: 6 }),
  ownTimeMs: fc.constantFrom(0, 0, 1, 40_000),
});

type Drawn = typeof drawn extends fc.Arbitrary<infer T> ? T : never;

function profileOf(row: Drawn, pod: string): DrawnProfile {
  const { service, host, period, tsMs, durationMs, values, ownTimeMs } = row;
  const stacks = (own: string): string =>
    values.map((value, at) => `${at % 2 === 0 ? 'a' : 'a;b'} ${value}${own}`).join('\n');
  // A gauge's samples have the time of their profile.
  const own = (type: string): string =>
    ownTimeMs === 0 || type === HEAP ? '' : ` @${tsMs + ownTimeMs}`;
  return {
    // Each is of a series of its own, since profiles that meet in one are joined when they are sealed.
    labels: { service_name: service, host: `h${host}`, pod },
    period,
    tsMs,
    durationMs,
    types: Object.fromEntries(row.types.map((type) => [type, stacks(own(type))])),
  };
}

const question = fc.record({
  selector: fc
    .tuple(
      fc.constantFrom(CPU, SAMPLES, OFF_CPU, HEAP),
      fc.constantFrom('', '', '{service_name="s1"}', '{service_name=~"s.*"}', '{host="h1"}'),
    )
    .map((parts) => parts.join('')),
  by: fc.constantFrom([], ['service_name'], ['service_name'], ['host']),
  fromMs: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: -70, max: 3 }).map((minute) => minute * MINUTE_MS) },
    { weight: 1, arbitrary: timeMs.map((ms) => ms - MIDNIGHT) },
  ),
  lengthMs: fc.oneof(
    fc.integer({ min: 1, max: 80 }).map((minutes) => minutes * MINUTE_MS),
    fc.integer({ min: 1, max: 5 * MINUTE_MS }),
  ),
  stepMs: fc.constantFrom(MINUTE_MS, MINUTE_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 70_000),
});

async function answersOf(
  store: EmbeddedStore,
  { selector, by, fromMs, lengthMs, stepMs }: ReturnType<typeof question.generate>['value'],
): Promise<unknown> {
  const start = MIDNIGHT - T0 + fromMs;
  const selection = select(selector, start, start + lengthMs);
  const timeline = await store.timeline(selection, by, stepMs);
  return {
    points: timeline
      .map(({ labels, value, samples }) => JSON.stringify([labels, [...value], [...samples]]))
      .sort(),
    coveredMs: await store.coveredMs(selection),
    summary: await store.summary(selection),
  };
}

interface World {
  batches: Drawn[][];
  deleted: { host: number; fromMs: number } | null;
  isMerged: boolean;
  /** Some profiles that do not say how long they took, or that took over an hour. */
  odd: 'none' | 'unknown' | 'long';
}

const world: fc.Arbitrary<World> = fc.record({
  batches: fc.array(fc.array(drawn, { minLength: 200, maxLength: 260 }), {
    minLength: 2,
    maxLength: 3,
  }),
  deleted: fc.option(fc.record({ host: fc.nat(20), fromMs: timeMs })),
  isMerged: fc.boolean(),
  odd: fc.constantFrom('none', 'none', 'none', 'unknown', 'long'),
});

/** The same in both: sealed but for the third batch, and as rows that were never sealed. */
async function makeStores({ batches, deleted, isMerged, odd }: World) {
  const { store: sealed, dataDir } = await openStore();
  const { store: hot } = await openStore();
  const oddMs = { none: 10_000, unknown: 0, long: 2 * HOUR_MS }[odd];
  for (const [at, rows] of batches.entries()) {
    const profiles = rows.map((row, number) => profileOf(row, `${at}-${number}`));
    const [first] = profiles;
    if (first !== undefined && at === 0) first.durationMs = oddMs;
    for (const store of [sealed, hot]) {
      await store.write(drawBatch(store.idKey, { id: `b${at}`, profiles }));
    }
    if (at < 2) await sealed.seal();
  }
  for (const store of deleted === null ? [] : [sealed, hot]) {
    const matchers = [{ name: 'host', op: '=', value: `h${deleted?.host}` }] as const;
    const from = deleted?.fromMs ?? 0;
    const range = { from: from as EpochMs, to: (from + HOUR_MS) as EpochMs };
    await store.deleteProfiles({ matchers: [...matchers], range }, false);
  }
  if (isMerged) await sealed.maintain();
  return { sealed, hot, dataDir };
}

describe('blocks tell sums and times of whole minutes beside their rows', () => {
  test('answers are those of the rows', async () => {
    const files = { totals: 0, spans: 0 };
    const questions = fc.array(question, { minLength: 16, maxLength: 16 });
    await fc.assert(
      fc.asyncProperty(world, questions, async (drawn, asked) => {
        const { sealed, hot, dataDir } = await makeStores(drawn);
        files.totals += (await filesOf(dataDir, 'totals')).length;
        files.spans += (await filesOf(dataDir, 'spans')).length;
        for (const each of asked) {
          expect(await answersOf(sealed, each)).toEqual(await answersOf(hot, each));
        }
      }),
      { seed: 3, numRuns: 6, endOnFailure: true },
    );
    expect(files.totals).toBeGreaterThan(8);
    expect(files.spans).toBeGreaterThan(8);
  }, 120_000);

  /** Each of three pods has a profile of ten seconds in every minute of an hour. */
  async function fill(
    store: EmbeddedStore,
    more: (minute: number) => Partial<DrawnProfile> = () => ({}),
  ): Promise<void> {
    const profiles = Array.from({ length: 180 }, (_, at) => {
      const [minute, pod] = [Math.floor(at / 3), at % 3];
      return {
        labels: { service_name: 's', host: `h${pod}` },
        tsMs: MIDNIGHT + minute * MINUTE_MS + pod * 4_000,
        durationMs: 10_000,
        period: 10,
        types: { [CPU]: 'a;b 10\nc 20' },
        ...more(minute),
      };
    });
    await store.write(drawBatch(store.idKey, { id: 'b', profiles }));
    await store.seal();
  }

  const ask = (store: EmbeddedStore, stepMs: number, fromMs = 0) =>
    answersOf(store, { selector: CPU, by: [], fromMs, lengthMs: 4 * stepMs, stepMs });

  test('which are not read then', async () => {
    const { store, dataDir } = await openStore();
    await fill(store);
    const points = [JSON.stringify([{}, [900, 900, 900, 900], [90, 90, 90, 90]])];
    const summary = await store.summary(select(CPU, MIDNIGHT - T0, MIDNIGHT - T0 + 40 * MINUTE_MS));
    for (const file of await filesOf(dataDir, 'samples')) {
      await chmod(file, 0o644);
      await writeFile(file, (await readFile(file)).fill(0));
    }
    const answers = await ask(store, 10 * MINUTE_MS);
    expect(answers).toEqual({ points, coveredMs: 40 * 18_000, summary });
    expect(store.stats().damagedBlocks).toBe(0);
    // Steps that begin within minutes have to look at the rows.
    await ask(store, 10 * MINUTE_MS, 1);
    expect(store.stats().damagedBlocks).toBe(1);
  });

  test.each([
    ['as long as ranges look back', HOUR_MS, 1, HOUR_MS + 8_000],
    ['longer', HOUR_MS + 1, 0, HOUR_MS + 8_001],
    ['not told', 0, 1, null],
  ])('a profile whose length is %s', async (_, durationMs, files, coveredMs) => {
    const { store, dataDir } = await openStore();
    await fill(store, (minute) => (minute === 9 ? { durationMs } : {}));
    expect((await filesOf(dataDir, 'spans')).length).toBe(files);
    const coveredFrom = async (minute: number): Promise<number | null> => {
      const fromMs = MIDNIGHT - T0 + minute * MINUTE_MS;
      return store.coveredMs(select(CPU, fromMs, fromMs + 2 * HOUR_MS));
    };
    expect(await coveredFrom(9)).toBe(coveredMs);
    expect(await coveredFrom(10)).toBe(50 * 18_000);
  });

  test.each([
    ['begins before the end of the range', 2_000, 0],
    ['begins at it', 1_000, Number.NaN],
  ])('a profile without a sample that %s', async (_, lengthMs, value) => {
    const { store, dataDir } = await openStore();
    const last = { tsMs: MIDNIGHT + 20 * MINUTE_MS + 1_000, types: { [CPU]: '' } };
    await fill(store, (minute) => (minute === 20 ? last : {}));
    expect((await filesOf(dataDir, 'spans')).length).toBe(1);
    const start = MIDNIGHT - T0;
    const selection = select(CPU, start, start + 20 * MINUTE_MS + lengthMs);
    const [line] = await store.timeline(selection, [], MINUTE_MS);
    expect([...(line?.value ?? [])].slice(-2)).toEqual([90, value]);
  });
});
