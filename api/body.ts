/** Request bodies, read with a limit: nothing past it is kept, whatever Content-Length says. */
import type { Readable } from 'node:stream';
import { EverflameError } from '../profile/errors.ts';

/** Bytes of all bodies that are being read or worked on; beyond it senders are asked to wait. */
export const MAX_BODY_BYTES_IN_FLIGHT = 256 * 2 ** 20;

/** What a body is read from: a Node request where there is one (faster), else a web request. */
export interface BodySource {
  headers: { get(name: string): string | null };
  incoming: Readable | undefined;
  body(): ReadableStream<Uint8Array> | null;
}

/** The bytes of bodies held at one time by all requests together. */
export class BodyBudget {
  readonly limitBytes: number;
  heldBytes = 0;

  constructor(limitBytes = MAX_BODY_BYTES_IN_FLIGHT) {
    this.limitBytes = limitBytes;
  }

  take(bytes: number): void {
    if (this.heldBytes + bytes > this.limitBytes) {
      throw new EverflameError('overloaded', 'too many request bodies are being worked on', {
        limit: `MAX_BODY_BYTES_IN_FLIGHT = ${this.limitBytes}`,
        remedy: 'Send the same request again later.',
      });
    }
    this.heldBytes += bytes;
  }

  release(bytes: number): void {
    this.heldBytes -= bytes;
  }
}

/** A named limit, so that the refusal can name it. */
export interface ByteLimit {
  name: string;
  bytes: number;
}

/**
 * Reads a body whole and passes it to `use`; its bytes count against the budget until `use` is
 * done. The array has a buffer of its own, exactly as long, which may be transferred to a worker.
 */
export async function withBody<T>(
  source: BodySource,
  limit: ByteLimit,
  budget: BodyBudget,
  use: (body: Uint8Array<ArrayBuffer>) => Promise<T>,
): Promise<T> {
  let held = 0;
  try {
    const chunks: Uint8Array[] = [];
    await takeChunks(source, limit, (chunk) => {
      budget.take(chunk.byteLength);
      held += chunk.byteLength;
      chunks.push(chunk);
    });
    const body = joinChunks(chunks, held);
    // Else they would live beside the joined body until `use` is done.
    chunks.length = 0;
    return await use(body);
  } finally {
    budget.release(held);
  }
}

/** The chunks of a body as they come. Throws `too-large` at the first byte past the limit. */
export async function* streamBody(
  source: BodySource,
  limit: ByteLimit,
): AsyncGenerator<Uint8Array, void, undefined> {
  checkDeclared(source, limit);
  let total = 0;
  for await (const chunk of chunksOf(source)) {
    total += chunk.byteLength;
    if (total > limit.bytes) throw tooLarge(`more than ${limit.bytes} bytes`, limit);
    yield chunk;
  }
}

function checkDeclared({ headers }: BodySource, limit: ByteLimit): void {
  const declared = Number(headers.get('content-length') ?? 0);
  if (declared > limit.bytes) throw tooLarge(`${declared} bytes`, limit);
}

/**
 * The same for a body that is kept whole. Of a Node request by events: iterating costs a dozen
 * promises a chunk, which is a tenth of what a push costs the main thread.
 */
async function takeChunks(
  source: BodySource,
  limit: ByteLimit,
  take: (chunk: Uint8Array) => void,
): Promise<void> {
  if (source.incoming === undefined) {
    for await (const chunk of streamBody(source, limit)) take(chunk);
    return;
  }
  checkDeclared(source, limit);
  await takeIncoming(source.incoming, limit, take);
}

/** What `take` throws ends the reading; the connection stays, so that the client hears of it. */
function takeIncoming(
  incoming: Readable,
  limit: ByteLimit,
  take: (chunk: Uint8Array) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let total = 0;
    const onData = (chunk: Uint8Array): void => {
      try {
        total += chunk.byteLength;
        if (total > limit.bytes) throw tooLarge(`more than ${limit.bytes} bytes`, limit);
        take(chunk);
      } catch (error) {
        incoming.off('data', onData);
        incoming.pause();
        reject(error);
      }
    };
    incoming.on('data', onData);
    const onClose = (): void => reject(goneAway(null));
    incoming.on('end', () => {
      // Each request closes; an error that nobody hears of would still take its stack trace.
      incoming.off('close', onClose);
      resolve();
    });
    incoming.on('error', (cause) => reject(goneAway(cause)));
    incoming.on('close', onClose);
    if (incoming.destroyed) reject(goneAway(incoming.errored));
  });
}

/** A client that goes away in the middle of its body is no fault of ours. */
function goneAway(cause: unknown): EverflameError {
  return new EverflameError('cancelled', 'the connection ended before the body did', {
    field: 'body',
    cause,
  });
}

async function* untilGone(incoming: AsyncIterable<Uint8Array>) {
  try {
    yield* incoming;
  } catch (cause) {
    throw goneAway(cause);
  }
}

function chunksOf(source: BodySource): AsyncIterable<Uint8Array> {
  // Destroying the request would close the connection before the client has read the refusal.
  if (source.incoming !== undefined) {
    return untilGone(source.incoming.iterator({ destroyOnReturn: false }));
  }
  return untilGone(source.body() ?? emptyBody());
}

async function* emptyBody(): AsyncGenerator<Uint8Array, void, undefined> {}

function joinChunks(chunks: readonly Uint8Array[], totalBytes: number): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(totalBytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

function tooLarge(what: string, limit: ByteLimit): EverflameError {
  return new EverflameError('too-large', `the request body has ${what}`, {
    field: 'body',
    limit: `${limit.name} = ${limit.bytes}`,
    remedy: 'Send less in one request.',
  });
}
