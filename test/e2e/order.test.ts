/** Requests that come twice, late and in any order give the answers of those that come in order. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFleet, WINDOW_MS } from '../../bench/fleet.ts';
import { FleetEncoder } from '../../bench/fleet-request.ts';
import { createRandom } from '../../bench/random.ts';
import type { AgentsJson, SeriesJson } from '../../wire/http.ts';
import { getJson, startServerProcess, withFolder } from './server-process.ts';

const HOSTS = 3;
const WINDOWS = 16;
const CLIENTS = 6;
const TYPES = [
  'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
  'process_cpu:samples:count:cpu:nanoseconds',
  'off_cpu:off_cpu:nanoseconds:off_cpu:nanoseconds',
];

interface Sent {
  host: number;
  window: number;
}

async function send(url: string, encoder: FleetEncoder, { host, window }: Sent): Promise<void> {
  const { body } = encoder.encode(host, window);
  const answer = await fetch(`${url}/api/profiles/writeraw`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
    body: body as Uint8Array<ArrayBuffer>,
  });
  expect(answer.status, await answer.text()).toBe(200);
}

/** Everything that a user can see of the fleet, and that has no time of its own. */
async function readAll(url: string, startMs: number) {
  const range = { from: String(startMs), to: String(startMs + (WINDOWS + 1) * WINDOW_MS) };
  const { agents } = await getJson<AgentsJson>(url, '/api/v1/agents', range);
  const seen: unknown[] = [agents.sort((a, b) => (a.id < b.id ? -1 : 1))];
  for (const type of TYPES) {
    const query = `${type}{}`;
    const parameters = new URLSearchParams({ query, ...range, format: 'folded' });
    const folded = await (await fetch(`${url}/api/v1/merge?${parameters}`)).text();
    seen.push(folded.trim().split('\n').sort());
    const series = await getJson<SeriesJson>(url, '/api/v1/series', {
      query,
      ...range,
      step: '30s',
      by: 'service_name,host',
    });
    seen.push(series);
  }
  return seen;
}

test('in order, and twice each in any order by six clients', async () => {
  const random = createRandom(5);
  const fleet = createFleet();
  const startMs = Date.now() - 3_600_000;
  const encoder = new FleetEncoder(fleet, 'order', startMs);
  const inOrder = Array.from({ length: HOSTS * WINDOWS }, (_, i): Sent => {
    return { host: i % HOSTS, window: Math.floor(i / HOSTS) };
  });
  const shuffled = [...inOrder, ...inOrder]
    .map((sent) => ({ sent, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ sent }) => sent);
  await withFolder(async (folder) => {
    const first = await startServerProcess(join(folder, 'in-order'));
    for (const sent of inOrder) await send(first.url, encoder, sent);
    const expected = await readAll(first.url, startMs);
    await first.stop();

    const second = await startServerProcess(join(folder, 'shuffled'));
    const client = async () => {
      for (let sent = shuffled.pop(); sent !== undefined; sent = shuffled.pop()) {
        await send(second.url, encoder, sent);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    expect(await readAll(second.url, startMs)).toEqual(expected);
    await second.kill();

    const reopened = await startServerProcess(join(folder, 'shuffled'));
    expect(await readAll(reopened.url, startMs)).toEqual(expected);
    await reopened.stop();
  });
});
