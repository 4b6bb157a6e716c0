import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { EpochMs } from '../../../profile/units.ts';
import { drawBatch, mergeText } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';
import type { DuckStoreOptions } from '../sql/database.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
/** Where the conformance suite's selections begin; the start of a UTC day is 1:46:40 before it. */
const T0 = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function openStore(options: Partial<DuckStoreOptions> = {}): Promise<EmbeddedStore> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'everflame-upkeep-')));
  const store = await openDuckStore({ dataDir, threads: 2, ...options });
  onTestFinished(async () => {
    await store.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  return store;
}

/** A profile of one stack so many hours after T0. */
async function put(store: EmbeddedStore, hour: number, service = 's0'): Promise<void> {
  const labels = { host: `h${hour % 3}`, service_name: service };
  const types = { [CPU]: `all;${service};h${hour} 1` };
  const profile = { labels, tsMs: T0 + hour * HOUR_MS, types };
  await store.write(drawBatch(store.idKey, { id: `${hour} ${service}`, profiles: [profile] }));
}

async function merge(store: EmbeddedStore): Promise<string> {
  const merged = await store.merge(select(CPU, 0, 100 * DAY_MS), []);
  const lines = mergeText(store.snapshot(), merged);
  return lines.map((line) => line.replace('all;', '').replace(' 1', '')).join(' ');
}

const NO_MATCHERS = { matchers: [] };

/** Cuts the first sealed file of samples in two. */
async function tear(dataDir: string): Promise<void> {
  const names = (await readdir(join(dataDir, 'blocks'))).sort();
  const path = join(dataDir, 'blocks', names.find((name) => name.includes('.samples.')) ?? '');
  await truncate(path, Math.floor((await stat(path)).size / 2));
}

test('a damaged block is set aside by what meets it; the others are merged and deleted', async () => {
  for (const job of ['merge', 'delete'] as const) {
    const dataDir = await mkdtemp(join(tmpdir(), 'everflame-upkeep-'));
    const store = await openStore({ dataDir });
    for (const hour of [0, 1, 2, 24, 25]) {
      await put(store, hour);
      await store.seal();
    }
    await tear(dataDir);
    if (job === 'merge') await store.maintain();
    else
      await store.deleteProfiles(
        { ...NO_MATCHERS, range: select(CPU, 0, 3 * HOUR_MS).range },
        false,
      );
    expect(store.stats().damagedBlocks).toBe(1);
    const left = job === 'merge' ? 's0;h1 s0;h2 s0;h24 s0;h25' : 's0;h24 s0;h25';
    expect(await merge(store)).toBe(left);
  }
});

test('blocks of a day become one; late rows join; nothing changes in answers', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-upkeep-'));
  const store = await openStore({ dataDir });
  for (const hour of [0, 1, 2, 24, 25]) {
    await put(store, hour);
    await store.seal();
  }
  const before = await merge(store);
  expect(before).toBe('s0;h0 s0;h1 s0;h2 s0;h24 s0;h25');
  await store.maintain();
  expect(await merge(store)).toBe(before);
  expect(store.stats()).toMatchObject({ samples: 5, profiles: 5, blocks: 3, blockMerges: 3 });
  // Late, and again what is there already.
  await put(store, 3);
  await put(store, 1, 's1');
  await store.seal();
  await store.maintain();
  expect(store.stats()).toMatchObject({ samples: 7, profiles: 7, blocks: 3 + 1 });
  // Files that nothing refers to any more are removed when they are.
  await vi.waitFor(async () => {
    expect(await readdir(join(dataDir, 'blocks'))).toHaveLength(4);
  });
  const answers = await merge(store);
  await store.close();
  const again = await openStore({ dataDir });
  expect(await merge(again)).toBe(answers);
  expect(again.stats()).toMatchObject({ samples: 7, profiles: 7, orphansRemoved: 0 });
});

test('a read that began before a merge goes on over the files it saw', async () => {
  const store = await openStore();
  for (let hour = 0; hour < 12; hour++) {
    await put(store, hour);
    await store.seal();
  }
  const reads = Array.from({ length: 20 }, () => merge(store));
  const [answers] = await Promise.all([Promise.all(reads), store.maintain()]);
  expect(new Set(answers)).toEqual(new Set([await merge(store)]));
});

test('what is older than the retention goes, block by block, and is not taken', async () => {
  let now = T0 + 2 * DAY_MS;
  const store = await openStore({ retentionAgeMs: 3 * DAY_MS, nowMs: () => now });
  for (const hour of [0, 24, 48]) await put(store, hour, hour === 0 ? 'old' : 'young');
  await store.seal();
  await put(store, 1, 'late');
  await store.maintain();
  expect(await merge(store)).toBe('late;h1 old;h0 young;h24 young;h48');
  now = T0 + 4 * DAY_MS;
  await store.maintain();
  expect(await merge(store)).toBe('young;h24 young;h48');
  expect(store.stats()).toMatchObject({ samples: 2, profiles: 2, expiredSamples: 2, blocks: 3 });
  expect(await store.labelValues('service_name', NO_MATCHERS)).toEqual(['young']);
  await expect(put(store, 23)).rejects.toMatchObject({
    kind: 'unprocessable',
    message:
      'a profile is of 2023-11-15T21:13:20.000Z, profiles before 2023-11-15T22:13:20.000Z are not kept',
    limit: '--retention-age',
  });
  expect(await store.status()).toMatchObject({
    retentionAgeMs: 3 * DAY_MS,
    oldestMs: T0 + DAY_MS,
    limitedBy: 'age',
    damaged: [],
  });
});

test('a clock that jumps back removes nothing', async () => {
  let now = T0 + DAY_MS;
  const store = await openStore({ retentionAgeMs: DAY_MS, nowMs: () => now });
  await put(store, 12);
  await store.seal();
  now = T0 - 300 * DAY_MS;
  await store.maintain();
  expect(await merge(store)).toBe('s0;h12');
  expect(store.stats()).toMatchObject({ expiredSamples: 0, failedUpkeeps: 0 });
});

test('over the bytes, the oldest blocks go', async () => {
  const store = await openStore({ retentionBytes: 1 });
  for (const hour of [0, 24]) {
    await put(store, hour);
    await store.seal();
  }
  await put(store, 48);
  await store.maintain();
  expect(await merge(store)).toBe('s0;h48');
  expect(await store.status()).toMatchObject({ limitedBy: 'bytes', retentionBytes: 1 });
});

test('a selection is deleted from hot rows and blocks alike, and counted first', async () => {
  const store = await openStore();
  for (const hour of [0, 1, 24]) {
    for (const service of ['s0', 's1']) await put(store, hour, service);
  }
  await store.seal();
  for (const service of ['s0', 's1']) await put(store, 2, service);
  const range = select(CPU, HOUR_MS, 24 * HOUR_MS).range;
  const { matchers } = select(`${CPU}{service_name="s1"}`, 0, 1);
  const found = { profiles: 2, samples: 2, blocks: 1 };
  expect(await store.deleteProfiles({ matchers, range }, true)).toEqual(found);
  expect(await merge(store)).toBe('s0;h0 s0;h1 s0;h2 s0;h24 s1;h0 s1;h1 s1;h2 s1;h24');
  expect(await store.deleteProfiles({ matchers, range }, false)).toEqual(found);
  expect(await merge(store)).toBe('s0;h0 s0;h1 s0;h2 s0;h24 s1;h0 s1;h24');
  expect(store.stats()).toMatchObject({ samples: 6, profiles: 6, deletedSamples: 2 });
  const all = select(CPU, 0, 100 * DAY_MS).range;
  await store.deleteProfiles({ matchers, range: all }, false);
  expect(await store.labelValues('service_name', NO_MATCHERS)).toEqual(['s0']);
  await store.deleteProfiles({ matchers: [], range: all }, false);
  expect(await merge(store)).toBe('');
  expect(store.stats()).toMatchObject({ samples: 0, profiles: 0, hotSamples: 0 });
});

test('series of which nothing is left are forgotten at start, and come back as new ones', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-upkeep-'));
  let now = T0 + 2 * DAY_MS;
  const options = { dataDir, retentionAgeMs: 3 * DAY_MS, nowMs: () => now };
  const store = await openStore(options);
  // Hosts differ by the hour: three series of s0, then one of s1.
  for (const hour of [0, 1, 2]) await put(store, hour);
  for (const hour of [48, 49]) await put(store, hour, 's1');
  await store.seal();
  now = T0 + 4 * DAY_MS;
  await store.maintain();
  await store.close();
  const again = await openStore(options);
  for (const hour of [50, 51, 52]) await put(again, hour);
  for (const hour of [50, 51, 52]) await put(again, hour, 's1');
  await again.seal();
  expect(await merge(again)).toBe('s0;h50 s0;h51 s0;h52 s1;h48 s1;h49 s1;h50 s1;h51 s1;h52');
  const { matchers, type, range } = select(`${CPU}{service_name="s1",host="h0"}`, 0, 100 * DAY_MS);
  const merged = await again.merge({ type, matchers, range }, ['host']);
  expect(mergeText(again.snapshot(), merged)).toEqual([
    '{host=h0} all;s1;h48 1',
    '{host=h0} all;s1;h51 1',
  ]);
  await again.close();
  const third = await openStore(options);
  expect(await merge(third)).toContain('s1;h48 s1;h49 s1;h50');
});

test('rows that come while others are deleted stay', async () => {
  const store = await openStore();
  for (let hour = 0; hour < 4; hour++) await put(store, hour, 'gone');
  await store.seal();
  const { matchers, range } = select(`${CPU}{service_name="gone"}`, 0, 100 * DAY_MS);
  const writes = Array.from({ length: 20 }, (_, hour) => put(store, hour, 'kept'));
  await Promise.all([store.deleteProfiles({ matchers, range }, false), ...writes]);
  expect(store.stats()).toMatchObject({ samples: 20, profiles: 20 });
  expect(await store.labelValues('service_name', NO_MATCHERS)).toEqual(['kept']);
});

test('whatever an agent claims of its windows, they are sealed and told', async () => {
  const store = await openStore();
  const most = Number.MAX_SAFE_INTEGER;
  const windows = Array.from({ length: 2_100 }, (_, at) => ({
    seq: at % 2 === 0 ? 0 : most,
    startMs: (T0 + at) as EpochMs,
    lengthMs: most,
    frequencyHz: Number.MAX_VALUE,
    counters: { sampled: most, sent: most },
  }));
  const agent = { id: 'a', host: 'h', version: '1', kernel: '6' };
  const profile = { labels: { host: 'h' }, tsMs: T0, types: { [CPU]: 'all 1' } };
  await store.write(drawBatch(store.idKey, { id: 'w', agent, windows, profiles: [profile] }));
  await store.seal();
  expect(store.stats()).toMatchObject({ hotSamples: 0, failedSeals: 0 });
  const [row] = await store.agents(select(CPU, 0, HOUR_MS).range);
  expect(row?.totals).toMatchObject({ windows: 2_100, counters: { sent: 2 ** 63 } });
  expect(await merge(store)).toBe('all');
});
