import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { drawBatch } from '../../../test/conformance/drawn-batch.ts';
import { openDuckStore } from '../open-store.ts';
import { checkDataDir } from './check-data-dir.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = 1_700_000_000_000;
const signal = new AbortController().signal;

/** A store with two sealed days and hot rows; its directory. */
async function makeStore() {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-check-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const store = await openDuckStore({ dataDir, threads: 2 });
  for (const [day, stacks] of ['main;a 1', 'main;b 2', 'main;c 3'].entries()) {
    const labels = { service_name: 's' };
    const profile = { labels, tsMs: T0 + day * 86_400_000, types: { [CPU]: stacks } };
    await store.write(drawBatch(store.idKey, { id: stacks, profiles: [profile] }));
    if (day < 2) await store.seal();
  }
  return { dataDir, store };
}

/** Turns one bit in the middle of a file. */
async function damage(path: string): Promise<void> {
  const file = await open(path, 'r+');
  const at = Math.floor((await file.stat()).size / 2);
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, at);
  await file.close();
}

test('what is whole has no fault, open or closed, and nothing is changed', async () => {
  const { dataDir, store } = await makeStore();
  const open = await store.check(signal);
  expect(open).toMatchObject({ faults: [] });
  expect(open.files).toBeGreaterThan(8);
  await expect(checkDataDir(dataDir)).rejects.toMatchObject({ kind: 'conflict' });
  await store.close();
  const before = await readdir(dataDir, { recursive: true });
  expect(await checkDataDir(dataDir)).toEqual(open);
  expect(await readdir(dataDir, { recursive: true })).toEqual(before);
});

test('many checks at once neither wait for one another nor keep reads out', async () => {
  const { store } = await makeStore();
  const checks = await Promise.allSettled(Array.from({ length: 20 }, () => store.check(signal)));
  expect(checks[0]).toMatchObject({ status: 'fulfilled', value: { faults: [] } });
  for (const check of checks.slice(1)) {
    expect(check).toMatchObject({ status: 'rejected', reason: { kind: 'conflict' } });
  }
  expect((await store.check(signal)).faults).toEqual([]);
  await store.close();
});

test('a damaged block is named with its time and samples, and set aside by a server', async () => {
  const { dataDir, store } = await makeStore();
  const [name = ''] = (await readdir(join(dataDir, 'blocks'))).filter((file) =>
    file.includes('.samples.'),
  );
  await damage(join(dataDir, 'blocks', name));
  const fault = {
    place: `blocks/${name}`,
    what: `blocks/${name} is not what was written`,
    range: { from: T0, to: T0 + 1 },
    samples: 1,
  };
  expect((await store.check(signal)).faults).toEqual([fault]);
  const known = { ...fault, place: 'block 1', what: fault.what };
  expect((await store.check(signal)).faults).toEqual([known]);
  await store.close();
  expect((await checkDataDir(dataDir)).faults).toEqual([known]);
});

test('rows that name what is not there are counted', async () => {
  const { dataDir, store } = await makeStore();
  await store.close();
  const [name = ''] = (await readdir(join(dataDir, 'dictionaries'))).filter((file) =>
    file.includes('.stacks.'),
  );
  await damage(join(dataDir, 'dictionaries', name));
  expect(
    (await checkDataDir(dataDir)).faults.map(({ place, what }) => `${place}: ${what}`),
  ).toEqual([
    `dictionaries/${name}: dictionaries/${name} is not what was written`,
    'samples: 1 rows name 1 rows of stacks that are not there',
  ]);
});

test('a directory without a store is none', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-check-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  await expect(checkDataDir(dataDir)).rejects.toMatchObject({ kind: 'not-found' });
});
