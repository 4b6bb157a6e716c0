import { chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DrawnProfile, drawBatch, mergeText } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import type { DerivedTable } from '../blocks/block.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const OFF_CPU = 'off_cpu:off_cpu:nanoseconds:off_cpu:nanoseconds';
const HEAP = 'memory:inuse_space:bytes:space:bytes';
/** Of two row types: its own rows, and counts times their period. */
const TYPES = [CPU, `${SAMPLES}=>${CPU}`, OFF_CPU, HEAP];
/** The tests' times begin 800 s after an hour. */
const T0 = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const HOUR_START = -800_000;

async function openStore(): Promise<{ store: EmbeddedStore; dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-rollup-'));
  const store = await openDuckStore({ dataDir, threads: 2 });
  onTestFinished(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });
  return { store, dataDir };
}

async function filesOf(dataDir: string, table: 'samples' | DerivedTable): Promise<string[]> {
  const folder = join(dataDir, 'blocks');
  const names = (await readdir(folder)).filter((name) => name.includes(`.${table}.`));
  return names.map((name) => join(folder, name));
}

const stacks = fc
  .array(
    fc.tuple(
      fc.constantFrom('', '', '', '[thread=x] '),
      fc.constantFrom('a', 'a;b'),
      fc.integer({ min: 1, max: 9 }),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((lines) => lines.map(([labels, stack, value]) => `${labels}${stack} ${value}`).join('\n'));

const profile = fc.record({
  service: fc.constantFrom('s0', 's1'),
  host: fc.constantFrom('h0', 'h1'),
  period: fc.constantFrom(100, 250),
  type: fc.constantFrom(...TYPES),
  minute: fc.integer({ min: 0, max: 5 * 60 }),
  stacks,
});

type DrawnRow = typeof profile extends fc.Arbitrary<infer T> ? T : never;

function drawnOf({ service, host, period, type, minute, stacks }: DrawnRow): DrawnProfile {
  return {
    labels: { service_name: service, host },
    period,
    tsMs: T0 + minute * 60_000,
    durationMs: 60_000,
    types: { [type]: stacks },
  };
}

const question = fc.record({
  type: fc.constantFrom(CPU, SAMPLES, OFF_CPU, HEAP),
  matchers: fc.constantFrom(
    '',
    '',
    '{service_name="s1"}',
    '{service_name=~"s[12]"}',
    '{host="h0"}',
    '{thread="x"}',
  ),
  by: fc.constantFrom([], [], ['service_name'], ['host'], ['thread']),
  fromMs: fc.oneof(
    fc.integer({ min: -2, max: 4 }).map((hour) => HOUR_START + hour * HOUR_MS),
    fc.integer({ min: -HOUR_MS, max: 4 * HOUR_MS }),
  ),
  lengthMs: fc.oneof(
    fc.integer({ min: 1, max: 6 }).map((hours) => hours * HOUR_MS),
    fc.integer({ min: 1, max: 6 * HOUR_MS }),
  ),
  stepHours: fc.constantFrom(0.7, 1, 2),
});

/** What is hot is never read from roll-ups. */
async function sameAnswer(
  {
    type,
    matchers,
    by,
    fromMs,
    lengthMs,
    stepHours,
  }: ReturnType<typeof question.generate>['value'],
  [sealed, hot]: [EmbeddedStore, EmbeddedStore],
): Promise<void> {
  const selection = select(type + matchers, fromMs, fromMs + lengthMs);
  const answers = await Promise.all(
    [sealed, hot].map(async (store) => {
      const { merged, summary } = await store.mergeAndSummarize(selection, by);
      const timeline = await store.timeline(selection, by, stepHours * HOUR_MS);
      const points = timeline.map(({ labels, value, samples }) =>
        JSON.stringify([labels, [...value], [...samples]]),
      );
      return { lines: mergeText(store.snapshot(), merged), summary, points: points.sort() };
    }),
  );
  expect(answers[0]).toEqual(answers[1]);
}

describe('whole hours of blocks are read from their roll-ups', () => {
  test('answers are those of the samples', async () => {
    const batches = fc.array(fc.array(profile, { minLength: 100, maxLength: 200 }), {
      minLength: 2,
      maxLength: 3,
    });
    const questions = fc.array(question, { minLength: 16, maxLength: 16 });
    let files = 0;
    await fc.assert(
      fc.asyncProperty(batches, questions, fc.boolean(), async (drawn, asked, isMerged) => {
        const { store: sealed, dataDir } = await openStore();
        const { store: hot } = await openStore();
        for (const [at, rows] of drawn.entries()) {
          const profiles = rows.map(drawnOf);
          for (const store of [sealed, hot]) {
            await store.write(drawBatch(store.idKey, { id: `b${at}`, profiles }));
          }
          if (at < 2) await sealed.seal();
        }
        if (isMerged) await sealed.maintain();
        files += (await filesOf(dataDir, 'rollup')).length;
        for (const each of asked) await sameAnswer(each, [sealed, hot]);
      }),
      { seed: 7, numRuns: 5, endOnFailure: true },
    );
    expect(files).toBeGreaterThan(5);
  }, 120_000);

  /** An hour with a stack over and over, then a few minutes of the next one; two pods at a time. */
  async function fill(store: EmbeddedStore): Promise<void> {
    const profiles = Array.from({ length: 24 }, (_, at) => ({
      labels: { service_name: 's', host: `h${at % 2}` },
      tsMs: T0 + HOUR_START + (at >> 1) * 360_000,
      durationMs: 10_000,
      types: { [CPU]: 'a;b 1\nc 2' },
    }));
    await store.write(drawBatch(store.idKey, { id: 'b', profiles }));
    await store.seal();
  }

  const ask = async (store: EmbeddedStore, toMs: number, matchers = ''): Promise<string[]> => {
    const selection = select(CPU + matchers, HOUR_START, HOUR_START + toMs);
    return mergeText(store.snapshot(), await store.merge(selection, []));
  };

  test('and only where they say enough', async () => {
    const { store, dataDir } = await openStore();
    await fill(store);
    const [samples = ''] = await filesOf(dataDir, 'samples');
    await chmod(samples, 0o644);
    const bytes = await readFile(samples);
    await writeFile(samples, bytes.fill(0));
    // The samples are never looked at here.
    expect(await ask(store, HOUR_MS, '{service_name="s"}')).toEqual(['a;b 20', 'c 40']);
    expect(await ask(store, 2 * HOUR_MS)).toEqual(['a;b 24', 'c 48']);
    expect(store.stats().damagedBlocks).toBe(0);
    expect(await ask(store, HOUR_MS, '{host="h0"}')).toEqual([]);
    expect(store.stats().damagedBlocks).toBe(1);
  });

  test.each([
    ['in use', 'rollup'],
    ['at start', 'rollup'],
    ['in use', 'totals'],
    ['at start', 'totals'],
    ['in use', 'spans'],
    ['at start', 'spans'],
  ] as const)('damage costs nothing, %s, of %s', async (when, table) => {
    const opened = await openStore();
    const { dataDir } = opened;
    await fill(opened.store);
    if (when === 'at start') await opened.store.close();
    const [file = ''] = await filesOf(dataDir, table);
    await chmod(file, 0o644);
    await truncate(file, 60);
    const reopen = () => openDuckStore({ dataDir, threads: 2 });
    let store = when === 'at start' ? await reopen() : opened.store;
    onTestFinished(() => store.close());
    const askAll = async (): Promise<unknown> => {
      const selection = select(CPU, HOUR_START, HOUR_START + 2 * HOUR_MS);
      const [line] = await store.timeline(selection, [], HOUR_MS);
      const coveredMs = await store.coveredMs(selection);
      return [await ask(store, HOUR_MS), [...(line?.value ?? [])], coveredMs];
    };
    const answers = [['a;b 20', 'c 40'], [60, 12], 12 * 10_000];
    expect(await askAll()).toEqual(answers);
    expect(store.stats()).toMatchObject({ damagedBlocks: 0, samples: 48 });
    expect(await filesOf(dataDir, table)).toEqual([]);
    expect((await readdir(join(dataDir, 'set-aside'))).length).toBe(1);
    await store.close();
    store = await reopen();
    expect(await askAll()).toEqual(answers);
  });

  test('sums over 64 bits have none', async () => {
    const { store, dataDir } = await openStore();
    const profiles = Array.from({ length: 8 }, (_, at) => ({
      labels: {},
      tsMs: T0 + at,
      types: { [CPU]: `a ${2n ** 62n}` },
    }));
    await store.write(drawBatch(store.idKey, { id: 'b', profiles }));
    await store.seal();
    expect(store.stats()).toMatchObject({ hotSamples: 0, samples: 8 });
    expect(await filesOf(dataDir, 'rollup')).toEqual([]);
    expect(await filesOf(dataDir, 'totals')).toEqual([]);
  });
});
