import { describe, expect, test } from 'vitest';
import type { EverflameError } from '../profile/errors.ts';
import { MAX_MEMORY_WAIT_MS, MAX_PUSH_WAIT_MS, MAX_WAITING_FOR_MEMORY } from '../profile/limits.ts';
import { MemoryGovernor, queryBytes, type Work } from './memory-governor.ts';

/** A governor, of 1000 bytes if not told otherwise, whose clock and memory the test moves. */
class Scene {
  used = 280;
  nowMs = 0;
  collections = 0;
  trims = 0;
  givenBack = 0;
  spare = 0;
  /** What a trim gives back. */
  cached = 0;
  /** What was freed, and is given back when that is asked. */
  freed = 0;
  readonly waits: string[] = [];
  readonly outcomes: string[] = [];
  readonly #held = new Map<string, () => void>();
  readonly governor: MemoryGovernor;

  constructor(limitBytes = 1000) {
    this.governor = new MemoryGovernor({
      limitBytes,
      readBytes: () => this.used,
      collectGarbage: () => this.collections++,
      giveBackFreed: () => {
        this.givenBack++;
        this.used -= this.freed;
        this.freed = 0;
      },
      waited: (work, seconds) => this.waits.push(`${work} ${seconds}`),
      nowMs: () => this.nowMs,
    });
    const trim = () => {
      this.trims++;
      this.used -= this.cached;
      this.cached = 0;
    };
    this.governor.start([{ trim, spareBytes: () => this.spare }, { trim: () => undefined }]);
    this.governor.close();
  }

  /** `name`: its outcome is noted under it. */
  ask(
    name: string,
    work: Work,
    bytes: number,
    signal = new AbortController().signal,
  ): Promise<void> {
    return this.governor
      .reserve(work, () => bytes, signal)
      .then(
        (release) => {
          this.outcomes.push(name);
          this.#held.set(name, release);
        },
        ({ kind, limit = '' }: EverflameError) => {
          this.outcomes.push(`${name}: ${kind} ${limit}`.trim());
        },
      );
  }

  /** What has happened until now, since this was last asked. */
  async seen(): Promise<string> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.outcomes.splice(0).join(', ');
  }

  async end(name: string): Promise<string> {
    this.#held.get(name)?.();
    return this.seen();
  }

  async pass(ms: number): Promise<string> {
    this.nowMs += ms;
    this.governor.look();
    return this.seen();
  }

  gauge(name: string) {
    return this.governor.gauges().find((gauge) => gauge.name === `everflame_memory_${name}`);
  }
}

describe('pushes', () => {
  test.each([
    ['as many as there is room for', 280, [100, 100, 100, 100], 'a, b, c'],
    ['one of any size, alone', 280, [5000, 1], 'a'],
    ['none over the mark', 680, [1], ''],
  ])('%s', async (_, used, sizes, taken) => {
    const scene = new Scene();
    scene.used = used;
    scene.governor.look();
    for (const [at, bytes] of sizes.entries()) void scene.ask('abcd'.charAt(at), 'push', bytes);
    expect(await scene.seen()).toBe(taken);
  });

  test.each([
    [629, null],
    [630, 'overloaded'],
  ])('with %d in use, before the body comes: %s', (used, kind) => {
    const scene = new Scene();
    scene.used = used;
    scene.governor.look();
    if (kind === null) scene.governor.checkPush();
    else expect(() => scene.governor.checkPush()).toThrow(expect.objectContaining({ kind }));
  });

  test('leave room for a query', async () => {
    const scene = new Scene();
    void scene.ask('a', 'push', 350);
    void scene.ask('b', 'push', 10);
    void scene.ask('c', 'light', 40);
    expect(await scene.seen()).toBe('a, c');
  });

  test('wait a little, and pass those that wait for long', async () => {
    const scene = new Scene();
    void scene.ask('a', 'light', 300);
    void scene.ask('b', 'heavy', 300);
    expect(await scene.pass(MAX_MEMORY_WAIT_MS / 2)).toBe('a');
    // Beside what queries have reserved they may fill more than queries may.
    void scene.ask('c', 'push', 150);
    void scene.ask('d', 'push', 80);
    expect(await scene.seen()).toBe('c');
    expect(await scene.pass(MAX_PUSH_WAIT_MS)).toBe('d: overloaded MAX_PUSH_WAIT_MS = 1000');
  });
});

describe('who waits', () => {
  test('is served in order as memory comes back', async () => {
    const scene = new Scene();
    for (const [name, bytes] of Object.entries({ a: 300, b: 300, c: 200, d: 50 })) {
      void scene.ask(name, 'light', bytes);
    }
    expect(await scene.seen()).toBe('a');
    expect(scene.gauge('waiting')?.read()).toContainEqual([3, { work: 'light' }]);
    expect(await scene.end('a')).toBe('b');
    scene.nowMs = 700;
    expect(await scene.end('b')).toBe('c, d');
    expect(scene.waits).toEqual(['light 0', 'light 0.7', 'light 0.7']);
  });

  test('sees memory that others have given back', async () => {
    const scene = new Scene();
    scene.used = 900;
    scene.governor.look();
    void scene.ask('a', 'light', 100);
    expect(await scene.pass(50)).toBe('');
    scene.used = 500;
    expect(await scene.pass(50)).toBe('a');
  });

  test('is passed by work of another kind, but not for ever', async () => {
    const scene = new Scene();
    void scene.ask('a', 'light', 200);
    void scene.ask('b', 'heavy', 300);
    void scene.ask('c', 'light', 50);
    expect(await scene.seen()).toBe('a, c');
    expect(await scene.pass(MAX_MEMORY_WAIT_MS / 2)).toBe('');
    void scene.ask('d', 'light', 50);
    expect(await scene.end('c')).toBe('');
    expect(await scene.end('a')).toBe('b, d');
  });

  test('for pushes only is soon over, as long as these leave enough', async () => {
    const scene = new Scene();
    void scene.ask('push', 'push', 60);
    void scene.ask('small', 'heavy', 430);
    void scene.ask('large', 'heavy', 450);
    expect(await scene.pass(250)).toBe('push');
    expect(await scene.pass(100)).toBe('small');
    expect(await scene.end('small')).toBe('');
    expect(await scene.pass(1_000)).toBe('');
    expect(scene.trims).toBe(0);
    expect(await scene.end('push')).toBe('large');
  });

  test('leaves the line when it is given up', async () => {
    const scene = new Scene();
    const control = new AbortController();
    void scene.ask('a', 'heavy', 350);
    void scene.ask('b', 'heavy', 350, control.signal);
    void scene.ask('c', 'heavy', 350);
    void scene.ask('d', 'heavy', 350, AbortSignal.abort());
    control.abort();
    expect(await scene.seen()).toBe('a, d: cancelled, b: cancelled');
    expect(await scene.end('a')).toBe('c');
    expect(scene.gauge('reserved_bytes')?.read()).toBe(350);
  });

  test('lets others go on when one that nobody was to pass gives up', async () => {
    const scene = new Scene();
    const control = new AbortController();
    void scene.ask('a', 'light', 300);
    void scene.ask('b', 'heavy', 300, control.signal);
    expect(await scene.pass(MAX_MEMORY_WAIT_MS / 2)).toBe('a');
    void scene.ask('c', 'light', 50);
    expect(await scene.seen()).toBe('');
    control.abort();
    expect(await scene.seen()).toBe('b: cancelled, c');
  });

  test('is refused when it has waited for too long', async () => {
    const scene = new Scene();
    void scene.ask('a', 'light', 400);
    void scene.ask('b', 'light', 400);
    expect(await scene.pass(MAX_MEMORY_WAIT_MS - 1)).toBe('a');
    expect(await scene.pass(1)).toBe('b: overloaded MAX_MEMORY_WAIT_MS = 10000');
    expect(scene.gauge('refused')?.read()).toContainEqual([1, { work: 'light' }]);
  });

  test('is refused at once where the line is full', async () => {
    const scene = new Scene();
    for (let n = 0; n <= MAX_WAITING_FOR_MEMORY; n++) void scene.ask('a', 'light', 400);
    expect(await scene.seen()).toBe('a');
    void scene.ask('b', 'heavy', 400);
    expect(await scene.seen()).toBe(`b: overloaded MAX_WAITING_FOR_MEMORY = 64`);
  });

  test('is refused when the server stops', async () => {
    const scene = new Scene();
    void scene.ask('a', 'light', 400);
    void scene.ask('b', 'light', 400);
    scene.governor.close();
    expect(await scene.seen()).toMatch(/^a, b: overloaded/);
  });
});

describe('a machine at rest', () => {
  test.each<[string, Work, number, number, string]>([
    ['takes a query that may come to need more than there is', 'heavy', 400, 5000, 'a'],
    ['takes no query without some room', 'heavy', 610, 5000, ''],
    ['takes a process that fits below the limit', 'sql', 450, 400, 'a'],
    ['takes no process that does not', 'sql', 600, 400, ''],
    ['takes no copy that does not', 'copy', 600, 400, ''],
  ])('%s', async (_, work, used, bytes, outcome) => {
    const scene = new Scene();
    scene.used = used;
    scene.governor.look();
    void scene.ask('a', work, bytes);
    expect(await scene.seen()).toBe(outcome);
  });
});

test.each([
  // 0.63 of the limit; above 512 MB the free part grows with the limit's square root.
  [256, 161],
  [512, 322],
  [1024, 756],
  [4096, 3560],
])('of a limit of %d MB pushes may fill %d MB', (limitMb, fullMb) => {
  const scene = new Scene(limitMb * 2 ** 20);
  scene.used = fullMb * 2 ** 20;
  scene.governor.look();
  scene.governor.checkPush();
  scene.used += 2 ** 20;
  scene.governor.look();
  expect(() => scene.governor.checkPush()).toThrow('no memory left for a push');
});

describe('what is only kept to be faster', () => {
  test('goes over the mark, and not at every look', async () => {
    const scene = new Scene();
    [scene.used, scene.cached] = [900, 600];
    expect(scene.trims).toBe(0);
    scene.governor.look();
    expect([scene.used, scene.trims, scene.collections]).toEqual([300, 1, 1]);
    scene.used = 900;
    scene.governor.look();
    expect([scene.used, scene.trims, scene.collections]).toEqual([900, 1, 1]);
  });

  test('goes for pushes that are refused again and again', async () => {
    const scene = new Scene();
    [scene.used, scene.cached] = [660, 400];
    scene.governor.look();
    for (const nowMs of [0, 1_000, 1_999]) {
      scene.nowMs = nowMs;
      expect(() => scene.governor.checkPush()).toThrow('no memory left for a push');
      await scene.pass(0);
      expect([scene.used, scene.trims]).toEqual([660, 0]);
    }
    await scene.pass(1);
    expect([scene.used, scene.trims]).toEqual([260, 1]);
    scene.governor.checkPush();
  });

  test('stays where a refused push gets through after a while', async () => {
    const scene = new Scene();
    [scene.used, scene.freed] = [660, 100];
    scene.governor.look();
    expect(() => scene.governor.checkPush()).toThrow('no memory left for a push');
    await scene.pass(50);
    scene.governor.checkPush();
    scene.used = 660;
    await scene.pass(1_950);
    expect(scene.trims).toBe(0);
  });

  test('stays where freed memory is enough', () => {
    const scene = new Scene();
    for (const used of [670, 690, 690]) {
      scene.used = used;
      scene.governor.look();
    }
    expect([scene.givenBack, scene.trims]).toEqual([1, 0]);
    scene.nowMs += 500;
    scene.governor.look();
    expect([scene.givenBack, scene.trims]).toEqual([2, 0]);
  });

  test('goes for one that has waited for a while', async () => {
    const scene = new Scene();
    [scene.used, scene.cached] = [600, 300];
    scene.governor.look();
    void scene.ask('p', 'push', 10);
    void scene.ask('a', 'light', 200);
    expect(await scene.pass(100)).toBe('p');
    expect(await scene.pass(1_399)).toBe('');
    expect(await scene.pass(1)).toBe('a');
  });

  test('stays where what was freed is enough for one that waits', async () => {
    const scene = new Scene();
    [scene.used, scene.freed, scene.cached] = [600, 150, 300];
    scene.governor.look();
    void scene.ask('p', 'push', 10);
    void scene.ask('a', 'light', 200);
    expect(await scene.pass(50)).toBe('p, a');
    expect(scene.trims).toBe(0);
  });

  test('counts where a process of its own keeps it', async () => {
    const scene = new Scene();
    scene.spare = 390;
    scene.governor.look();
    void scene.ask('a', 'light', 10);
    void scene.ask('b', 'light', 1);
    expect(await scene.seen()).toBe('a');
  });
});

test.each([
  ['names only', 0, null, 8],
  ['no worker runs', 2 ** 16, null, 143],
  ['one that knows nothing', 2 ** 16, 0, 123],
  ['one that knows a fourth', 2 ** 16, 2 ** 14, 104.25],
  ['one that knows all', 2 ** 16, 2 ** 20, 48],
])('memory of a query: %s', (_, stacks, met, megabytes) => {
  const cost = { lane: 'light', stacks, frames: 2 ** 20, locations: 2 ** 17 } as const;
  expect(queryBytes(cost, met)).toBe(megabytes * 2 ** 20);
});
