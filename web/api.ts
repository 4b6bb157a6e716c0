/** The server's read API as typed calls. A problem document becomes an ApiError. */
import type { Problem } from '../wire/http.ts';

/** What the server said in its problem document, or what stood in for it. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.problem = problem;
  }

  /** Whether the same question may be answered later: the server's state, not the question. */
  get transient(): boolean {
    const { status } = this.problem;
    return status === 0 || status === 429 || status >= 500;
  }
}

/** A list is the parameter repeated. */
export type ApiParams = Record<string, string | number | readonly string[] | undefined>;

/** An endpoint below api/v1/ relative to the page, so that a path prefix is kept. */
export function apiUrl(path: string, params: ApiParams, base = document.baseURI): string {
  const url = new URL(`api/v1/${path}`, base);
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === '') continue;
    const values = typeof value === 'object' ? value : [String(value)];
    for (const one of values) url.searchParams.append(name, one);
  }
  return url.href;
}

export async function getJson<T>(path: string, params: ApiParams, signal: AbortSignal): Promise<T> {
  const response = await get(path, params, signal, 'application/json');
  return (await response.json()) as T;
}

export async function getBytes(
  path: string,
  params: ApiParams,
  signal: AbortSignal,
): Promise<ArrayBuffer> {
  const response = await get(path, params, signal, 'application/vnd.everflame.fg1');
  return await response.arrayBuffer();
}

/** Asks the server to do something; what it answers shows in the next question. */
export async function sendCommand(method: 'POST' | 'DELETE', path: string): Promise<void> {
  await ask(apiUrl(path, {}), { method, headers: { accept: 'application/json' } });
}

async function get(
  path: string,
  params: ApiParams,
  signal: AbortSignal,
  accept: string,
): Promise<Response> {
  return await ask(apiUrl(path, params), { signal, headers: { accept } });
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError(unreachable(cause));
  }
  if (response.ok) return response;
  throw new ApiError(await readProblem(response));
}

function unreachable(cause: unknown): Problem {
  return {
    type: 'about:blank',
    title: 'The server does not answer',
    status: 0,
    detail: cause instanceof Error ? cause.message : String(cause),
    remedy: 'Check that it runs and that this machine reaches it.',
    request_id: '',
  };
}

/** Reads a problem document; what a proxy in between said is quoted as it is. */
export async function readProblem(response: Response): Promise<Problem> {
  const text = await response.text();
  const fallback: Problem = {
    type: 'about:blank',
    title: response.statusText || `Status ${response.status}`,
    status: response.status,
    detail: text.slice(0, 500),
    request_id: response.headers.get('x-request-id') ?? '',
  };
  if (!(response.headers.get('content-type') ?? '').includes('json')) return fallback;
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? { ...fallback, ...body } : fallback;
  } catch {
    return fallback;
  }
}
