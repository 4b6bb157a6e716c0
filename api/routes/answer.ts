/** Answers: JSON, text and bytes, compressed where that pays. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isLoopbackAddress } from '../doors.ts';
import type { AppContext } from './endpoint.ts';

/** Below this, compression saves less than a packet. */
const MIN_GZIP_BYTES = 4096;
/** Answers wait for it; higher levels take 3 to 10 times as long for a tenth less. */
const GZIP_LEVEL = 1;

const gzipAsync = promisify(gzip);
const encoder = new TextEncoder();

export interface Answer {
  contentType: string;
  body: Uint8Array | string;
  /** Already compressed, e.g. a pprof. */
  compressed?: boolean;
  headers?: Record<string, string>;
}

export function sendJson(context: AppContext, value: unknown): Response {
  context.header('Cache-Control', 'no-store');
  return context.json(value as never);
}

export function sendText(context: AppContext, text: string, contentType: string): Response {
  return context.body(text, 200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' });
}

/** Sends a query's answer, with gzip if the client takes it, it is large and leaves this machine. */
export async function sendAnswer(context: AppContext, answer: Answer): Promise<Response> {
  const headers: Record<string, string> = {
    'Content-Type': answer.contentType,
    'Cache-Control': 'no-store',
    Vary: 'Accept, Accept-Encoding',
    ...answer.headers,
  };
  let body = typeof answer.body === 'string' ? encoder.encode(answer.body) : answer.body;
  const small = body.byteLength < MIN_GZIP_BYTES || answer.compressed === true;
  const acceptEncoding = context.req.header('accept-encoding') ?? '';
  const wanted = !staysOnMachine(context) || refusesIdentity(acceptEncoding);
  if (!small && wanted && acceptsGzip(acceptEncoding)) {
    body = await gzipBytes(body);
    headers['Content-Encoding'] = 'gzip';
  }
  return context.body(body as Uint8Array<ArrayBuffer>, 200, headers);
}

/** RFC 9110 12.5.3; `gzip;q=0` refuses. */
export function acceptsGzip(acceptEncoding: string): boolean {
  return acceptEncoding.split(',').some((part) => {
    const [coding, ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    return coding === 'gzip' && !parameters.some((text) => /^q=0(\.0*)?$/.test(text));
  });
}

/**
 * Whether the client runs on this machine, where packing takes ten times as long as copying. One
 * that says it forwards for another does not count.
 */
function staysOnMachine(context: AppContext): boolean {
  const address = context.env?.incoming?.socket?.remoteAddress ?? '';
  const forwards = ['forwarded', 'x-forwarded-for', 'via'].some(
    (name) => context.req.header(name) !== undefined,
  );
  return !forwards && isLoopbackAddress(address.replace(/^::ffff:/, ''));
}

/** A client on this machine that wants gzip all the same says so. */
function refusesIdentity(acceptEncoding: string): boolean {
  return /\bidentity\s*;\s*q=0(\.0*)?\s*(,|$)/i.test(acceptEncoding);
}

/** On a thread of libuv's pool, so that a large answer does not hold up the others. */
export function gzipBytes(body: Uint8Array | string): Promise<Uint8Array> {
  return gzipAsync(body, { level: GZIP_LEVEL });
}
