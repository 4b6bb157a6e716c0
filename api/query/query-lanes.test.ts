import { describe, expect, test } from 'vitest';
import type { EverflameError } from '../../profile/errors.ts';
import {
  MAX_QUERIES_PER_CLIENT,
  MAX_QUERY_ROWS,
  MAX_WAITING_QUERIES,
  MIN_HEAVY_ROWS,
} from '../../profile/limits.ts';
import { type LaneName, laneOf, QueryLanes } from './query-lanes.ts';

/** Queries that run until they are told to end, and the order in which they began. */
class Scene {
  readonly lanes = new QueryLanes({ light: 1, heavy: 1 });
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();
  readonly outcomes = new Map<string, string>();

  /** `name`: the client's letter, then a number. */
  ask(lane: LaneName, name: string, signal = new AbortController().signal): Promise<void> {
    const caller = { client: name.charAt(0), signal };
    const run = this.lanes.run(
      () => ({ ...FREE, lane }),
      caller,
      () => {
        this.begun.push(name);
        return new Promise<void>((resolve) => this.#ends.set(name, resolve));
      },
    );
    return run.then(
      () => void this.outcomes.set(name, 'done'),
      (error: EverflameError) => void this.outcomes.set(name, `${error.kind}: ${error.message}`),
    );
  }

  /** Ends queries one after the other as they begin; all of them have by then. */
  async drain(): Promise<string> {
    await settle();
    for (let at = 0; at < this.begun.length; at++) {
      this.#ends.get(this.begun[at] as string)?.();
      await settle();
    }
    return this.begun.join(' ');
  }
}

const FREE = { stacks: 0, frames: 0, locations: 0 };
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('lanes', () => {
  test('clients take turns', async () => {
    const scene = new Scene();
    const names = ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2'];
    const all = names.map((name) => scene.ask('heavy', name));
    await settle();
    expect(scene.lanes.stats()).toEqual({
      light: { running: 0, waiting: 0 },
      heavy: { running: 1, waiting: 6 },
    });
    expect(await scene.drain()).toBe('a1 a2 b1 c1 a3 b2 a4');
    await Promise.all(all);
    expect(scene.lanes.stats().heavy).toEqual({ running: 0, waiting: 0 });
  });

  test('where one of two reads fails, the other is told to stop', async () => {
    const caller = { client: 'a', signal: new AbortController().signal };
    let stopped = false;
    const both = new Scene().lanes.run(
      () => ({ ...FREE, lane: 'light' }),
      caller,
      (signal) => {
        const slow = new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => {
            stopped = true;
            resolve();
          }),
        );
        return Promise.all([slow, Promise.reject(new Error('the other failed'))]);
      },
    );
    await expect(both).rejects.toThrow('the other failed');
    expect(stopped).toBe(true);
  });

  test('a heavy query does not hold up a light one', async () => {
    const scene = new Scene();
    void scene.ask('heavy', 'a1');
    void scene.ask('heavy', 'b1');
    void scene.ask('light', 'b2');
    await settle();
    expect(scene.begun).toEqual(['a1', 'b2']);
    await scene.drain();
  });

  test('one that is given up while it waits never begins', async () => {
    const scene = new Scene();
    const control = new AbortController();
    const all = [scene.ask('light', 'a1'), scene.ask('light', 'a2', control.signal)];
    all.push(scene.ask('light', 'a3'), scene.ask('light', 'b1', AbortSignal.abort()));
    control.abort();
    expect(await scene.drain()).toBe('a1 a3');
    await Promise.all(all);
    expect(scene.outcomes.get('a2')).toBe('cancelled: the query was given up');
    expect(scene.outcomes.get('b1')).toBe('cancelled: the query was given up');
  });

  test('limits of a client and of a lane', async () => {
    const scene = new Scene();
    for (let n = 0; n < MAX_QUERIES_PER_CLIENT; n++) void scene.ask('light', `a${n}`);
    await scene.ask('light', 'a-more');
    expect(scene.outcomes.get('a-more')).toMatch(/^overloaded: this client/);
    const letters = [...'bcdefghijklmnopqrstuvwxyz'];
    for (let n = MAX_QUERIES_PER_CLIENT; n <= MAX_WAITING_QUERIES; n++) {
      void scene.ask('light', `${letters[n % letters.length]}${n}`);
    }
    await scene.ask('light', 'A1');
    expect(scene.outcomes.get('A1')).toMatch(/^unavailable: too many queries are waiting/);
    await scene.drain();
  });

  test.each([
    [0, 'light'],
    [MIN_HEAVY_ROWS - 1, 'light'],
    [MIN_HEAVY_ROWS, 'heavy'],
    [MAX_QUERY_ROWS, 'heavy'],
  ])('%d rows are %s', (rows, lane) => expect(laneOf(rows)).toBe(lane));

  test('more rows than any query may read', () => {
    expect(() => laneOf(MAX_QUERY_ROWS + 1)).toThrow(/would read about \d+ rows/);
  });
});
