/**
 * Another program fills the disk at the worst moment: a checkpoint finds no room, which ends the
 * database. The server says so, opens it again when there is room, and has lost nothing.
 */
import { createHash } from 'node:crypto';
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test, vi } from 'vitest';
import type { MergeJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, runEverflame, startServerProcess, withFolder } from './server-process.ts';
import { withSmallDisk } from './small-disk.ts';

const NOW = Date.now();
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';
const MIB = 2 ** 20;
/** The log is written into the file when it is longer than 16 MiB. */
const NEARLY_FULL_LOG_BYTES = 15.7 * MIB;
/** Enough for a push, not for the checkpoint after it. */
const LEFT_BYTES = 2 * MIB;
const SMALL_PUSH = 500;
const LARGE_PUSH = 1_500;
const ENDING_DATABASE = pathToFileURL('test/e2e/ending-database.mjs').href;
const WAIT = { timeout: 30_000, interval: 100 };

class Sender {
  acknowledged = 0;
  #next = 0;

  /** The same batch again where the one before was not acknowledged. */
  async push(url: string, stacks: number, body = this.draw(stacks)): Promise<Response> {
    const headers = { 'idempotency-key': `fatal-${this.#next}` };
    const answer = await fetch(`${url}/ingest?name=full`, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    if (answer.ok) this.acknowledged += stacks;
    if (answer.ok) this.#next++;
    return answer;
  }

  /** The batch after `ahead` more; names that no compression makes small. */
  draw(stacks: number, ahead = 0): Uint8Array<ArrayBuffer> {
    const number = this.#next + ahead;
    const lines = Array.from({ length: stacks }, (_, i) => {
      const name = createHash('sha256').update(`${number} ${i}`).digest('hex');
      return `${name} 1`;
    });
    const timeMs = NOW - 60_000 + number;
    return pprofFromText(lines.join('\n'), { timeMs }) as Uint8Array<ArrayBuffer>;
  }
}

const total = async (url: string) =>
  (await getJson<MergeJson>(url, '/api/v1/merge', { query: QUERY, max_nodes: '1' })).total;

/**
 * Pushes until a checkpoint fails. The server looks at the disk every 250 ms: right after a look
 * the disk is filled but for what the log takes, and a push makes the log too long.
 */
async function endDatabase(url: string, folder: string, sender: Sender): Promise<void> {
  const log = join(folder, 'data', 'everflame.duckdb.wal');
  const filler = join(folder, 'filler');
  while (statSync(log).size < NEARLY_FULL_LOG_BYTES) {
    expect((await sender.push(url, SMALL_PUSH)).status).toBe(200);
  }
  for (let attempt = 0; attempt < 50; attempt++) {
    await sleep(300);
    const body = sender.draw(LARGE_PUSH, 1);
    expect((await sender.push(url, 1)).status).toBe(200);
    const { bsize, bavail } = statfsSync(folder);
    writeFileSync(filler, new Uint8Array(bsize * bavail - LEFT_BYTES));
    expect((await sender.push(url, LARGE_PUSH, body)).status).toBe(507);
    const ready = await (await fetch(`${url}/readyz`)).text();
    if (!ready.includes('bytes left"')) return;
    rmSync(filler);
  }
  throw new Error('no checkpoint has failed');
}

test('a checkpoint without room: 503 and 507 until there is some, then all goes on', async () => {
  await withSmallDisk(60, async (folder) => {
    const sender = new Sender();
    const server = await startServerProcess(join(folder, 'data'));
    const { url, pid } = server;
    await endDatabase(url, folder, sender);
    await vi.waitFor(() => expect(server.output()).toContain('has ended'), WAIT);

    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(Number(ready.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await ready.text()).toMatch(/"detail":"the disk (has \d+ bytes left|is full)/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/api/v1/labels`)).status).toBe(503);
    const refused = await sender.push(url, LARGE_PUSH);
    expect(refused.status).toBe(507);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

    rmSync(join(folder, 'filler'));
    await vi.waitFor(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200), WAIT);
    // What was refused had reached the log or not; its retry is there once.
    expect((await sender.push(url, LARGE_PUSH)).status).toBe(200);
    expect(await total(url)).toBe(sender.acknowledged);
    expect((await sender.push(url, 1)).status).toBe(200);
    expect(await total(url)).toBe(sender.acknowledged);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^everflame_store_restarts_total 1$/m);
    expect(server.pid).toBe(pid);
    expect(await server.stop()).toBe(0);
    expect(server.output().split('\n').slice(1, -1)).toEqual([
      expect.stringMatching(/^the store has ended and is opened again: the disk is full: /),
      'the store is open again',
    ]);
  });
});

test('a database that ends itself time after time ends the server, which says why', async () => {
  await withFolder(async (folder) => {
    const flags = ['--http-address', '127.0.0.1:0', '--data-dir', join(folder, 'data')];
    const env = { NODE_OPTIONS: `--import ${ENDING_DATABASE}` };
    const { code, stderr } = await runEverflame(['server', ...flags], env);
    expect(code).toBe(1);
    const lines = stderr.trim().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines.at(-1)).toMatch(/^everflame: the store cannot be kept open, the server ends: /);
  });
});
