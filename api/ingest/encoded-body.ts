/** A request's body as its Content-Encoding says. */
import { EverflameError } from '../../profile/errors.ts';
import { type ByteBudget, gunzip, inflate } from './gunzip.ts';
import type { IngestRequest } from './ingest-request.ts';

/** The body without its Content-Encoding. Throws `unsupported` for one we do not have. */
export function readEncodedBody(request: IngestRequest, budget: ByteBudget): Uint8Array {
  const encoding = request.contentEncoding.trim().toLowerCase();
  if (encoding === 'gzip' || encoding === 'x-gzip') return gunzip(request.body, budget, 'body');
  if (encoding === 'deflate') return inflate(request.body, budget, 'body');
  if (encoding === '' || encoding === 'identity') {
    budget.take(request.body.length, 'body');
    return request.body;
  }
  throw new EverflameError('unsupported', `Content-Encoding ${encoding} is not supported`, {
    field: 'Content-Encoding',
    remedy: 'Send the body with gzip, deflate or as it is.',
  });
}
