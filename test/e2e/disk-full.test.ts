/** A full disk: pushes and uploads are told so, reads go on, nothing acknowledged is lost. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { MergeJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, startServerProcess } from './server-process.ts';
import { growDisk, withSmallDisk } from './small-disk.ts';

const NOW = Date.now();
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';
const STACKS = 2_000;

/** Names that no compression makes small. */
function push(round: number): Uint8Array {
  const lines = Array.from({ length: STACKS }, (_, i) => {
    const name = createHash('sha256').update(`${round} ${i}`).digest('hex');
    return `${name} 1`;
  });
  return pprofFromText(lines.join('\n'), { timeMs: NOW - 60_000 + round });
}

async function send(method: string, url: string, body: Uint8Array): Promise<number> {
  const answer = await fetch(url, { method, body: body as Uint8Array<ArrayBuffer> });
  const text = await answer.text();
  if (!answer.ok) {
    expect(answer.headers.get('content-type'), text).toBe('application/problem+json');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  return answer.status;
}

const total = async (url: string) =>
  (await getJson<MergeJson>(url, '/api/v1/merge', { query: QUERY, max_nodes: '1' })).total;

test('a full disk is 507 until there is room; what was acknowledged stays', async () => {
  await withSmallDisk(16, async (folder) => {
    const dataDir = join(folder, 'data');
    let acknowledged = 0;
    let round = 0;
    const pushOne = async (url: string) => {
      const status = await send('POST', `${url}/ingest?name=full`, push(round++));
      if (status === 200) acknowledged += STACKS;
      return status;
    };
    const full = await startServerProcess(dataDir);
    while ((await pushOne(full.url)) === 200) expect(round).toBeLessThan(1_000);
    expect(await pushOne(full.url)).toBe(507);
    const ready = await getJson<{ refused_pushes: string }>(full.url, '/readyz', {});
    expect(ready.refused_pushes).toMatch(/^the disk (has \d+ bytes left|is full: .*)$/);
    const upload = `${full.url}/api/v1/debuginfo/${'ab'.repeat(20)}?kind=debuginfo`;
    expect(await send('PUT', upload, new Uint8Array(8 * 2 ** 20))).toBe(507);
    expect(await send('PUT', upload, new Uint8Array(8 * 2 ** 20))).toBe(507);
    expect(await total(full.url)).toBe(acknowledged);
    await full.kill();

    const reopened = await startServerProcess(dataDir);
    expect(await total(reopened.url)).toBe(acknowledged);
    growDisk(folder, 64);
    expect(await pushOne(reopened.url)).toBe(200);
    expect(await total(reopened.url)).toBe(acknowledged);
    expect(await reopened.stop()).toBe(0);
    expect(`${full.output()}${reopened.output()}`).not.toContain('failed');
  });
});
