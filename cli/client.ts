/** Requests of the commands to a server's HTTP API. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EverflameError } from '../profile/errors.ts';
import { flag } from './flags.ts';

/** A server that restarts or is overloaded is asked again this often. */
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 500;
/** Longest wait that a server may ask for. */
const MAX_WAIT_MS = 30_000;

/** The flag that every command with a client has. */
export const SERVER_FLAG = flag.text('http://127.0.0.1:7070', 'URL', "the server's address");

export interface ClientRequest {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  parameters?: UrlParameters;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

/** A list is a parameter that is repeated. */
type UrlParameters = Readonly<Record<string, string | readonly string[]>>;

/** The URL of an endpoint; the server's address may carry a path prefix. */
export function endpointUrl(server: string, path: string, parameters: UrlParameters = {}) {
  let url: URL;
  try {
    url = new URL(`${server.replace(/\/+$/, '')}${path}`);
  } catch (cause) {
    throw new EverflameError('invalid', `--server ${server}: is not a URL`, { cause });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EverflameError('invalid', `--server ${server}: is not an http or https URL`, {
      remedy: 'Write it like http://127.0.0.1:7070.',
    });
  }
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of typeof value === 'string' ? [value] : value) {
      url.searchParams.append(name, one);
    }
  }
  return url;
}

/**
 * Sends one request, again where the server says that it helps. What is sent again must be the
 * same write: a push needs an Idempotency-Key. Throws the problem in the server's words.
 */
export async function send(server: string, request: ClientRequest): Promise<Response> {
  const url = endpointUrl(server, request.path, request.parameters);
  for (let attempt = 1; ; attempt++) {
    const last = attempt === ATTEMPTS;
    const backoffMs = FIRST_WAIT_MS * 2 ** (attempt - 1);
    let response: Response;
    try {
      const { method, headers = {}, body } = request;
      response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
    } catch (cause) {
      if (last) throw unreachable(server, cause);
      await sleep(backoffMs);
      continue;
    }
    if (response.ok) return response;
    const again = response.status === 429 || response.status >= 502;
    if (last || !again) throw await readProblem(response);
    await response.body?.cancel();
    const askedMs = Number(response.headers.get('retry-after')) * 1000 || 0;
    await sleep(Math.min(Math.max(askedMs, backoffMs), MAX_WAIT_MS));
  }
}

/**
 * The JSON of an answer. `isAnswer` looks at the fields that are used: another program may listen
 * where a server is expected.
 */
export async function readAnswer<T>(
  server: string,
  response: Response,
  isAnswer: (fields: { readonly [Name in keyof T]?: unknown }) => boolean,
): Promise<T> {
  const answer = parseOrNull(await response.text());
  if (typeof answer === 'object' && answer !== null && isAnswer(answer)) return answer as T;
  throw new EverflameError('unavailable', `${server} does not answer as an everflame server does`, {
    remedy: 'Name the server with --server, with its path prefix if it has one.',
  });
}

function unreachable(server: string, cause: unknown): EverflameError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const why = inner instanceof Error ? inner.message : String(inner);
  return new EverflameError('unavailable', `no answer from ${server}: ${why}`, {
    remedy: 'Start one with `everflame server`, or name another with --server.',
    cause,
  });
}

async function readProblem(response: Response): Promise<EverflameError> {
  const [text, problemShape] = [await response.text(), await loadProblemShape()];
  const kind = response.status >= 500 ? 'unavailable' : 'invalid';
  const parsed = problemShape.safeParse(parseOrNull(text));
  if (!parsed.success) {
    const start = text.slice(0, 200).trim();
    return new EverflameError(kind, `the server answered ${response.status}: ${start}`);
  }
  const { detail, parameter, limit, remedy } = parsed.data;
  return new EverflameError(kind, `${parameter === undefined ? '' : `${parameter}: `}${detail}`, {
    ...(limit === undefined ? {} : { limit }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** Loads what only this needs: it weighs 9 MB in every process of the command line. */
async function loadProblemShape() {
  const { z } = await import('zod');
  return z.object({
    detail: z.string(),
    parameter: z.string().optional(),
    limit: z.string().optional(),
    remedy: z.string().optional(),
  });
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
