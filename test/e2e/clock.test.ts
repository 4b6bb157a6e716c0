/** A clock that jumps, back and ahead: nothing acknowledged is lost, doubled or refused for good. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { MergeJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, startServerProcess, withFolder } from './server-process.ts';

const HOUR_MS = 3_600_000;
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';

test('the clock jumps back three hours, ahead two days, and back again', async () => {
  await withFolder(async (folder) => {
    const clockFile = join(folder, 'clock');
    const dataDir = join(folder, 'data');
    const setClock = async (offsetMs: number) => {
      writeFileSync(clockFile, String(offsetMs));
      // The server looks every 20 ms.
      await sleep(60);
    };
    const start = () => {
      const preload = `--require ${resolve('test/e2e/server-clock.cjs')}`;
      const env = { NODE_OPTIONS: preload, CLOCK_FILE: clockFile };
      return startServerProcess(dataDir, '127.0.0.1:0', { env });
    };
    await setClock(0);
    let server = await start();
    const push = async (key: string, timeMs: number) => {
      const body = pprofFromText(`main;${key} 1`, { timeMs });
      const headers = { 'idempotency-key': key };
      const init = { method: 'POST', headers, body };
      return (await fetch(`${server.url}/ingest?name=clock`, init)).status;
    };
    const range = {
      from: String(Date.now() - 30 * HOUR_MS),
      to: String(Date.now() + 60 * HOUR_MS),
    };
    const total = async () =>
      (await getJson<MergeJson>(server.url, '/api/v1/merge', { query: QUERY, ...range })).total;

    const now = Date.now();
    expect(await push('first', now - 1_000)).toBe(200);
    await setClock(-3 * HOUR_MS);
    expect(await push('behind', now - 3 * HOUR_MS)).toBe(200);
    expect(await push('behind', now - 3 * HOUR_MS)).toBe(200);
    // Three hours ahead of what the server believes: refused, also what it has already.
    expect(await push('ahead', now)).toBe(422);
    expect(await push('first', now - 1_000)).toBe(422);
    expect(await total()).toBe(2);

    await setClock(48 * HOUR_MS);
    expect(await push('first', now - 1_000)).toBe(200);
    expect(await push('behind', now - 3 * HOUR_MS)).toBe(200);
    expect(await push('later', now + 48 * HOUR_MS)).toBe(200);
    expect(await total()).toBe(3);
    await server.kill();

    await setClock(0);
    server = await start();
    expect(await total()).toBe(3);
    expect(await push('first', now - 1_000)).toBe(200);
    expect(await push('ahead', now)).toBe(200);
    expect(await push('ahead', now)).toBe(200);
    expect(await total()).toBe(4);
    expect(await server.stop()).toBe(0);
    expect(server.output()).not.toContain('failed');
  });
});
