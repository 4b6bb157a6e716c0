import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type DrawnProfile, drawBatch } from '../../../test/conformance/drawn-batch.ts';
import { CPU, select } from '../../../test/conformance/store.ts';
import { openDuckStore } from '../open-store.ts';

const T0 = 1_700_000_000_000;
const MINUTE_MS = 60_000;

/** One host has a profile in each of 60 minutes, the others have few. */
const MINUTES: Record<string, number[]> = {
  always: Array.from({ length: 60 }, (_, minute) => minute),
  early: [0, 1],
  late: [59],
};

function profiles(): DrawnProfile[] {
  return Object.entries(MINUTES).flatMap(([host, minutes]) =>
    minutes.map((minute) => ({
      labels: { service_name: 's', host },
      tsMs: T0 + minute * MINUTE_MS,
      types: { [CPU]: 'main 1' },
    })),
  );
}

test('of a block that ends a range, the smaller side is read; the counts are those of its rows', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-counts-'));
  const store = await openDuckStore({ dataDir, threads: 2 });
  onTestFinished(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });
  await store.write(drawBatch(store.idKey, { id: '1', profiles: profiles() }));
  await store.seal();
  const ranges = [0, 1, 2, 20, 40, 59].flatMap((from) =>
    [1, 2, 30, 59, 60, 90].filter((to) => to > from).map((to) => [from, to] as const),
  );
  for (const [from, to] of ranges) {
    const selection = select(`${CPU}{}`, from * MINUTE_MS, to * MINUTE_MS);
    const counts = Object.values(MINUTES).map(
      (minutes) => minutes.filter((minute) => minute >= from && minute < to).length,
    );
    const { series, profiles: count } = await store.summary(selection);
    expect([from, to, series, count]).toEqual([
      from,
      to,
      counts.filter((number) => number > 0).length,
      counts.reduce((sum, number) => sum + number, 0),
    ]);
  }
});
