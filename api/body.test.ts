import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { BodySource } from './body.ts';
import { BodyBudget, streamBody, withBody } from './body.ts';

const LIMIT = { name: 'MAX', bytes: 10 };

function sourceOf(chunks: string[], { declared, web }: { declared?: string; web?: boolean } = {}) {
  const parts = chunks.map((text) => Buffer.from(text));
  let pulled = 0;
  const incoming = Readable.from(
    (function* () {
      for (const part of parts) {
        pulled++;
        yield part;
      }
    })(),
  );
  const source: BodySource = {
    headers: { get: () => declared ?? null },
    incoming: web ? undefined : incoming,
    body: () => Readable.toWeb(incoming) as ReadableStream<Uint8Array>,
  };
  return { source, incoming, pulled: () => pulled };
}

const text = async (body: Uint8Array) => Buffer.from(body).toString();

describe.each([true, false])('web stream: %s', (web) => {
  test.each([
    [[], ''],
    [['abc'], 'abc'],
    [['01234', '56789'], '0123456789'],
  ])('%j', async (chunks, whole) => {
    const { source } = sourceOf(chunks, { web });
    expect(await withBody(source, LIMIT, new BodyBudget(), text)).toBe(whole);
  });

  test('the first byte over the limit ends it', async () => {
    const { source } = sourceOf(['01234', '56789', 'x'], { web });
    const budget = new BodyBudget();
    await expect(withBody(source, LIMIT, budget, text)).rejects.toMatchObject({
      kind: 'too-large',
      field: 'body',
      limit: 'MAX = 10',
    });
    expect(budget.heldBytes).toBe(0);
  });
});

test('a declared length over the limit is refused before a byte is read', async () => {
  const { source, pulled } = sourceOf(['0'], { declared: '11' });
  await expect(withBody(source, LIMIT, new BodyBudget(), text)).rejects.toThrow('has 11 bytes');
  expect(pulled()).toBe(0);
});

test('a refused request is not destroyed: its client reads the refusal first', async () => {
  const { source, incoming } = sourceOf(['0123456789', 'x', 'y']);
  await expect(withBody(source, LIMIT, new BodyBudget(), text)).rejects.toThrow('more than 10');
  expect(incoming.destroyed).toBe(false);
});

test('the body has a buffer of its own', async () => {
  const { source } = sourceOf(['abc']);
  const sizes = async (body: Uint8Array) => [body.byteLength, body.buffer.byteLength];
  expect(await withBody(source, LIMIT, new BodyBudget(), sizes)).toEqual([3, 3]);
});

test('bodies in flight share a budget, which is free again afterwards', async () => {
  const budget = new BodyBudget(8);
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const first = withBody(sourceOf(['12345']).source, LIMIT, budget, () => gate);
  await expect.poll(() => budget.heldBytes).toBe(5);
  await expect(withBody(sourceOf(['1234']).source, LIMIT, budget, text)).rejects.toMatchObject({
    kind: 'overloaded',
    limit: 'MAX_BODY_BYTES_IN_FLIGHT = 8',
  });
  release();
  await first;
  expect(budget.heldBytes).toBe(0);
  expect(await withBody(sourceOf(['1234']).source, LIMIT, budget, text)).toBe('1234');
});

test('a stream can be read bit by bit', async () => {
  const seen: string[] = [];
  for await (const chunk of streamBody(sourceOf(['ab', 'cd']).source, LIMIT)) {
    seen.push(Buffer.from(chunk).toString());
  }
  expect(seen).toEqual(['ab', 'cd']);
});

test('a client that goes away is no fault of the server', async () => {
  const { source, incoming } = sourceOf(['0']);
  incoming.destroy(new Error('aborted'));
  const budget = new BodyBudget();
  await expect(withBody(source, LIMIT, budget, text)).rejects.toMatchObject({
    kind: 'cancelled',
    field: 'body',
  });
  expect(budget.heldBytes).toBe(0);
});
