/** Whatever happens to the files of blocks: the store opens, answers what is left, and goes on. */
import { chmod, cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../../../bench/random.ts';
import { drawBatch, mergeText } from '../../../test/conformance/drawn-batch.ts';
import { select } from '../../../test/conformance/store.ts';
import { openDuckStore } from '../open-store.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const T0 = 1_700_000_000_000;
const DAY_MS = 24 * 3_600_000;
const DAYS = 4;
const DAMAGES = 16;

let folder = '';
let whole = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everflame-damage-'));
  whole = join(folder, 'whole');
  const store = await openDuckStore({ dataDir: whole, threads: 2 });
  for (let day = 0; day < DAYS; day++) {
    const stacks = Array.from({ length: 50 }, (_, i) => `main;day_${day};leaf_${i} ${i + 1}`);
    const labels = { service_name: `s${day % 2}` };
    const types = { [CPU]: stacks.join('\n') };
    const profile = { labels, tsMs: T0 + day * DAY_MS, types };
    await store.write(drawBatch(store.idKey, { id: `day ${day}`, profiles: [profile] }));
    await store.seal();
  }
  await store.close();
});
afterAll(() => rm(folder, { recursive: true }));

const WEIGHT = (50 * 51) / 2;

/** `kind` of damage at a random place of a random file. */
async function damage(dataDir: string, seed: number): Promise<string> {
  const random = createRandom(seed);
  const names: string[] = [];
  for (const sub of ['blocks', 'dictionaries']) {
    for (const name of await readdir(join(dataDir, sub))) names.push(join(sub, name));
  }
  const name = names.sort()[random.between(0, names.length - 1)] as string;
  const path = join(dataDir, name);
  const bytes = await readFile(path);
  const at = random.between(0, bytes.length - 1);
  const kind = random.between(0, 3);
  await chmod(path, 0o644);
  if (kind === 0) await rm(path);
  else if (kind === 1) await truncate(path, at);
  else if (kind === 2) {
    bytes[at] = (bytes[at] as number) ^ (1 << random.between(0, 7));
    await writeFile(path, bytes);
  } else {
    await writeFile(path, bytes.fill(0, at, Math.min(bytes.length, at + 512)));
  }
  return `${name}, kind ${kind} at ${at}`;
}

/** Weight by day, over all stacks; a name that is lost leaves its weight. */
async function weights(dataDir: string, more: string): Promise<number[]> {
  const store = await openDuckStore({ dataDir, threads: 2 });
  try {
    const answers: number[] = [];
    for (let day = 0; day < DAYS; day++) {
      const range = select(CPU, day * DAY_MS, (day + 1) * DAY_MS);
      const { value } = await store.merge(range, []);
      answers.push(value.reduce((sum, weight) => sum + weight, 0));
    }
    const profile = { labels: {}, tsMs: T0 + 9 * DAY_MS, types: { [CPU]: 'after;it 7' } };
    await store.write(drawBatch(store.idKey, { id: more, profiles: [profile] }));
    await store.seal();
    const after = await store.merge(select(CPU, 9 * DAY_MS, 10 * DAY_MS), []);
    expect(mergeText(store.snapshot(), after)).toEqual(['after;it 7']);
    return answers;
  } finally {
    await store.close();
  }
}

test('each of 16 damages costs a day at most, and the store goes on', async () => {
  for (let seed = 1; seed <= DAMAGES; seed++) {
    const dataDir = join(folder, `damaged-${seed}`);
    await cp(whole, dataDir, { recursive: true });
    const what = await damage(dataDir, seed);
    const days = await weights(dataDir, 'after');
    const intact = days.filter((weight) => weight === WEIGHT).length;
    expect(intact, `${what}: ${days.join(' ')}`).toBeGreaterThanOrEqual(DAYS - 1);
    await rm(dataDir, { recursive: true });
  }
}, 120_000);
