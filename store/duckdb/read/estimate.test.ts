import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseProfileType } from '../../../profile/select/profile-type.ts';
import { parseSelector } from '../../../profile/select/selector.ts';
import type { EpochMs } from '../../../profile/units.ts';
import { drawBatch } from '../../../test/conformance/drawn-batch.ts';
import { openDuckStore } from '../open-store.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;

test('an estimate: blocks by time, series by labels, hot rows in full', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'everflame-estimate-'));
  const store = await openDuckStore({ dataDir, threads: 1 });
  /** Two rows for each service, at two times 100 s apart. */
  const write = async (id: string, services: readonly string[]) => {
    const profiles = services.flatMap((service_name) =>
      [T0, T0 + 100_000].map((tsMs) => ({
        labels: { service_name },
        tsMs,
        types: { [CPU]: 'main;parse 20' },
      })),
    );
    await store.write(drawBatch(store.idKey, { id, profiles }));
  };
  const estimate = async (matchers: string, fromMs: number, toMs: number) => {
    const range = { from: (T0 + fromMs) as EpochMs, to: (T0 + toMs) as EpochMs };
    const { matchers: parsed } = parseSelector(matchers);
    const all = await store.estimate({ type: parseProfileType(CPU), matchers: parsed, range });
    const { series, blocks, rows, maxRows, hotRows } = all;
    return `${series} series, ${blocks} blocks, ${rows} of ${maxRows} rows, ${hotRows} hot`;
  };
  await write('01', ['a', 'b', 'c', 'd']);
  expect(await estimate('{}', 0, 200_000)).toBe('4 series, 0 blocks, 8 of 8 rows, 8 hot');
  expect(await estimate('{service_name=~"a|b"}', 0, 200_000)).toBe(
    '2 series, 0 blocks, 4 of 8 rows, 8 hot',
  );
  await store.seal();
  await write('02', ['a']);
  expect(await estimate('{}', 0, 200_000)).toBe('4 series, 1 blocks, 10 of 10 rows, 2 hot');
  expect(await estimate('{service_name="b"}', 0, 50_000)).toBe(
    '1 series, 1 blocks, 2 of 10 rows, 2 hot',
  );
  expect(await estimate('{}', 300_000, 400_000)).toBe('0 series, 0 blocks, 0 of 2 rows, 2 hot');
  await store.close();
  rmSync(dataDir, { recursive: true });
});
