import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type DrawnProfile, drawBatch } from '../../../test/conformance/drawn-batch.ts';
import { CPU, select } from '../../../test/conformance/store.ts';
import type { EmbeddedStore } from '../duck-store.ts';
import { openDuckStore } from '../open-store.ts';

const T0 = 1_700_000_000_000;
const STACKS = 500;

async function openStore(): Promise<EmbeddedStore> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-merge-'));
  const store = await openDuckStore({ dataDir, threads: 2 });
  onTestFinished(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });
  return store;
}

/** Sample i is of stack i % STACKS and has the value i + 1. */
function profileOf(host: string, samples: number): DrawnProfile {
  const lines = Array.from({ length: samples }, (_, i) => `main;f${i % STACKS} ${i + 1}`);
  return { labels: { service_name: 's', host }, tsMs: T0, types: { [CPU]: lines.join('\n') } };
}

/** `stacks, sum` of one host, by itself and as a group of all; the two must agree by stack. */
async function askBothWays(store: EmbeddedStore, host: string): Promise<string> {
  const alone = await store.merge(select(`${CPU}{host="${host}"}`, 0, 1_000), []);
  const grouped = await store.merge(select(`${CPU}{}`, 0, 1_000), ['host']);
  const group = grouped.groups.findIndex((labels) => labels.host === host);
  const sums = new Map<number, number>();
  for (const [row, stack] of grouped.stack.entries()) {
    if (grouped.group[row] === group) sums.set(stack, grouped.value[row] as number);
  }
  const own = new Map([...alone.stack].map((stack, row) => [stack, alone.value[row] as number]));
  expect(new Map([...own].sort())).toEqual(new Map([...sums].sort()));
  expect(alone.stack.length).toBe(own.size);
  return `${own.size} stacks, ${[...own.values()].reduce((sum, value) => sum + value, 0)}`;
}

test.each([
  { name: 'few rows of each', a: 700, b: 300, answer: '500 stacks, 245350' },
  {
    name: 'few are expected of a, and there are many',
    a: 40_000,
    b: 1,
    answer: '500 stacks, 800020000',
  },
  { name: 'many of each', a: 35_000, b: 40_000, answer: '500 stacks, 612517500' },
])('$name', async ({ a, b, answer }) => {
  const store = await openStore();
  const profiles = [profileOf('a', a), profileOf('b', b), profileOf('c', 1)];
  await store.write(drawBatch(store.idKey, { id: '1', profiles }));
  expect(await askBothWays(store, 'a')).toBe(answer);
  await store.seal();
  expect(await askBothWays(store, 'a')).toBe(answer);
});

test('a sum over 2^53 of few rows is refused', async () => {
  const store = await openStore();
  const text = `main ${2 ** 52}\nmain ${2 ** 52}`;
  const types = { [CPU]: text };
  const profiles = [{ labels: { service_name: 's' }, tsMs: T0, types }];
  await store.write(drawBatch(store.idKey, { id: '1', profiles }));
  await expect(store.merge(select(`${CPU}{}`, 0, 1_000), [])).rejects.toThrow('over 2^53');
});
