/** Blocks that are damaged on disk: the server starts, says what it left out, and answers the rest. */
import { chmodSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type { MergeJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, type ServerProcess, startServerProcess, withFolder } from './server-process.ts';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const DAY_MS = 24 * 3_600_000;
/** Noon of a day, so that a push around it is of that day. */
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS / 2;
const BUSY_MAINTENANCE = pathToFileURL('test/e2e/busy-maintenance.mjs').href;

const start = (dataDir: string) =>
  startServerProcess(dataDir, '127.0.0.1:0', {
    env: { NODE_OPTIONS: `--import ${BUSY_MAINTENANCE}`, MAINTENANCE_HOT_MS: '3600000' },
  });

/** `day` days ago, a weight that tells it from the others. */
async function push({ url }: ServerProcess, day: number): Promise<void> {
  const body = pprofFromText(`main;day_${day} ${10 ** day}`, { timeMs: NOON - day * DAY_MS });
  const answer = await fetch(`${url}/ingest?name=torn`, {
    method: 'POST',
    body: body as Uint8Array<ArrayBuffer>,
  });
  expect(answer.status).toBe(200);
}

function merge({ url }: ServerProcess, days: number): Promise<MergeJson> {
  const range = { from: String(NOON - (days - 0.5) * DAY_MS), to: String(Date.now()) };
  return getJson<MergeJson>(url, '/api/v1/merge', { query: `${TYPE}{}`, ...range });
}

async function readMetric({ url }: ServerProcess, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1]);
}

/** Pushes a profile of each day and waits until nothing is hot. */
async function fill(server: ServerProcess, days: number): Promise<void> {
  for (let day = 0; day < days; day++) await push(server, day);
  for (let look = 0; (await readMetric(server, 'everflame_store_hot_samples')) > 0; look++) {
    expect(look, 'sealing in time').toBeLessThan(600);
    await sleep(50);
  }
}

/** The samples of the blocks, oldest first. */
function sampleFiles(dataDir: string): string[] {
  const folder = join(dataDir, 'blocks');
  const names = readdirSync(folder).filter((name) => name.includes('.samples.'));
  return names.sort().map((name) => join(folder, name));
}

const DAMAGES: [string, (path: string) => void][] = [
  ['missing', (path) => rmSync(path)],
  ['cut in half', (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2))],
  [
    'flipped in its footer',
    (path) => {
      const bytes = readFileSync(path);
      const at = bytes.length - 20;
      bytes[at] = (bytes[at] as number) ^ 0xff;
      writeFileSync(path, bytes);
    },
  ],
];

test.each(DAMAGES)(
  'a file of a block is %s: its day is left out and told of',
  async (_, damage) => {
    await withFolder(async (folder) => {
      const dataDir = join(folder, 'data');
      const first = await start(dataDir);
      await fill(first, 3);
      expect(await first.stop()).toBe(0);
      const files = sampleFiles(dataDir);
      expect(files).toHaveLength(3);
      chmodSync(files[1] as string, 0o644);
      damage(files[1] as string);

      const second = await start(dataDir);
      // The second file's day is one of the three, whichever was sealed second.
      const { total, quality } = await merge(second, 3);
      expect([11, 101, 110]).toContain(total);
      expect(quality).toMatchObject({ damaged: { blocks: 1, samples: 1 } });
      expect(await readMetric(second, 'everflame_store_damaged_blocks')).toBe(1);
      expect(
        second
          .output()
          .split('\n')
          .filter((line) => line.includes('damaged')),
      ).not.toEqual([]);
      await push(second, 4);
      expect((await merge(second, 5)).total).toBe(total + 10_000);
      await second.kill();

      const third = await start(dataDir);
      expect((await merge(third, 5)).total).toBe(total + 10_000);
      expect(await third.stop()).toBe(0);
    });
  },
);

test('a file that goes while the server runs: the question that meets it is answered', async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, 'data');
    const server = await start(dataDir);
    await fill(server, 3);
    rmSync(sampleFiles(dataDir)[0] as string);
    const { total } = await merge(server, 3);
    expect([11, 101, 110]).toContain(total);
    expect((await merge(server, 3)).quality).toMatchObject({
      damaged: { blocks: 1, samples: 1 },
    });
    expect(await server.stop()).toBe(0);
  });
});
