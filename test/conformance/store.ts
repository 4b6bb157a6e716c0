/** What every store must do, whatever it is built on; each implementation's test runs this. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { formatProfileType, parseProfileType } from '../../profile/select/profile-type.ts';
import { parseSelector } from '../../profile/select/selector.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type {
  AgentInfo,
  Selection,
  SelectionSummary,
  Store,
  StoreUpkeep,
  TimelineGroup,
  WindowRow,
} from '../../store/store.ts';
import { type DrawnBatch, type DrawnProfile, drawBatch, mergeText } from './drawn-batch.ts';
import { describeRandomWork } from './store-model.ts';
import { describeOrder } from './store-order.ts';

/** A store with what tests ask of its operators' side. */
export type ConformingStore = Store & Pick<StoreUpkeep, 'deleteProfiles'>;

/** Opens the store of a directory-like place; the same place opened again has the same content. */
export interface StorePlace {
  open: () => Promise<ConformingStore>;
  remove: () => Promise<void>;
}

export const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
export const COUNT = 'process_cpu:samples:count:cpu:nanoseconds';
const HEAP = 'memory:inuse_space:bytes:space:bytes';
const AGENT: AgentInfo = { id: 'a1', host: 'h1', version: '1.0', kernel: '6.1' };
const T0 = 1_700_000_000_000;

export function select(text: string, fromMs: number, toMs: number): Selection {
  const { type, matchers } = parseSelector(text);
  if (type === null) throw new Error('a selection needs a type');
  return { type, matchers, range: range(fromMs, toMs) };
}

function range(fromMs: number, toMs: number): TimeRange {
  return { from: (T0 + fromMs) as EpochMs, to: (T0 + toMs) as EpochMs };
}

async function merge(
  store: Store,
  text: string,
  fromMs = 0,
  toMs = 3_600_000,
  by: string[] = [],
): Promise<string[]> {
  const merged = await store.merge(select(text, fromMs, toMs), by);
  return mergeText(store.snapshot(), merged);
}

/** The summary, which is the same alone and beside the merge. */
async function summarize(store: Store, selection: Selection): Promise<SelectionSummary> {
  const summary = await store.summary(selection);
  const both = await store.mergeAndSummarize(selection, []);
  expect(both.summary).toEqual(summary);
  const alone = mergeText(store.snapshot(), await store.merge(selection, []));
  expect(mergeText(store.snapshot(), both.merged)).toEqual(alone);
  return summary;
}

function cpu(tsMs: number, stacks: string, labels = {}): DrawnProfile {
  return { labels: { service_name: 'app', ...labels }, tsMs: T0 + tsMs, types: { [CPU]: stacks } };
}

function heap(tsMs: number, stacks: string, labels = {}): DrawnProfile {
  const series = { service_name: 'app', ...labels };
  return { labels: series, tsMs: T0 + tsMs, types: { [HEAP]: stacks } };
}

function put(store: Store, id: string, ...profiles: DrawnProfile[]): Promise<void> {
  return store.write(drawBatch(store.idKey, { id, profiles }));
}

/** `1 2.5 - 4`, `-` where nothing covers the step. */
function series(values: Float64Array): string {
  return Array.from(values, (value) => (Number.isNaN(value) ? '-' : String(value))).join(' ');
}

function timelineText(groups: TimelineGroup[]): string[] {
  return groups
    .map(({ labels, value, samples }) => {
      const name = Object.entries(labels).map(([key, text]) => `${key}=${text}`);
      return `{${name.join(',')}} ${series(value)} | ${series(samples)}`;
    })
    .sort();
}

export function describeStore(name: string, makePlace: () => Promise<StorePlace>): void {
  async function openNew(): Promise<{ store: ConformingStore; place: StorePlace }> {
    const place = await makePlace();
    const store = await place.open();
    onTestFinished(async () => {
      await store.close();
      await place.remove();
    });
    return { store, place };
  }
  const newStore = async (): Promise<ConformingStore> => (await openNew()).store;

  describe(name, () => {
    describeWrites(newStore, openNew);
    describeSelectors(newStore);
    describeTypes(newStore);
    describeGauges(newStore);
    describeSampleLabels(newStore);
    describeTimelines(newStore);
    describeWindows(newStore);
    describeOrder(newStore, openNew);
    describeRandomWork(openNew);
  });
}

type NewStore = () => Promise<Store>;
type OpenNew = () => Promise<{ store: ConformingStore; place: StorePlace }>;

function describeWrites(newStore: NewStore, openNew: OpenNew): void {
  describe('writes', () => {
    test('an empty store answers with nothing', async () => {
      const store = await newStore();
      expect(await merge(store, CPU)).toEqual([]);
      expect(await store.profileTypes({ matchers: [] })).toEqual([]);
      expect(await store.agents(range(0, 1e6))).toEqual([]);
      expect(await summarize(store, select(CPU, 0, 1e6))).toEqual({
        series: 0,
        profiles: 0,
        samples: null,
        windows: null,
      });
      expect(store.snapshot().stacks.count).toBe(0);
      expect(await store.ready()).toBe(true);
    });

    test('stacks come back with their frames, inlined ones and long names too', async () => {
      const store = await newStore();
      const long = `f${'x'.repeat(9_000)}`;
      await put(store, 'b1', cpu(0, `main;work+hot;${long} 5\nmain 2\nmain;ä🔥 1`));
      expect(await merge(store, CPU)).toEqual(['main 2', `main;work+hot;${long} 5`, 'main;ä🔥 1']);
    });

    test('sums add up over profiles, batches and equal stacks of one profile', async () => {
      const store = await newStore();
      await put(store, 'b1', cpu(0, 'a;b 1\na;b 2'), cpu(10_000, 'a;b 4\na;c 8'));
      await put(store, 'b2', cpu(20_000, 'a;c 16'));
      expect(await merge(store, CPU)).toEqual(['a;b 7', 'a;c 24']);
      expect(await merge(store, CPU, 10_000, 20_000)).toEqual(['a;b 4', 'a;c 8']);
      expect(await merge(store, CPU, 10_001, 20_000)).toEqual([]);
    });

    test('a batch id is stored once, at once and after reopening', async () => {
      const { store, place } = await openNew();
      const batch = drawBatch(store.idKey, { id: 'b1', profiles: [cpu(0, 'a 1')] });
      await Promise.all([store.write(batch), store.write(batch), store.write(batch)]);
      await store.write(batch);
      expect(await merge(store, CPU)).toEqual(['a 1']);
      expect(store.stats().duplicateBatches).toBe(3);
      await store.close();
      const again = await place.open();
      onTestFinished(() => again.close());
      await again.write(batch);
      expect(await merge(again, CPU)).toEqual(['a 1']);
    });

    test('many writers at once', async () => {
      const store = await newStore();
      const writes = Array.from({ length: 200 }, (_, at) =>
        put(store, `b${at}`, cpu(at * 1_000, `main;f${at % 7} ${at + 1}\nmain 1`)),
      );
      await Promise.all(writes);
      const sums = [0, 0, 0, 0, 0, 0, 0];
      for (let at = 0; at < 200; at++) sums[at % 7] = (sums[at % 7] ?? 0) + at + 1;
      const expected = ['main 200', ...sums.map((sum, f) => `main;f${f} ${sum}`)];
      expect(await merge(store, CPU)).toEqual(expected);
      expect(store.stats()).toMatchObject({ samples: 400, profiles: 200, pendingBatches: 0 });
    });

    test('a read sees batches whole, with all their stacks, while others are written', async () => {
      const store = await newStore();
      let writing = true;
      const writes = Array.from({ length: 60 }, async (_, at) => {
        await new Promise((resolve) => setTimeout(resolve, at * 3));
        const fresh = cpu(0, `new;f${at} 1`, { pod: `p${at}` });
        await put(store, `b${at}`, cpu(0, `old;f${at} 1`), fresh);
      });
      const done = Promise.all(writes).finally(() => {
        writing = false;
      });
      for (let by: string[] = []; writing; by = by.length === 0 ? ['pod'] : []) {
        const lines = await merge(store, CPU, 0, 1e6, by);
        const count = (kind: string): number => lines.filter((line) => line.includes(kind)).length;
        expect(count('new;')).toBe(count('old;'));
      }
      await done;
      expect(await merge(store, CPU)).toHaveLength(120);
    });

    test('a batch that is refused leaves its neighbours alone and may come again', async () => {
      const store = await newStore();
      const bad = drawBatch(store.idKey, { id: 'bad', profiles: [cpu(0, 'a;x 1\na;y 2')] });
      const stacks = bad.samples.stack.slice();
      bad.samples.stack.fill(1);
      const [before, refused, after] = await Promise.allSettled([
        put(store, 'b1', cpu(0, 'a;b 1')),
        store.write(bad),
        put(store, 'b2', cpu(0, 'a;b 2')),
      ]);
      expect([before.status, refused.status, after.status]).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(await merge(store, CPU)).toEqual(['a;b 3']);
      bad.samples.stack.set(stacks);
      await store.write(bad);
      expect(await merge(store, CPU)).toEqual(['a;b 3', 'a;x 1', 'a;y 2']);
    });

    test.each<[string, (batch: ReturnType<typeof drawBatch>) => void]>([
      ['a profile beyond the table', (batch) => batch.samples.profile.fill(9)],
      ['a type beyond the table', (batch) => batch.samples.type.fill(9)],
      ['a label set beyond the table', (batch) => batch.samples.labelset.fill(9)],
      ['a negative value', (batch) => batch.samples.value.fill(-1)],
      ['a location beyond the table', (batch) => batch.stacks.locations.fill(99)],
      ['a function beyond the table', (batch) => batch.locations.lineFunction.fill(99)],
      ['a string beyond the table', (batch) => batch.functions.name.fill(99)],
      ['offsets out of order', (batch) => batch.stacks.offsets.fill(5)],
      ['bytes that are not UTF-8', (batch) => batch.strings.bytes.fill(0xff)],
      ['a time that is none', (batch) => batch.samples.tsMs.fill(Number.NaN)],
    ])('refused: %s', async (_, spoil) => {
      const store = await newStore();
      const batch = drawBatch(store.idKey, { id: 'b', profiles: [cpu(0, 'a;b 1')] });
      spoil(batch);
      await expect(store.write(batch)).rejects.toMatchObject({ name: 'EverflameError' });
      expect(await merge(store, CPU)).toEqual([]);
      expect(store.stats().samples).toBe(0);
    });

    test('what a snapshot shows does not change, and known stacks may be left out', async () => {
      const store = await newStore();
      await put(store, 'b1', cpu(0, 'a;b 1'));
      const first = store.snapshot();
      expect(store.snapshot()).toBe(first);
      const next = cpu(10_000, 'a;b 2\na;c 4');
      await store.write(drawBatch(store.idKey, { id: 'b2', profiles: [next], known: first }));
      expect(first.stacks.count).toBe(1);
      expect(store.snapshot().stacks.count).toBe(2);
      expect(await merge(store, CPU)).toEqual(['a;b 3', 'a;c 4']);
    });

    test('pushes that meet in one profile are one, with the longest duration', async () => {
      const store = await newStore();
      await put(store, 'b1', { ...cpu(0, 'a 1'), durationMs: 5_000, comments: ['one'] });
      await put(store, 'b2', { ...cpu(0, 'a 2\nb 3'), durationMs: 9_000, comments: ['two'] });
      const profiles = await store.profiles(select(CPU, 0, 1e6), 10);
      expect(profiles).toMatchObject([{ tsMs: T0, durationMs: 9_000, samples: 3 }]);
      expect(profiles[0]?.comments.sort()).toEqual(['one', 'two']);
      expect(profiles[0]?.types.map(formatProfileType)).toEqual([CPU]);
      expect((await summarize(store, select(CPU, 0, 1e6))).profiles).toBe(1);
    });

    test('values are exact up to 2^53 and an error beyond', async () => {
      const store = await newStore();
      await put(store, 'b1', cpu(0, `a ${Number.MAX_SAFE_INTEGER}`));
      expect(await merge(store, CPU)).toEqual([`a ${Number.MAX_SAFE_INTEGER}`]);
      await put(store, 'b2', cpu(0, 'a 1'), cpu(0, 'b 9223372036854775807'));
      await expect(merge(store, CPU)).rejects.toMatchObject({ kind: 'unprocessable' });
    });

    test('an aborted read is cancelled, and the store goes on', async () => {
      const store = await newStore();
      await put(store, 'b1', cpu(0, 'a 1'));
      const signal = AbortSignal.abort();
      const read = store.merge(select(CPU, 0, 1e6), [], { signal });
      await expect(read).rejects.toMatchObject({ kind: 'cancelled' });
      expect(await merge(store, CPU)).toEqual(['a 1']);
    });

    test('closing finishes what was accepted; later calls are refused', async () => {
      const { store, place } = await openNew();
      const writes = [1, 2, 3].map((at) => put(store, `b${at}`, cpu(at, `a ${at}`)));
      await store.close();
      await Promise.all(writes);
      await expect(put(store, 'b4', cpu(0, 'a 8'))).rejects.toMatchObject({ kind: 'unavailable' });
      await expect(merge(store, CPU)).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await store.ready()).toBe(false);
      const again = await place.open();
      onTestFinished(() => again.close());
      expect(await merge(again, CPU)).toEqual(['a 6']);
    });

    test('a reopened store has the same content and the same stack refs', async () => {
      const { store, place } = await openNew();
      const drawn: DrawnBatch = {
        id: 'b1',
        agent: AGENT,
        windows: [window(0)],
        profiles: [cpu(0, '[user=u1] a;b+i;c 5\na 2'), heap(0, 'x 1', { host: 'h1' })],
      };
      await store.write(drawBatch(store.idKey, drawn));
      const before = await contentOf(store);
      await store.close();
      const again = await place.open();
      onTestFinished(() => again.close());
      expect(again.idKey).toEqual(store.idKey);
      expect(await contentOf(again)).toEqual(before);
      await put(again, 'b2', cpu(1, 'a 1\nnew;one 1'));
      expect(await merge(again, CPU)).toEqual(['a 3', 'a;b+i;c 5', 'new;one 1']);
    });
  });
}

async function contentOf(store: Store): Promise<unknown> {
  const { knownStacks, ...columns } = store.snapshot();
  const merged = await store.merge(select(CPU, 0, 1e6), ['service_name', 'user']);
  return {
    columns,
    known: knownStacks.size,
    stacks: [...merged.stack].sort(),
    merged: mergeText(store.snapshot(), merged),
    heap: await merge(store, HEAP, 0, 20_000),
    types: await store.profileTypes({ matchers: [] }),
    names: await store.labelNames({ matchers: [] }),
    agents: await store.agents(range(0, 1e6)),
    summary: await summarize(store, select(HEAP, 0, 1e6)),
    profiles: await store.profiles(select(CPU, 0, 1e6), 10),
    counts: countsOf(store),
  };
}

/** Of what is stored, not of what the process did. */
function countsOf(store: Store): Record<string, number> {
  const { samples, profiles, series, stacks, locations, functions, strings } = store.stats();
  return { samples, profiles, series, stacks, locations, functions, strings };
}

function describeSelectors(newStore: NewStore): void {
  test('few, many, and high numbers of series', async () => {
    const store = await newStore();
    const hosts = Array.from({ length: 60 }, (_, host) => cpu(0, 'a 1', { host: `h${host}` }));
    await put(store, 'b1', ...hosts);
    expect(await merge(store, `${CPU}{host=~"h(1|3|59)"}`)).toEqual(['a 3']);
    expect(await merge(store, `${CPU}{host=~"h.?[02468]"}`)).toEqual(['a 30']);
    expect(await merge(store, `${CPU}{host=~"h[1-4]?[13579]"}`)).toEqual(['a 25']);
    const selection = select(`${CPU}{host=~"h.?[02468]"}`, 0, 1e6);
    expect(await summarize(store, selection)).toMatchObject({ series: 30, profiles: 30 });
  });

  describe('selectors', () => {
    async function fleet(): Promise<Store> {
      const store = await newStore();
      await put(
        store,
        'b1',
        cpu(0, 'a 1', { host: 'web-1', zone: 'x' }),
        cpu(0, 'a 2', { host: 'web-2' }),
        cpu(0, 'b 4', { host: 'db-1', service_name: 'db' }),
        cpu(60_000, 'b 8', { host: 'db-2', service_name: 'db' }),
        heap(0, 'h 100', { host: 'web-1', zone: 'x' }),
      );
      return store;
    }

    test.each([
      ['{}', ['a 3', 'b 12']],
      ['{host="web-1"}', ['a 1']],
      ['{host!="web-1"}', ['a 2', 'b 12']],
      ['{host=~"web-.*"}', ['a 3']],
      ['{host=~"web"}', []],
      ['{host!~"web-.*",service_name="db"}', ['b 12']],
      ['{zone=""}', ['a 2', 'b 12']],
      ['{zone!=""}', ['a 1']],
      ['{zone=~"x|"}', ['a 3', 'b 12']],
      ['{nothing="x"}', []],
      ['{service_name=~"app|db",host=~".*-1"}', ['a 1', 'b 4']],
    ])('%s', async (matchers, expected) => {
      expect(await merge(await fleet(), `${CPU}${matchers}`)).toEqual(expected);
    });

    test('grouped by labels', async () => {
      const store = await fleet();
      expect(await merge(store, CPU, 0, 1e6, ['service_name'])).toEqual([
        '{service_name=app} a 3',
        '{service_name=db} b 12',
      ]);
      expect(await merge(store, CPU, 0, 1e6, ['zone'])).toEqual(['a 2', 'b 12', '{zone=x} a 1']);
    });

    test('types, names and values that have data', async () => {
      const store = await fleet();
      const types = async (text: string, from = 0, to = 1e6): Promise<string[]> => {
        const { matchers } = parseSelector(text);
        const found = await store.profileTypes({ matchers, range: range(from, to) });
        return found.map(formatProfileType);
      };
      expect(await types('{}')).toEqual([HEAP, CPU]);
      expect(await types('{host="db-1"}')).toEqual([CPU]);
      expect(await types('{}', 30_000)).toEqual([CPU]);
      expect(await types('{}', 100_000)).toEqual([]);
      const matchers = parseSelector('{host=~"web.*"}').matchers;
      expect(await store.labelNames({ matchers })).toEqual(['host', 'service_name', 'zone']);
      expect(await store.labelValues('host', { matchers: [] })).toHaveLength(4);
      expect(await store.labelValues('host', { matchers, type: parseProfileType(HEAP) })).toEqual([
        'web-1',
      ]);
      const late = { matchers: [], range: range(30_000, 1e6) };
      expect(await store.labelValues('host', late)).toEqual(['db-2']);
      expect(await store.labelValues('zone', late)).toEqual([]);
    });

    test('a selection over hundreds of series', async () => {
      const store = await newStore();
      const profiles = Array.from({ length: 300 }, (_, at) => cpu(at, 'a 1', { pod: `p${at}` }));
      await put(store, 'b1', ...profiles);
      expect(await merge(store, `${CPU}{pod=~"p1.*"}`)).toEqual(['a 111']);
      expect(await merge(store, `${CPU}{pod!="p1"}`)).toEqual(['a 299']);
      expect(await merge(store, CPU, 0, 1e6, ['pod'])).toHaveLength(300);
    });
  });
}

function describeTypes(newStore: NewStore): void {
  const derived = `${COUNT}=>${CPU}`;
  const drawn = (tsMs: number, period: number, stacks: string, labels = {}): DrawnProfile => ({
    labels: { service_name: 'app', ...labels },
    tsMs: T0 + tsMs,
    period,
    types: { [derived]: stacks },
  });

  describe('derived types', () => {
    test('one period: integer counts and a multiplier', async () => {
      const store = await newStore();
      await put(store, 'b1', drawn(0, 50, 'a 2\nb 3'));
      const merged = await store.merge(select(CPU, 0, 1e6), []);
      expect(merged).toMatchObject({ multiplier: 50, integer: true });
      expect(mergeText(store.snapshot(), merged)).toEqual(['a 100', 'b 150']);
      expect(await merge(store, COUNT)).toEqual(['a 2', 'b 3']);
      const types = await store.profileTypes({ matchers: [] });
      expect(types.map(formatProfileType)).toEqual([CPU, COUNT]);
      expect(await summarize(store, select(CPU, 0, 1e6))).toMatchObject({ samples: 5 });
    });

    test('several periods, and rows of the type itself: products', async () => {
      const store = await newStore();
      await put(store, 'b1', drawn(0, 50, 'a 2'), drawn(0, 10, 'a 3\nb 1', { host: 'h2' }));
      const merged = await store.merge(select(CPU, 0, 1e6), []);
      expect(merged).toMatchObject({ multiplier: 1, integer: false });
      expect(mergeText(store.snapshot(), merged)).toEqual(['a 130', 'b 10']);
      await put(store, 'b2', cpu(0, 'b 7'));
      expect(await merge(store, CPU)).toEqual(['a 130', 'b 17']);
      expect(await merge(store, COUNT)).toEqual(['a 5', 'b 1']);
      expect(await merge(store, CPU, 0, 1e6, ['host'])).toEqual([
        'a 100',
        'b 7',
        '{host=h2} a 30',
        '{host=h2} b 10',
      ]);
    });

    test('sampled events: the count beside the type, else value / period, else unknown', async () => {
      const store = await newStore();
      const wall = 'wall:wall:nanoseconds:wall:nanoseconds';
      const both = { [COUNT]: 'a 3', [CPU]: 'a 999' };
      await put(
        store,
        'b1',
        { labels: { service_name: 'x' }, tsMs: T0, period: 100, types: both },
        { labels: { service_name: 'y' }, tsMs: T0, period: 100, types: { [wall]: 'a 700' } },
        { labels: { service_name: 'y' }, tsMs: T0, types: { 'io:bytes:bytes::': 'a 700' } },
      );
      const samples = async (type: string): Promise<number | null> =>
        (await summarize(store, select(type, 0, 1e6))).samples;
      expect(await samples(CPU)).toBe(3);
      expect(await samples(COUNT)).toBe(3);
      expect(await samples(wall)).toBe(7);
      expect(await samples('io:bytes:bytes::')).toBe(null);
    });

    test('events are those of profiles that have the value', async () => {
      const store = await newStore();
      const host = (name: string, types: Record<string, string>): DrawnProfile => ({
        labels: { service_name: 'x', host: name },
        tsMs: T0,
        types,
      });
      await put(
        store,
        'b1',
        host('h1', { [COUNT]: 'a 3', [CPU]: 'a 999' }),
        host('h2', { [COUNT]: 'a 40' }),
      );
      const selection = select(CPU, 0, 10_000);
      expect(await summarize(store, selection)).toMatchObject({ profiles: 1, samples: 3 });
      const lines = await store.timeline(selection, ['host'], 10_000);
      expect(timelineText(lines)).toEqual(['{host=h1} 999 | 3']);
    });

    test('sampled events of profiles with a count and of others that have the value alone', async () => {
      const store = await newStore();
      const value = (type: string, stacks: string, labels = {}): DrawnProfile => ({
        labels: { service_name: 'push', ...labels },
        tsMs: T0,
        period: 10,
        types: { [type]: stacks },
      });
      const io = 'io:bytes:bytes:io:count';
      const both = { ...value(CPU, 'a 999', { host: 'h3' }) };
      both.types = { [COUNT]: 'a 1', ...both.types };
      await put(
        store,
        'b1',
        drawn(0, 50, 'a 2\nb 3'),
        value(CPU, 'a 30\nb 10'),
        both,
        value(io, 'a 700'),
        value('io:calls:count:io:count', 'a 7', { host: 'h2' }),
      );
      const samples = async (text: string): Promise<number | null> => {
        const selection = select(text, 0, 1e6);
        const { samples } = await summarize(store, selection);
        const [line] = await store.timeline(selection, [], 1e6);
        expect(line?.samples[0]).toBe(samples ?? Number.NaN);
        return samples;
      };
      expect(await samples(`${CPU}{service_name="push"}`)).toBe(5);
      expect(await samples(`${CPU}{service_name="push",host=""}`)).toBe(4);
      expect(await samples(CPU)).toBe(10);
      expect(await samples(COUNT)).toBe(6);
      expect(await samples(io)).toBe(null);
      // A series that an agent and a push share.
      await put(store, 'b2', {
        ...value(CPU, 'a 20', {}),
        labels: { service_name: 'app' },
        period: 50,
      });
      expect(await samples(`${CPU}{service_name="app"}`)).toBe(5.4);
    });
  });
}

function describeGauges(newStore: NewStore): void {
  describe('gauges', () => {
    test.each<[string, DrawnProfile[], [number, number], string[]]>([
      ['one profile holds twice its duration', [heap(0, 'a 8')], [0, 40_000], ['a 8']],
      ['and no longer', [heap(0, 'a 8')], [20_000, 40_000], []],
      [
        'the mean over time, of what was there when',
        [heap(0, 'a 8'), heap(10_000, 'a 4\nb 2')],
        [0, 20_000],
        ['a 6', 'b 1'],
      ],
      [
        'a profile before the range holds into it',
        [heap(0, 'a 8'), heap(10_000, 'a 4')],
        [5_000, 15_000],
        ['a 6'],
      ],
      [
        'the sum over series',
        [heap(0, 'a 8', { host: 'h1' }), heap(0, 'a 4', { host: 'h2' })],
        [0, 10_000],
        ['a 12'],
      ],
      [
        'over the time that any series covers',
        [heap(0, 'a 8', { host: 'h1' }), heap(20_000, 'a 4', { host: 'h2' })],
        [0, 100_000],
        ['a 6'],
      ],
      [
        'after a gap of over twice the usual spacing nothing holds',
        [heap(0, 'a 8'), heap(1_000, 'a 8'), heap(2_000, 'a 8'), heap(60_000, 'a 2')],
        [0, 62_000],
        ['a 6'],
      ],
      [
        'a profile without rows is zero from there on',
        [heap(0, 'a 8'), heap(10_000, '')],
        [0, 20_000],
        ['a 4'],
      ],
      ['pushes that meet add up', [heap(0, 'a 8'), heap(0, 'a 1')], [0, 10_000], ['a 9']],
    ])('%s', async (_, profiles, [from, to], expected) => {
      const store = await newStore();
      await put(store, 'b1', ...profiles);
      expect(await merge(store, HEAP, from, to)).toEqual(expected);
    });

    test('a series without a sample covers its time, by whichever labels it is asked', async () => {
      const store = await newStore();
      await put(store, 'b1', heap(0, '[user=u1] a 8'), heap(20_000, '', { host: 'h2' }));
      expect(await merge(store, HEAP, 0, 40_000)).toEqual(['a 4']);
      expect(await merge(store, HEAP, 0, 40_000, ['user'])).toEqual(['{user=u1} a 4']);
      expect(await merge(store, `${HEAP}{user!="u2"}`, 0, 40_000)).toEqual(['a 4']);
      expect(await merge(store, `${HEAP}{user="u1"}`, 0, 40_000)).toEqual(['a 8']);
    });

    test('as a time series, by group', async () => {
      const store = await newStore();
      await put(
        store,
        'b1',
        heap(0, 'a 8\nb 2', { host: 'h1' }),
        heap(10_000, 'a 4', { host: 'h1' }),
        heap(5_000, 'a 6', { host: 'h2' }),
      );
      const lines = await store.timeline(select(HEAP, 0, 50_000), ['host'], 10_000);
      expect(timelineText(lines)).toEqual([
        '{host=h1} 10 4 4 - - | - - - - -',
        '{host=h2} 3 6 3 - - | - - - - -',
      ]);
    });
  });
}

function describeSampleLabels(newStore: NewStore): void {
  describe('sample labels', () => {
    async function traced(): Promise<Store> {
      const store = await newStore();
      const stacks =
        '[user=u1] a 1\n[user=u2,bytes=512 b] a 2\n[app.path=/x] b 4\n[zone=in] b 8\na 16';
      await put(store, 'b1', cpu(0, stacks, { zone: 'x' }), cpu(0, '[user=u1] c 32'));
      return store;
    }

    test.each([
      ['{user="u1"}', ['a 1', 'c 32']],
      ['{user=~"u.*",zone="x"}', ['a 3']],
      ['{user=""}', ['a 16', 'b 12']],
      ['{bytes="512"}', ['a 2']],
      ['{app_path="/x"}', ['b 4']],
      ['{zone="in"}', []],
      ['{exported_zone="in"}', ['b 8']],
    ])('%s', async (matchers, expected) => {
      expect(await merge(await traced(), `${CPU}${matchers}`)).toEqual(expected);
    });

    test('in groups, names and values', async () => {
      const store = await traced();
      expect(await merge(store, CPU, 0, 1e6, ['user'])).toEqual([
        'a 16',
        'b 12',
        '{user=u1} a 1',
        '{user=u1} c 32',
        '{user=u2} a 2',
      ]);
      expect(await store.labelNames({ matchers: [] })).toEqual([
        'app_path',
        'bytes',
        'exported_zone',
        'service_name',
        'user',
        'zone',
      ]);
      const { matchers } = parseSelector('{zone="x"}');
      expect(await store.labelValues('user', { matchers })).toEqual(['u1', 'u2']);
      const lines = await store.timeline(select(`${CPU}{user!=""}`, 0, 20_000), ['user'], 10_000);
      expect(timelineText(lines)).toEqual(['{user=u1} 33 - | - -', '{user=u2} 2 - | - -']);
      const user = parseSelector('{user="u2"}').matchers;
      expect((await store.profileTypes({ matchers: user })).map(formatProfileType)).toEqual([CPU]);
    });
  });
}

function describeTimelines(newStore: NewStore): void {
  describe('time series', () => {
    test('sums per step; zero where a profile covers the step, nothing where none does', async () => {
      const store = await newStore();
      await put(
        store,
        'b1',
        { ...cpu(0, 'a 1\nb 2'), period: 1 },
        { ...cpu(10_000, ''), period: 1 },
        { ...cpu(30_000, 'a 4', { host: 'h2' }), period: 1, durationMs: 20_000 },
      );
      const timeline = async (text: string, by: string[]): Promise<string[]> =>
        timelineText(await store.timeline(select(text, 0, 60_000), by, 10_000));
      expect(await timeline(CPU, [])).toEqual(['{} 3 0 - 4 0 - | 3 0 - 4 0 -']);
      expect(await timeline(CPU, ['host'])).toEqual([
        '{host=h2} - - - 4 0 - | - - - 4 0 -',
        '{} 3 0 - - - - | 3 0 - - - -',
      ]);
      expect(await timeline(`${CPU}{host="no"}`, [])).toEqual(['{} - - - - - - | - - - - - -']);
      expect(await timeline(`${CPU}{host="no"}`, ['host'])).toEqual([]);
    });

    test.each<[string, number, number, number, number | null]>([
      ['two that touch, one inside of another, a gap', 0, 60_000, 35_000, 0],
      ['what begins in the range counts as a whole', 11_000, 14_000, 5_000, 0],
      ['nothing', 30_000, 40_000, 0, 0],
      ['of samples with times of their own the part in the range', 100_000, 110_000, 10_000, 0],
      ['short ones with a gap in one second', 300_000, 310_000, 200, 0],
      ['one that does not tell its length', 200_000, 210_000, 0, null],
    ])('time covered: %s', async (_, from, to, coveredMs, unknown) => {
      const store = await newStore();
      await put(
        store,
        'b1',
        cpu(0, 'a 1'),
        cpu(0, '', { host: 'h2' }),
        cpu(10_000, 'a 1'),
        { ...cpu(12_000, 'a 1', { host: 'h2' }), durationMs: 5_000 },
        { ...cpu(45_000, 'a 1'), durationMs: 15_000 },
        { ...cpu(90_000, `a 1\na 2 @${T0 + 105_000}`), durationMs: 30_000 },
        { ...cpu(200_000, 'a 1'), durationMs: 0 },
        { ...cpu(300_000, 'a 1'), durationMs: 100 },
        { ...cpu(300_500, 'a 1'), durationMs: 100 },
      );
      const found = await store.coveredMs(select(CPU, from, to));
      expect(found).toBe(unknown === null ? null : coveredMs);
    });

    test('samples with times of their own stand in their step', async () => {
      const store = await newStore();
      await put(store, 'b1', { ...cpu(0, `a 1\na 2 @${T0 + 25_000}`), durationMs: 30_000 });
      const lines = await store.timeline(select(CPU, 0, 40_000), [], 10_000);
      expect(timelineText(lines)).toEqual(['{} 1 0 2 - | - 0 - -']);
      expect(await merge(store, CPU, 20_000, 30_000)).toEqual(['a 2']);
      expect(await store.profiles(select(CPU, 0, 1e6), 5)).toMatchObject([{ samples: 2 }]);
    });

    test.each([
      [0, 'invalid'],
      [Number.NaN, 'invalid'],
      [1, 'too-large'],
    ])('a step of %d ms is %s', async (stepMs, kind) => {
      const store = await newStore();
      const timeline = store.timeline(select(CPU, 0, 1e6), [], stepMs);
      await expect(timeline).rejects.toMatchObject({ kind, field: 'step' });
    });
  });
}

function window(
  seq: number,
  counters: Record<string, number> = { sampled: 190, sent: 180, lost_read: 10 },
): WindowRow {
  const startMs = (T0 + seq * 10_000) as EpochMs;
  return { seq, startMs, lengthMs: 10_000, frequencyHz: 19, counters };
}

function describeWindows(newStore: NewStore): void {
  describe('windows', () => {
    const report = (
      store: Store,
      id: string,
      windows: WindowRow[],
      agent = AGENT,
    ): Promise<void> => {
      const last = windows.at(-1)?.seq ?? 0;
      const profile = cpu(last * 10_000, 'a 1', { host: agent.host });
      return store.write(drawBatch(store.idKey, { id, agent, windows, profiles: [profile] }));
    };

    test('figures of the hosts that the series come from, with gaps', async () => {
      const store = await newStore();
      await report(store, 'b1', [window(1)]);
      await report(store, 'b2', [window(2)]);
      await report(store, 'b3', [window(5)]);
      await report(store, 'b4', [window(3)], { ...AGENT, id: 'a2', host: 'h2' });
      await put(store, 'b5', cpu(0, 'p 1', { service_name: 'pushed' }));
      const windows = async (text: string): Promise<unknown> =>
        (await summarize(store, select(text, 0, 1e6))).windows;
      expect(await windows(`${CPU}{host="h1"}`)).toEqual({
        windows: 3,
        missingWindows: 2,
        hosts: 1,
        lengthMs: 30_000,
        counters: { lost_read: 30, sampled: 570, sent: 540 },
        nominalHz: 19,
      });
      expect(await windows(CPU)).toMatchObject({ windows: 4, missingWindows: 2, hosts: 2 });
      expect(await windows(`${CPU}{service_name="pushed"}`)).toBe(null);
      expect(await summarize(store, select(CPU, 0, 1e6))).toMatchObject({ series: 3, profiles: 5 });
    });

    test('a window that is reported again counts as reported last', async () => {
      const store = await newStore();
      await report(store, 'b1', [window(1), window(2)]);
      await report(store, 'b2', [window(1, { sampled: 190, lost_rejected: 190 }), window(3)]);
      const { windows } = await summarize(store, select(CPU, 0, 1e6));
      expect(windows).toMatchObject({
        windows: 3,
        missingWindows: 0,
        counters: { sampled: 570, sent: 360, lost_read: 20, lost_rejected: 190 },
      });
    });

    test('agents: what they are now, and their totals in the range', async () => {
      const store = await newStore();
      await report(store, 'b1', [window(7)]);
      await report(store, 'b2', [window(8)]);
      await report(store, 'b3', [{ ...window(1), startMs: (T0 + 90_000) as EpochMs }], {
        ...AGENT,
        version: '1.1',
      });
      await report(store, 'b4', [window(2)], { ...AGENT, id: 'a0', host: 'h0' });
      expect(await store.agents(range(80_000, 1e6))).toEqual([
        {
          ...AGENT,
          version: '1.1',
          firstSeenMs: T0 + 70_000,
          lastSeenMs: T0 + 100_000,
          lastSeq: 1,
          totals: {
            windows: 2,
            missingWindows: 0,
            hosts: 1,
            lengthMs: 20_000,
            counters: { lost_read: 20, sampled: 380, sent: 360 },
          },
        },
      ]);
      expect((await store.agents(range(0, 1e6))).map(({ id }) => id)).toEqual(['a0', 'a1']);
    });
  });
}
