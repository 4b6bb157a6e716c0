/** A disk without room: what says so, and what is said of it. */
import { EverflameError } from '../../profile/errors.ts';

const REMEDY = 'Free disk space or lower --debuginfo-bytes.';

export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** `what` there is no room for. */
export function diskFull(what: string, cause?: unknown): EverflameError {
  return new EverflameError('storage-full', `no room for ${what} on the disk`, {
    field: 'body',
    remedy: REMEDY,
    cause,
  });
}
