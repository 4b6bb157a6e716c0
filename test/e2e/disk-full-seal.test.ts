/** A disk that fills while the store seals all the time: nothing acknowledged is lost or doubled. */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type { MergeJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, startServerProcess } from './server-process.ts';
import { growDisk, withSmallDisk } from './small-disk.ts';

const NOW = Date.now();
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';
const STACKS = 500;
const HOUR_MS = 3_600_000;
const BUSY_MAINTENANCE = pathToFileURL('test/e2e/busy-maintenance.mjs').href;

/** Names that no compression makes small, over the last hours. */
function profile(round: number): Uint8Array<ArrayBuffer> {
  const lines = Array.from({ length: STACKS }, (_, i) => {
    const name = createHash('sha256').update(`${round} ${i}`).digest('hex');
    return `${name} 1`;
  });
  const timeMs = NOW - (1 + (round % 40)) * HOUR_MS;
  return pprofFromText(lines.join('\n'), { timeMs }) as Uint8Array<ArrayBuffer>;
}

async function push(url: string, round: number): Promise<number> {
  const headers = { 'idempotency-key': `full-${round}` };
  const body = profile(round);
  const answer = await fetch(`${url}/ingest?name=full`, { method: 'POST', headers, body });
  await answer.arrayBuffer();
  return answer.status;
}

async function total(url: string): Promise<number> {
  const range = { from: String(NOW - 48 * HOUR_MS), to: String(NOW) };
  const query = { query: QUERY, max_nodes: '1', ...range };
  return (await getJson<MergeJson>(url, '/api/v1/merge', query)).total;
}

test('sealing on a disk that is full, has room again, and is full again', async () => {
  await withSmallDisk(12, async (folder) => {
    const dataDir = join(folder, 'data');
    const env = { NODE_OPTIONS: `--import ${BUSY_MAINTENANCE}` };
    const start = () => startServerProcess(dataDir, '127.0.0.1:0', { env });
    let server = await start();
    let acknowledged = 0;
    let round = 0;
    for (const megabytes of [12, 20, 28]) {
      growDisk(folder, megabytes);
      let refused = 0;
      // A seal that ends makes room too, so that one refusal is not yet a full disk.
      while (refused < 5) {
        const status = await push(server.url, round);
        expect([200, 507]).toContain(status);
        if (status === 200) {
          acknowledged += STACKS;
          round++;
          refused = 0;
        } else {
          refused++;
          await sleep(100);
        }
        expect(round).toBeLessThan(2_000);
      }
      expect(await total(server.url)).toBe(acknowledged);
      await server.kill();
      server = await start();
      expect(await total(server.url)).toBe(acknowledged);
    }
    growDisk(folder, 128);
    // What was refused is taken by its retry.
    expect(await push(server.url, round)).toBe(200);
    acknowledged += STACKS;
    expect(await total(server.url)).toBe(acknowledged);
    expect(await server.stop()).toBe(0);
    expect(readdirSync(dataDir)).not.toContain('set-aside');
    expect(server.output()).not.toContain('damaged');
  });
});
