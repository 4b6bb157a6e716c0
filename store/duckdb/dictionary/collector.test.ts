import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DictionarySnapshot } from '../../../profile/dictionary.ts';
import { drawBatch, mergeText } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import { BlockChange } from '../blocks/block-change.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = 1_700_000_000_000;
const DAY_MS = 24 * 3_600_000;
const signal = new AbortController().signal;

/** A store that tests open anew; one day has the samples of one service. */
class Case {
  readonly dataDir: string;
  store: EmbeddedStore;
  #batches = 0;

  constructor(dataDir: string, store: EmbeddedStore) {
    this.dataDir = dataDir;
    this.store = store;
  }

  async put(day: number, stacks: string, known?: DictionarySnapshot): Promise<void> {
    const labels = { service_name: `s${day}` };
    const profile = { labels, tsMs: T0 + day * DAY_MS, types: { [CPU]: stacks } };
    const batch = { id: String(this.#batches++), profiles: [profile] };
    await this.store.write(
      drawBatch(this.store.idKey, known === undefined ? batch : { ...batch, known }),
    );
  }

  async delete(day: number): Promise<void> {
    const { range } = select(CPU, day * DAY_MS, (day + 1) * DAY_MS);
    await this.store.deleteProfiles({ matchers: [], range }, false);
  }

  /** Sums by stack, as they are now and after the store was opened anew. */
  async answers(): Promise<string[]> {
    const merged = await this.store.merge(select(CPU, 0, 100 * DAY_MS), []);
    return mergeText(this.store.snapshot(), merged).sort();
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await openDuckStore({ dataDir: this.dataDir, threads: 2 });
  }

  /** What is stored has no fault, and reads the same after a restart. */
  async expectWhole(): Promise<void> {
    expect((await this.store.check(signal)).faults).toEqual([]);
    const before = await this.answers();
    await this.reopen();
    expect(this.store.stats().damagedBlocks).toBe(0);
    expect(await this.answers()).toEqual(before);
  }

  async dictionaryBytes(): Promise<number> {
    const folder = join(this.dataDir, 'dictionaries');
    const files = (await readdir(folder)).map((name) => stat(join(folder, name)));
    return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
  }

  rows(): string {
    const { strings, functions, locations, stacks } = this.store.stats();
    return `${strings} ${functions} ${locations} ${stacks}`;
  }
}

async function openCase(): Promise<Case> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-collector-'));
  const opened = new Case(dataDir, await openDuckStore({ dataDir, threads: 2 }));
  onTestFinished(async () => {
    await opened.store.close();
    await rm(dataDir, { recursive: true });
  });
  return opened;
}

/** Days 0 and 1 have stacks of their own and one in common; day 0 is deleted. */
async function openWithGarbage(): Promise<Case> {
  const opened = await openCase();
  await opened.put(0, 'all;a;x 1\nall;both 2');
  await opened.put(1, 'all;b;y 4\nall;both 8');
  await opened.put(1, 'all;last 16');
  await opened.store.seal();
  await opened.delete(0);
  return opened;
}

const LEFT = ['all;b;y 4', 'all;both 8', 'all;last 16'];

test('what only deleted samples used goes in two steps; the rest is as it was', async () => {
  const opened = await openWithGarbage();
  const before = opened.rows();
  await opened.store.maintain();
  expect(opened.rows()).toBe(before);
  await opened.store.maintain();
  // x, a and the stack of both: two names, two functions, two locations, one stack.
  const numbers = (text: string) => text.split(' ').map(Number);
  const gone = numbers(before).map((rows, at) => rows - (numbers(opened.rows())[at] ?? 0));
  expect(gone).toEqual([2, 2, 2, 1]);
  expect(opened.store.stats().dictionaryRowsRemoved).toBe(7);
  expect(await opened.answers()).toEqual(LEFT);
  const left = opened.rows();
  await opened.expectWhole();
  expect(opened.rows()).toBe(left);
  await opened.put(0, 'all;a;x 1');
  expect(await opened.answers()).toEqual(['all;a;x 1', ...LEFT]);
  expect(opened.rows()).toBe(before);
  await opened.store.seal();
  await opened.store.maintain();
  await opened.expectWhole();
});

test('files get smaller', async () => {
  const opened = await openCase();
  const stacks = (day: number) =>
    Array.from({ length: 2_000 }, (_, i) => `all;day_${day};leaf_${i * 2 + day} 1`).join('\n');
  for (const day of [0, 1]) await opened.put(day, stacks(day));
  await opened.store.seal();
  await opened.delete(0);
  const bytes = await opened.dictionaryBytes();
  for (let turn = 0; turn < 2; turn++) await opened.store.maintain();
  await opened.reopen();
  expect(await opened.dictionaryBytes()).toBeLessThan(0.7 * bytes);
  expect(opened.store.stats().stacks).toBe(2_000);
});

test('without deleted rows, or with few unused ones, nothing is done', async () => {
  const opened = await openCase();
  const stacks = Array.from({ length: 100 }, (_, i) => `all;f${i} 1`).join('\n');
  await opened.put(0, 'all;a;x 1');
  await opened.put(1, stacks);
  await opened.store.seal();
  for (let turn = 0; turn < 2; turn++) await opened.store.maintain();
  await opened.delete(0);
  const before = opened.rows();
  for (let turn = 0; turn < 3; turn++) await opened.store.maintain();
  expect(opened.rows()).toBe(before);
  expect(opened.store.stats().dictionaryRowsRemoved).toBe(0);
});

test('a stack that comes between the steps stays, known to its sender or not', async () => {
  for (const isKnown of [true, false]) {
    const opened = await openWithGarbage();
    const known = opened.store.snapshot();
    const before = opened.rows();
    await opened.store.maintain();
    expect(opened.store.snapshot().knownStacks.size).toBe(known.knownStacks.size - 1);
    await opened.put(2, 'all;a;x 32', isKnown ? known : undefined);
    await opened.store.maintain();
    expect(opened.rows()).toBe(before);
    expect(opened.store.snapshot().knownStacks.size).toBe(known.knownStacks.size);
    expect(await opened.answers()).toEqual(['all;a;x 32', ...LEFT]);
    await opened.expectWhole();
  }
});

test('stacks that come while a step runs are whole', async () => {
  const opened = await openWithGarbage();
  for (let turn = 0; turn < 2; turn++) {
    let running = true;
    const step = opened.store.maintain().finally(() => {
      running = false;
    });
    for (let at = 0; running; at++) await opened.put(2 + turn, `all;a;x 1\nall;new${at};x 1`);
    await step;
  }
  await opened.expectWhole();
  for (let turn = 0; turn < 2; turn++) await opened.store.maintain();
  await opened.expectWhole();
});

test('files that could not be written leave every row, some twice, and are written later', async () => {
  const opened = await openWithGarbage();
  const before = opened.rows();
  await opened.store.maintain();
  const { writeCatalogue } = BlockChange.prototype;
  const writing = vi.spyOn(BlockChange.prototype, 'writeCatalogue');
  writing.mockImplementation(function (this: BlockChange, version) {
    if (this.added.some(({ kind }) => kind === 'dictionary')) throw new Error('killed');
    return writeCatalogue.call(this, version);
  });
  await expect(opened.store.maintain()).rejects.toThrow('killed');
  writing.mockRestore();
  expect(opened.rows()).not.toBe(before);
  await opened.put(2, 'all;a;x 32');
  await opened.expectWhole();
  expect(await opened.answers()).toEqual(['all;a;x 32', ...LEFT]);
  const doubled = opened.rows();
  await opened.delete(2);
  await opened.store.seal();
  for (let turn = 0; turn < 2; turn++) await opened.store.maintain();
  expect(await opened.answers()).toEqual(LEFT);
  await opened.expectWhole();
  // What was pushed again is the end of its file, which stays.
  expect(opened.rows()).toBe(before);
  expect(doubled).not.toBe(before);
});

/** Does both steps in a process that kills itself in the second, after a statement or the COMMIT. */
async function killAfter(dataDir: string, at: string): Promise<void> {
  const folder = JSON.stringify(join(import.meta.dirname, '..'));
  const code = `import { join } from 'node:path';
    const { BlockChange } = await import(join(${folder}, 'blocks/block-change.ts'));
    const { BlockLists } = await import(join(${folder}, 'blocks/block-lists.ts'));
    const { openDuckStore } = await import(join(${folder}, 'open-store.ts'));
    const kill = () => process.kill(process.pid, 'SIGKILL');
    const store = await openDuckStore({ dataDir: ${JSON.stringify(dataDir)} });
    await store.maintain();
    const { query } = BlockChange.prototype;
    BlockChange.prototype.query = async function (sql) {
      const result = await query.call(this, sql);
      if (sql.startsWith(${JSON.stringify(at)})) kill();
      return result;
    };
    const { commit } = BlockLists.prototype;
    BlockLists.prototype.commit = function (retire) {
      return retire === null ? commit.call(this, retire) : kill();
    };
    await store.maintain();`;
  const node = ['--import', 'tsx', '--input-type=module', '-e', code];
  const [run] = await Promise.allSettled([promisify(execFile)(process.execPath, node)]);
  expect(run).toMatchObject({ status: 'rejected', reason: { signal: 'SIGKILL' } });
}

test('killed at any point of the second step: what is used is whole', async () => {
  const opened = await openWithGarbage();
  const before = opened.rows();
  for (const point of ['COPY', 'DELETE FROM blocks', 'INSERT INTO', 'COMMIT']) {
    await opened.store.close();
    await killAfter(opened.dataDir, point);
    opened.store = await openDuckStore({ dataDir: opened.dataDir, threads: 2 });
    expect(opened.rows() === before).toBe(point !== 'COMMIT');
    expect(await opened.answers()).toEqual(LEFT);
    await opened.expectWhole();
  }
}, 60_000);

test.each(['strings', 'functions', 'locations', 'stacks'])(
  'a damaged file of %s with gaps: sums stay, and what is sent again has its names',
  async (table) => {
    const opened = await openWithGarbage();
    for (let turn = 0; turn < 2; turn++) await opened.store.maintain();
    await opened.store.close();
    const folder = join(opened.dataDir, 'dictionaries');
    const name = (await readdir(folder)).find((file) => file.includes(`.${table}.`)) ?? '';
    await truncate(join(folder, name), 60);
    for (let start = 0; start < 2; start++) {
      opened.store = await openDuckStore({ dataDir: opened.dataDir, threads: 2 });
      expect(opened.store.stats().damagedBlocks).toBe(1);
      await opened.put(3 + start, 'all;b;y 1');
      const answers = await opened.answers();
      expect(answers).toContain(`all;b;y ${1 + start}`);
      const sums = answers.map((line) => Number(line.split(' ').at(-1)));
      expect(sums.reduce((sum, value) => sum + value)).toBe(28 + 1 + start);
      // Stand-ins name texts that are there.
      const { faults } = await opened.store.check(signal);
      const missing = faults.filter(({ what }) => what.includes('rows of strings'));
      expect(missing.length === 0 || table === 'strings').toBe(true);
      await opened.store.close();
    }
    await opened.reopen();
  },
);

test('both steps come by themselves, the second ten minutes after the first', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const opened = await openWithGarbage();
  const known = () => opened.store.snapshot().knownStacks.size;
  const before = { rows: opened.rows(), known: known() };
  vi.advanceTimersByTime(30_000);
  await vi.waitFor(() => expect(known()).toBe(before.known - 1), { timeout: 5_000 });
  expect(opened.rows()).toBe(before.rows);
  const ticks = { timeout: 5_000, interval: 20 };
  await vi.waitFor(() => {
    vi.advanceTimersByTime(30_000);
    expect(opened.store.stats().dictionaryRowsRemoved).toBe(7);
  }, ticks);
});

const steps = fc.array(
  fc.oneof(
    fc.record({
      step: fc.constant('put' as const),
      day: fc.nat(4),
      leaf: fc.array(fc.nat(12), { minLength: 1, maxLength: 4 }),
      isKnown: fc.boolean(),
    }),
    fc.record({ step: fc.constant('delete' as const), day: fc.nat(4) }),
    fc.record({ step: fc.constantFrom('seal' as const, 'maintain' as const, 'reopen' as const) }),
  ),
  { minLength: 8, maxLength: 24 },
);

test('whatever is pushed, deleted, sealed and removed: answers are those of a model', async () => {
  const property = fc.asyncProperty(steps, async (drawn) => {
    const opened = await openCase();
    const model = new Map<string, number>();
    const text = (): string[] => {
      const sums = new Map<string, number>();
      for (const [key, value] of model) {
        const stack = key.slice(key.indexOf(' ') + 1);
        sums.set(stack, (sums.get(stack) ?? 0) + value);
      }
      return [...sums].map(([stack, sum]) => `${stack} ${sum}`).sort();
    };
    for (const action of drawn) {
      if (action.step === 'put') {
        const stacks = action.leaf.map((leaf) => `r${leaf % 3};m${leaf >> 1};l${leaf}`);
        const known = action.isKnown ? opened.store.snapshot() : undefined;
        await opened.put(action.day, stacks.map((stack) => `${stack} 1`).join('\n'), known);
        for (const stack of stacks) {
          const key = `${action.day} ${stack}`;
          model.set(key, (model.get(key) ?? 0) + 1);
        }
      } else if (action.step === 'delete') {
        await opened.delete(action.day);
        for (const key of model.keys()) if (key.startsWith(`${action.day} `)) model.delete(key);
      } else if (action.step === 'seal') await opened.store.seal();
      else if (action.step === 'maintain') await opened.store.maintain();
      else await opened.reopen();
      expect(await opened.answers()).toEqual(text());
    }
    await opened.expectWhole();
  });
  await fc.assert(property, { numRuns: 8, seed: 5 });
}, 120_000);
