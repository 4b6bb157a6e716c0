/**
 * Requests to the server over node:http. The fetch of Node 20 is 10 MB of JavaScript and
 * WebAssembly that the agent would load for one request per window, and streams where two buffers
 * do.
 */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { EverflameError } from '../profile/errors.ts';

/** Answers to the agent are short; what is longer is not from our server. */
const MAX_ANSWER_BYTES = 2 ** 20;

export interface HttpRequest {
  method: 'POST' | 'PUT';
  headers: Readonly<Record<string, string>>;
  body: string | Uint8Array;
  /** For the whole exchange. */
  timeoutMs: number;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  text: string;
  retryAfter: string | null;
}

/** Resolves with any answer, redirections among them, which nobody follows. */
export function sendRequest(url: URL, request: HttpRequest): Promise<HttpAnswer> {
  const { method, headers, body, timeoutMs, signal } = request;
  const start = url.protocol === 'https:' ? requestHttps : requestHttp;
  const length = String(Buffer.byteLength(body));
  return new Promise((resolve, reject) => {
    const outgoing = start(url, {
      method,
      signal,
      headers: { ...headers, 'content-length': length },
    });
    const timer = setTimeout(() => {
      const message = `no answer in ${timeoutMs / 1000} s`;
      outgoing.destroy(new EverflameError('unavailable', message));
    }, timeoutMs);
    outgoing.once('close', () => {
      clearTimeout(timer);
      // After an answer or an error this changes nothing.
      reject(new EverflameError('unavailable', 'the connection was closed within the answer'));
    });
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      incoming.once('error', reject);
      incoming.on('data', (part: Buffer) => {
        parts.push(part);
        bytes += part.length;
        if (bytes > MAX_ANSWER_BYTES) {
          const message = `an answer of more than ${MAX_ANSWER_BYTES} bytes`;
          outgoing.destroy(new EverflameError('too-large', message));
        }
      });
      incoming.once('end', () => {
        const retryAfter = incoming.headers['retry-after'] ?? null;
        const text = Buffer.concat(parts).toString('utf8');
        resolve({ status: incoming.statusCode ?? 0, text, retryAfter });
      });
    });
    outgoing.end(body);
  });
}

/** In words; where all addresses of a name refused, Node's error has only a code. */
export function requestFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  return 'code' in error ? String(error.code) : error.name;
}
