/** One server per data directory; a server that is told to stop answers what it has begun. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { MergeJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, runEverflame, startServerProcess, withFolder } from './server-process.ts';

const NOW = Date.now();
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';
const HELD = 12;
const CLIENTS = 8;

const total = async (url: string) =>
  (await getJson<MergeJson>(url, '/api/v1/merge', { query: QUERY, max_nodes: '1' })).total;

test('a second server on a data directory is told who has it, and harms nothing', async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, 'data');
    const first = await startServerProcess(dataDir);
    const body = pprofFromText('main 5', { timeMs: NOW - 60_000 });
    const push = () => fetch(`${first.url}/ingest?name=a`, { method: 'POST', body });
    expect((await push()).status).toBe(200);

    const args = ['server', '--data-dir', dataDir, '--http-address', '127.0.0.1:0'];
    const second = await runEverflame(args);
    expect(second.code).not.toBe(0);
    expect(second.stdout).toBe('');
    expect(second.stderr.trim().split('\n')).toHaveLength(1);
    expect(second.stderr).toContain(`${dataDir}`);
    expect(second.stderr).toContain(`is in use by`);
    expect(second.stderr).toContain(`PID ${first.pid}`);

    expect((await push()).status).toBe(200);
    expect(await total(first.url)).toBe(10);
    expect(await first.stop()).toBe(0);
    const third = await startServerProcess(dataDir);
    expect(await total(third.url)).toBe(10);
    await third.stop();
  });
});

/** A push whose head the server has, and half of whose body. */
interface HeldPush {
  socket: Socket;
  rest: Uint8Array;
  answer: () => string;
}

async function holdPush(url: string, number: number): Promise<HeldPush> {
  const { hostname, port, host } = new URL(url);
  const body = pprofFromText(`main;held_${number} 1`, { timeMs: NOW - 60_000 - number });
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk));
  const head = [
    'POST /ingest?name=held HTTP/1.1',
    `host: ${host}`,
    `content-length: ${body.length}`,
    'expect: 100-continue',
    '\r\n',
  ];
  socket.write(head.join('\r\n'));
  while (!answer.includes('100 Continue')) await once(socket, 'data');
  const half = Math.floor(body.length / 2);
  socket.write(body.subarray(0, half));
  return { socket, rest: body.subarray(half), answer: () => answer };
}

test('what is in flight at SIGTERM is answered, and stored exactly where the answer is 200', async () => {
  await withFolder(async (folder) => {
    const dataDir = join(folder, 'data');
    const server = await startServerProcess(dataDir);
    let acknowledged = 0;
    let unanswered = 0;
    let running = true;
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let i = 0; running; i++) {
        const body = pprofFromText(`main;sent_${client}_${i} 1`, { timeMs: NOW - 90_000 });
        const push = fetch(`${server.url}/ingest?name=sent`, { method: 'POST', body });
        const [answer] = await Promise.allSettled([push]);
        if (answer.status === 'fulfilled' && answer.value.status === 200) acknowledged++;
        else unanswered++;
      }
    });
    const held = await Promise.all(
      Array.from({ length: HELD }, (_, number) => holdPush(server.url, number)),
    );
    while (acknowledged < 50) await new Promise((done) => setTimeout(done, 10));

    const stopStart = performance.now();
    const stopped = server.stop();
    await new Promise((done) => setTimeout(done, 300));
    running = false;
    for (const { socket, rest } of held) socket.write(rest);
    await Promise.all(clients);
    expect(await stopped, server.output()).toBe(0);
    // Far less than open requests are given: connections without one do not hold it up.
    expect(performance.now() - stopStart).toBeLessThan(8_000);
    for (const { socket, answer } of held) {
      expect(answer()).toContain('HTTP/1.1 200 OK');
      socket.destroy();
    }

    const reopened = await startServerProcess(dataDir);
    // A push that the server took and whose answer met a closed connection may be there, once.
    const stored = (await total(reopened.url)) - HELD;
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    expect(stored).toBeLessThanOrEqual(acknowledged + Math.min(unanswered, CLIENTS));
    await reopened.stop();
  });
});
