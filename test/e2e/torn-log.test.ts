/** A write-ahead log that is cut short or damaged: what is left is whole, or the start is refused. */
import {
  closeSync,
  cpSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRandom } from '../../bench/random.ts';
import type { FunctionsJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, runEverflame, startServerProcess, withFolder } from './server-process.ts';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PUSHES = 40;
const NOW = Date.now();

/** Two functions of a name of their own, so that a profile that is there in part is seen. */
async function push(url: string, number: number): Promise<void> {
  const text = `main;first_${number} 1\nmain;second_${number} 2`;
  const body = pprofFromText(text, { timeMs: NOW - 60_000 + number });
  const headers = { 'idempotency-key': `push-${number}` };
  const answer = await fetch(`${url}/ingest?name=torn`, { method: 'POST', headers, body });
  expect(answer.status).toBe(200);
}

/** Numbers of the profiles that are there; fails where one is not whole. */
async function readStored(url: string): Promise<number[]> {
  const query = { query: `${TYPE}{service_name="torn"}`, limit: '1000', sort: 'name' };
  const { functions } = await getJson<FunctionsJson>(url, '/api/v1/functions', query);
  const self = new Map(functions.map((fn) => [fn.name, fn.self]));
  const stored: number[] = [];
  for (let number = 0; number < PUSHES; number++) {
    const parts = [self.get(`first_${number}`) ?? 0, self.get(`second_${number}`) ?? 0];
    if (parts[0] !== 0 || parts[1] !== 0) {
      expect(parts).toEqual([1, 2]);
      stored.push(number);
    }
  }
  return stored;
}

test('of a log cut anywhere, the transactions before the cut are there and nothing else', async () => {
  await withFolder(async (folder) => {
    const whole = join(folder, 'whole');
    const server = await startServerProcess(whole);
    for (let number = 0; number < PUSHES; number++) await push(server.url, number);
    await server.kill();
    const bytes = statSync(join(whole, 'everflame.duckdb.wal')).size;
    const random = createRandom(3);
    const cuts = [
      bytes,
      bytes - 10,
      ...Array.from({ length: 4 }, () => random.between(20_000, bytes)),
    ];
    for (const [row, cut] of cuts.entries()) {
      const dataDir = join(folder, `cut-${row}`);
      cpSync(whole, dataDir, { recursive: true });
      truncateSync(join(dataDir, 'everflame.duckdb.wal'), cut);
      const reopened = await startServerProcess(dataDir);
      const stored = await readStored(reopened.url);
      expect(stored).toEqual(Array.from({ length: stored.length }, (_, number) => number));
      if (cut === bytes) expect(stored).toHaveLength(PUSHES);
      else expect(stored.length).toBeLessThan(PUSHES);
      // What is gone is written by a retry, with the dictionary rows that went with it; what is
      // there is not doubled.
      await push(reopened.url, PUSHES - 1);
      expect(await readStored(reopened.url)).toContain(PUSHES - 1);
      expect(await reopened.stop()).toBe(0);
    }
  });
});

test('a log that is damaged in its middle is refused by name, and left as it is', async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, 'data');
    const log = join(dataDir, 'everflame.duckdb.wal');
    const server = await startServerProcess(dataDir);
    for (let number = 0; number < PUSHES; number++) await push(server.url, number);
    await server.kill();
    const bytes = statSync(log).size;
    // In a name: what a damaged length says could as well be a log that is cut.
    flipBit(log, readFileSync(log).indexOf(`second_${PUSHES / 2}`));

    const refused = await runEverflame([
      'server',
      '--data-dir',
      dataDir,
      '--http-address',
      '127.0.0.1:0',
    ]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('everflame.duckdb.wal');
    expect(refused.stderr).toContain('Start on a backup.');
    expect(refused.stderr.trim().split('\n')).toHaveLength(1);
    expect(statSync(log).size).toBe(bytes);

    renameSync(log, join(folder, 'kept.wal'));
    const reopened = await startServerProcess(dataDir);
    await push(reopened.url, 0);
    expect(await readStored(reopened.url)).toEqual([0]);
    expect(await reopened.stop()).toBe(0);
  });
});

function flipBit(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  const byte = new Uint8Array(1);
  readSync(file, byte, 0, 1, offset);
  byte[0] = (byte[0] as number) ^ 0x10;
  writeSync(file, byte, 0, 1, offset);
  closeSync(file);
}
