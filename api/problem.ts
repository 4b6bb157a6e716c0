/** Problem documents (RFC 9457): what a client is told when a request fails. */
import type { ErrorKind } from '../profile/errors.ts';
import { EverflameError } from '../profile/errors.ts';
import type { Problem } from '../wire/http.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

interface KindRow {
  status: number;
  title: string;
  /** When a sender should try again; absent where trying again cannot help. */
  retryAfterS?: number;
}

const KINDS: Record<ErrorKind, KindRow> = {
  invalid: { status: 400, title: 'Malformed request' },
  unsupported: { status: 415, title: 'Unsupported content' },
  'too-large': { status: 413, title: 'Over a limit' },
  unprocessable: { status: 422, title: 'Not allowed' },
  'not-found': { status: 404, title: 'Not found' },
  conflict: { status: 409, title: 'Conflict' },
  forbidden: { status: 403, title: 'Forbidden' },
  overloaded: { status: 429, title: 'Overloaded', retryAfterS: 2 },
  'storage-full': { status: 507, title: 'Storage full', retryAfterS: 60 },
  cancelled: { status: 499, title: 'Cancelled' },
  unavailable: { status: 503, title: 'Unavailable', retryAfterS: 5 },
};

export interface ProblemAnswer {
  problem: Problem;
  retryAfterS: number | null;
}

/** What a failed request answers. Anything but an EverflameError is a fault of ours: 500. */
export function describeProblem(error: unknown, requestId: string): ProblemAnswer {
  if (error instanceof Error && error.name === 'AbortError') {
    return describeProblem(new EverflameError('cancelled', 'the client went away'), requestId);
  }
  if (!(error instanceof EverflameError)) {
    return { problem: internalProblem(requestId), retryAfterS: null };
  }
  const row = KINDS[error.kind];
  const problem: Problem = {
    type: `urn:everflame:problem:${error.kind}`,
    title: row.title,
    status: row.status,
    detail: error.message,
    request_id: requestId,
  };
  if (error.field !== undefined) problem.parameter = error.field;
  if (error.limit !== undefined) problem.limit = error.limit;
  if (error.position !== undefined) problem.position = error.position;
  if (error.remedy !== undefined) problem.remedy = error.remedy;
  return { problem, retryAfterS: row.retryAfterS ?? null };
}

function internalProblem(requestId: string): Problem {
  return {
    type: 'urn:everflame:problem:internal',
    title: 'Internal error',
    status: 500,
    detail: 'the server failed to answer; its log has the reason under the request id',
    request_id: requestId,
  };
}

/** 405, which no ErrorKind stands for: the path exists, the method does not. */
export function methodProblem(
  method: string,
  allowed: readonly string[],
  requestId: string,
): Problem {
  return {
    type: 'urn:everflame:problem:method-not-allowed',
    title: 'Method not allowed',
    status: 405,
    detail: `${method} is not a method of this path; it takes ${allowed.join(', ')}`,
    request_id: requestId,
  };
}
