/** Pushes twice, late and out of order, clocks that jump back, and what operators delete. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type { AgentInfo, Store, WindowRow } from '../../store/store.ts';
import { type DrawnProfile, drawBatch, mergeText } from './drawn-batch.ts';
import type { ConformingStore, StorePlace } from './store.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const GOROUTINES = 'goroutines:goroutines:count::';
const AGENT: AgentInfo = { id: 'a1', host: 'h1', version: '1.0', kernel: '6.1' };
const T0 = Date.UTC(2026, 0, 15);
const DAY_MS = 86_400_000;

function range(fromMs: number, toMs: number): TimeRange {
  return { from: (T0 + fromMs) as EpochMs, to: (T0 + toMs) as EpochMs };
}

function at(tsMs: number, stacks: string, host = 'h1', type = CPU): DrawnProfile {
  return { labels: { service_name: 'app', host }, tsMs: T0 + tsMs, types: { [type]: stacks } };
}

function put(store: Store, id: string, ...profiles: DrawnProfile[]): Promise<void> {
  return store.write(drawBatch(store.idKey, { id, profiles }));
}

async function merge(store: Store, span = range(-2 * DAY_MS, 2 * DAY_MS), type = CPU) {
  const selection = { type: parseProfileType(type), matchers: [], range: span };
  return mergeText(store.snapshot(), await store.merge(selection, []));
}

function window(seq: number, startMs: number): WindowRow {
  const counters = { sampled: 10, sent: 10 };
  return { seq, startMs: (T0 + startMs) as EpochMs, lengthMs: 10_000, frequencyHz: 19, counters };
}

export function describeOrder(
  newStore: () => Promise<ConformingStore>,
  openNew: () => Promise<{ store: ConformingStore; place: StorePlace }>,
): void {
  describe('order', () => {
    test('pushes in any order, over midnight, give one answer', async () => {
      const times = [-DAY_MS, -10_000, 0, 10_000, DAY_MS];
      const answers: unknown[] = [];
      for (const order of [
        [0, 1, 2, 3, 4],
        [4, 3, 2, 1, 0],
        [2, 4, 0, 3, 1],
      ]) {
        const store = await newStore();
        for (const push of order) {
          const gauge = at(times[push] as number, `g ${push + 1}`, 'h2', GOROUTINES);
          await put(store, `b${push}`, at(times[push] as number, `a;f${push} 1\na 2`), gauge);
        }
        const selection = { type: parseProfileType(CPU), matchers: [], range: range(-5_000, 1e6) };
        answers.push({
          all: await merge(store),
          part: await merge(store, range(-5_000, 15_000)),
          gauge: await merge(store, range(-10_000, 10_000), GOROUTINES),
          summary: await store.summary(selection),
          coveredMs: await store.coveredMs(selection),
        });
      }
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[2]).toEqual(answers[0]);
      expect(answers[0]).toMatchObject({ part: ['a 4', 'a;f2 1', 'a;f3 1'], gauge: ['g 2.5'] });
    });

    test('a batch that comes again later, among others, counts once', async () => {
      const { store, place } = await openNew();
      for (const id of ['b1', 'b2', 'b1', 'b3', 'b2', 'b1']) await put(store, id, at(0, 'a 1'));
      expect(await merge(store)).toEqual(['a 3']);
      expect(store.stats()).toMatchObject({ duplicateBatches: 3, samples: 3 });
      await store.close();
      const again = await place.open();
      onTestFinished(() => again.close());
      await put(again, 'b3', at(0, 'a 1'));
      expect(await merge(again)).toEqual(['a 3']);
      expect(
        (await again.summary({ type: parseProfileType(CPU), matchers: [], range: range(0, 1) }))
          .profiles,
      ).toBe(1);
    });

    test('a clock that jumps back: windows are those of both times, and none is missing', async () => {
      const store = await newStore();
      for (const [seq, startMs] of [
        [1, 3_600_000],
        [2, 3_610_000],
        [3, 0],
        [4, 10_000],
      ] as const) {
        const drawn = {
          id: `b${seq}`,
          agent: AGENT,
          windows: [window(seq, startMs)],
          profiles: [at(startMs, 'a 10')],
        };
        await store.write(drawBatch(store.idKey, drawn));
      }
      const [agent] = await store.agents(range(0, DAY_MS));
      expect(agent?.totals).toMatchObject({
        windows: 4,
        missingWindows: 0,
        counters: { sampled: 40, sent: 40 },
      });
      expect(await merge(store)).toEqual(['a 40']);
      expect(await merge(store, range(0, 20_000))).toEqual(['a 20']);
    });
  });

  describe('deleting', () => {
    test('takes the profiles of a selection, of whichever time they were pushed', async () => {
      const { store, place } = await openNew();
      await put(store, 'b1', at(0, 'a 1'), at(0, 'a 2', 'h2'), at(DAY_MS, 'a 4'));
      await put(store, 'b2', at(10_000, 'a 8\nb 1'), at(-DAY_MS, 'a 16'));
      const chosen = {
        matchers: [{ name: 'host', op: '=', value: 'h1' } as const],
        range: range(0, DAY_MS),
      };
      const deleted = { profiles: 2, samples: 3 };
      expect(await store.deleteProfiles(chosen, true)).toMatchObject(deleted);
      expect(await merge(store)).toEqual(['a 31', 'b 1']);
      expect(await store.deleteProfiles(chosen, false)).toMatchObject(deleted);
      expect(await merge(store)).toEqual(['a 22']);
      expect(await store.deleteProfiles(chosen, false)).toMatchObject({ profiles: 0, samples: 0 });
      await put(store, 'b1', at(0, 'a 1'));
      await put(store, 'b3', at(0, 'a 32'));
      expect(await merge(store)).toEqual(['a 54']);
      await store.close();
      const again = await place.open();
      onTestFinished(() => again.close());
      expect(await merge(again)).toEqual(['a 54']);
      expect(again.stats()).toMatchObject({ samples: 4, profiles: 4 });
    });
  });

  test('an estimate tells no fewer rows than match, and none where there are none', async () => {
    const store = await newStore();
    await put(store, 'b1', at(0, 'a 1\nb 1'), at(DAY_MS, 'a 1'), at(0, 'g 1', 'h2', GOROUTINES));
    const type = parseProfileType(CPU);
    const all = await store.estimate({ type, matchers: [], range: range(0, 2 * DAY_MS) });
    expect(all).toMatchObject({ series: 1 });
    expect(all.maxRows).toBeGreaterThanOrEqual(3);
    expect(all.maxRows).toBeGreaterThanOrEqual(all.hotRows);
    const none = [{ name: 'host', op: '=', value: 'none' } as const];
    const nothing = await store.estimate({ type, matchers: none, range: range(0, DAY_MS) });
    expect(nothing).toMatchObject({ series: 0, rows: 0 });
  });
}
