/**
 * Another program fills the disk at the worst moment: a checkpoint finds no room, which ends the
 * database. The server says so, opens it again when there is room, and has lost nothing.
 */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test, vi } from 'vitest';
import type { MergeJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import {
  getJson,
  runEverflame,
  type ServerProcess,
  startServerProcess,
  withFolder,
} from './server-process.ts';
import { withSmallDisk } from './small-disk.ts';

const NOW = Date.now();
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';
const SMALL_PUSH = 500;
const LARGE_PUSH = 1_500;
/** More than the log takes before it is written into the file. */
const MAX_PUSHES = 500;
const FILLED_DISK = pathToFileURL('test/e2e/filled-disk.mjs').href;
const ENDING_DATABASE = pathToFileURL('test/e2e/ending-database.mjs').href;
const WAIT = { timeout: 30_000, interval: 100 };

class Sender {
  acknowledged = 0;
  #next = 0;

  /** The same batch again where the one before was not acknowledged. */
  async push(url: string, stacks: number): Promise<Response> {
    const body = this.#draw(stacks);
    const headers = { 'idempotency-key': `fatal-${this.#next}` };
    const answer = await fetch(`${url}/ingest?name=full`, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    if (answer.ok) this.acknowledged += stacks;
    if (answer.ok) this.#next++;
    return answer;
  }

  /** Names that no compression makes small. */
  #draw(stacks: number): Uint8Array<ArrayBuffer> {
    const number = this.#next;
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

/** Pushes until the log is written into the file, while which the disk is filled. */
async function endDatabase({ url, output }: ServerProcess, sender: Sender): Promise<void> {
  for (let pushes = 0; pushes < MAX_PUSHES && !output().includes('has ended'); pushes++) {
    const { status } = await sender.push(url, SMALL_PUSH);
    expect([200, 503, 507]).toContain(status);
  }
  expect(output()).toContain('has ended');
}

test('a checkpoint without room: 503 and 507 until there is some, then all goes on', async () => {
  await withSmallDisk(60, async (folder) => {
    const sender = new Sender();
    const filler = join(folder, 'filler');
    const env = { NODE_OPTIONS: `--import ${FILLED_DISK}`, FILLER: filler };
    const server = await startServerProcess(join(folder, 'data'), '127.0.0.1:0', { env });
    const { url, pid } = server;
    await endDatabase(server, sender);

    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(Number(ready.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await ready.text()).toMatch(/"detail":"the disk (has \d+ bytes left|is full)/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/api/v1/labels`)).status).toBe(503);
    const refused = await sender.push(url, LARGE_PUSH);
    expect(refused.status).toBe(507);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

    rmSync(filler);
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
      'a checkpoint of the database was cut off, and is taken back',
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
