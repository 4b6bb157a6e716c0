import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { sendAnswer } from './answer.ts';
import type { AppEnv } from './endpoint.ts';

const app = new Hono<AppEnv>();
app.get('/', (context) =>
  sendAnswer(context, { contentType: 'text/plain', body: 'a'.repeat(9000) }),
);

test.each([
  ['10.1.2.3', { 'accept-encoding': 'gzip, deflate' }, 'gzip'],
  ['10.1.2.3', { 'accept-encoding': 'gzip;q=0' }, null],
  ['10.1.2.3', {}, null],
  ['127.0.0.1', { 'accept-encoding': 'gzip, deflate' }, null],
  ['::ffff:127.0.0.1', { 'accept-encoding': 'gzip' }, null],
  ['::1', { 'accept-encoding': 'gzip' }, null],
  ['::1', { 'accept-encoding': 'gzip', 'x-forwarded-for': '10.1.2.3' }, 'gzip'],
  ['::1', { 'accept-encoding': 'gzip', via: '1.1 proxy' }, 'gzip'],
  ['::1', { 'accept-encoding': 'gzip, identity;q=0' }, 'gzip'],
  ['::1', { 'accept-encoding': 'gzip, identity;q=0.5' }, null],
])('a large answer to %s with %j is packed as %s', async (remoteAddress, headers, encoding) => {
  const incoming = { socket: { remoteAddress } } as NonNullable<AppEnv['Bindings']['incoming']>;
  const response = await app.request(
    '/',
    { headers: headers as Record<string, string> },
    { incoming },
  );
  expect(response.headers.get('content-encoding')).toBe(encoding);
});
