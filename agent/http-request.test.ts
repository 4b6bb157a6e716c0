import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { requestFailure, sendRequest } from './http-request.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

async function startServer(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  server.unref();
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`);
}

const post = (url: URL, part: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  sendRequest(url, {
    method: 'POST',
    headers: { 'x-a': 'b' },
    body: 'größe',
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...part,
  });

test('a request and its answer', async () => {
  const url = await startServer(async (incoming, outgoing) => {
    let text = `${incoming.method} ${incoming.url} ${incoming.headers['x-a']}`;
    for await (const part of incoming.setEncoding('utf8')) text += ` ${part}`;
    outgoing.writeHead(429, { 'retry-after': '3' }).end(text);
  });
  const answer = { status: 429, text: 'POST /x b größe', retryAfter: '3' };
  expect(await post(url)).toEqual(answer);
  // Over the same connection.
  expect(await post(url)).toEqual(answer);
});

test('a redirection is an answer', async () => {
  const url = await startServer((_incoming, outgoing) => {
    outgoing.writeHead(307, { location: 'http://127.0.0.1:9/' }).end();
  });
  expect(await post(url)).toEqual({ status: 307, text: '', retryAfter: null });
});

const failure = (promise: Promise<unknown>) => promise.then(() => 'an answer', requestFailure);

test('no answer in time', async () => {
  const url = await startServer(() => undefined);
  expect(await failure(post(url, { timeoutMs: 20 }))).toBe('no answer in 0.02 s');
});

test('an answer that stops in the middle', async () => {
  const url = await startServer((_incoming, outgoing) => {
    outgoing.writeHead(200, { 'content-length': '100' });
    outgoing.write('half', () => outgoing.destroy());
  });
  expect(await failure(post(url))).toMatch(/aborted|closed|hang up/);
});

test('an answer without an end', async () => {
  const url = await startServer((_incoming, outgoing) => {
    const write = () => {
      while (!outgoing.destroyed && outgoing.write('x'.repeat(2 ** 16)));
    };
    outgoing.on('drain', write);
    write();
  });
  expect(await failure(post(url))).toBe('an answer of more than 1048576 bytes');
});

test('a signal ends it', async () => {
  const url = await startServer(() => undefined);
  const stop = new AbortController();
  const answer = failure(post(url, { signal: stop.signal }));
  stop.abort();
  expect(await answer).toMatch(/abort/);
});

test('nobody listens', async () => {
  expect(await failure(post(new URL('http://127.0.0.1:9/')))).toMatch(/ECONNREFUSED/);
  expect(await failure(post(new URL('http://localhost:9/')))).toMatch(/ECONNREFUSED/);
});
