import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { checkExposure, listen, parseSocketAddress } from './listener.ts';

const LOOPBACK = { hostname: '127.0.0.1', port: 0 };

test.each([
  ['127.0.0.1:7070', '127.0.0.1', 7070],
  ['localhost:0', 'localhost', 0],
  ['[::1]:80', '::1', 80],
  [':7070', '::', 7070],
])('%s', (text, hostname, port) => {
  expect(parseSocketAddress(text, 'http-address')).toEqual({ hostname, port });
});

test.each(['', '7070', 'localhost', 'localhost:', 'localhost:65536', '::1:80', 'a:b:1'])(
  '%j is no address',
  (text) => {
    expect(() => parseSocketAddress(text, 'http-address')).toThrow(
      `--http-address ${text}: is not of the form HOST:PORT`,
    );
  },
);

test.each([
  ['127.0.0.1', false, true],
  ['127.1.2.3', false, true],
  ['localhost', false, true],
  ['::1', false, true],
  ['0.0.0.0', false, false],
  ['::', false, false],
  ['192.168.0.1', false, false],
  ['127.0.0.1.example.com', false, false],
  ['0.0.0.0', true, true],
])('%s, insecure %s: allowed %s', (hostname, insecure, allowed) => {
  const check = () => checkExposure({ hostname, port: 1 }, insecure, 'http-address');
  if (allowed) check();
  else expect(check).toThrow(/^--http-address \S+: everybody .* give --insecure to allow that$/);
});

test('a port in use is one line', async () => {
  const first = await listen(() => new Response('ok'), LOOPBACK);
  const port = Number(new URL(first.url).port);
  const second = listen(() => new Response('ok'), { ...LOOPBACK, port });
  await expect(second).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}: another program listens there`,
  );
  await first.close(0);
});

describe('closing', () => {
  test('an open request is answered first', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let entered = () => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const listener = await listen(async () => {
      entered();
      await gate;
      return new Response('done');
    }, LOOPBACK);
    const answer = fetch(listener.url, { headers: { connection: 'close' } });
    await inside;
    const closed = listener.close(60_000);
    release();
    expect(await (await answer).text()).toBe('done');
    await closed;
    await expect(fetch(listener.url)).rejects.toThrow();
  });

  test('a request that does not end is cut off when the time is over', async () => {
    let entered = () => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const listener = await listen(() => {
      entered();
      return new Promise<Response>(() => {});
    }, LOOPBACK);
    const answer = fetch(listener.url).catch((error: unknown) => error);
    await inside;
    await listener.close(10);
    expect(await answer).toBeInstanceOf(Error);
  });
});

test('a client that goes away fires the signal of its request', async () => {
  let aborted = () => {};
  const gone = new Promise<void>((resolve) => {
    aborted = resolve;
  });
  let entered = () => {};
  const inside = new Promise<void>((resolve) => {
    entered = resolve;
  });
  const listener = await listen((incoming) => {
    incoming.signal.addEventListener('abort', aborted);
    entered();
    return gone.then(() => new Response('too late'));
  }, LOOPBACK);
  const client = request(listener.url);
  client.on('error', () => 'the connection was cut by this test');
  client.end();
  await inside;
  client.destroy();
  await gone;
  await listener.close(1000);
});

test('what is not HTTP is refused and does not hold up the close', async () => {
  const listener = await listen(() => new Response('ok'), LOOPBACK);
  const socket = connect(Number(new URL(listener.url).port), '127.0.0.1');
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => resolve(chunk.toString()));
  });
  socket.write('\u0016\u0003\u0001 nonsense\r\n\r\n');
  expect(await answer).toContain('400 Bad Request');
  await listener.close(1000);
});

test('a connection without a request does not hold up the end', async () => {
  const listener = await listen(() => new Response(), LOOPBACK);
  const socket = connect(Number(new URL(listener.url).port), '127.0.0.1');
  await once(socket, 'connect');
  await listener.close(60_000);
  await once(socket, 'close');
});
