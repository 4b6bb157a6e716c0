/** What a server answers while its insides are being opened again. */
import { randomUUID } from 'node:crypto';
import { EverflameError } from '../profile/errors.ts';
import { describeProblem, PROBLEM_MEDIA_TYPE } from './problem.ts';

/**
 * The process lives (`/healthz`). Every other request is told the reason and to come again: those
 * that only ask by 503, since 507 speaks of what a sender wanted to store.
 */
export function createOutage(
  reason: EverflameError,
  pathPrefix: string,
): (request: Request) => Response {
  const forReads = new EverflameError('unavailable', reason.message, {
    ...(reason.remedy === undefined ? {} : { remedy: reason.remedy }),
  });
  return ({ method, url }) => {
    if (new URL(url).pathname === `${pathPrefix}/healthz`) return Response.json({ status: 'ok' });
    const isRead = method === 'GET' || method === 'HEAD';
    const requestId = randomUUID();
    const { problem, retryAfterS } = describeProblem(isRead ? forReads : reason, requestId);
    return new Response(JSON.stringify(problem), {
      status: problem.status,
      headers: {
        'Content-Type': PROBLEM_MEDIA_TYPE,
        'Cache-Control': 'no-store',
        'X-Request-Id': requestId,
        'X-Content-Type-Options': 'nosniff',
        'Cross-Origin-Resource-Policy': 'same-origin',
        ...(retryAfterS === null ? {} : { 'Retry-After': String(retryAfterS) }),
      },
    });
  };
}
