/** DuckDB's errors, which are texts, as ours. */
import { EverflameError } from '../../../profile/errors.ts';

/** DuckDB's word for errors after which it has ended itself; a statement that waited tells it on. */
const FATAL = /^(?:Invalid Input Error: [^\n]*\nError: )?FATAL Error: ([^\n]*)/;

/** Whether nothing works after this error until the database is opened again. */
export function isFatal(error: unknown): boolean {
  const cause = error instanceof EverflameError ? error.cause : error;
  return cause instanceof Error && FATAL.test(cause.message);
}

/** One line; of an error that ended the database, what it was that did. */
function reasonOf(message: string): string {
  const fatal = FATAL.exec(message)?.[1];
  if (fatal === undefined) return message.split('\n', 1)[0] ?? '';
  return /\nOriginal error: "(.*)"/.exec(message)?.[1] ?? fatal;
}

export function toStoreError(cause: unknown): EverflameError {
  if (cause instanceof EverflameError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const reason = reasonOf(message);
  if (message.startsWith('INTERRUPT')) {
    return new EverflameError('cancelled', 'the query was cancelled', { cause });
  }
  if (/No space left on device|ENOSPC|Disk quota exceeded|File too large/i.test(message)) {
    return new EverflameError('storage-full', `the disk is full: ${reason}`, {
      remedy: 'Free space on the volume of --data-dir, or shorten the retention.',
      cause,
    });
  }
  if (message.startsWith('Out of Memory')) {
    return new EverflameError('overloaded', `the database is out of memory: ${reason}`, {
      limit: '--memory-limit',
      remedy: 'Ask for a shorter range, or raise --memory-limit.',
      cause,
    });
  }
  return new EverflameError('unavailable', `the database failed: ${reason}`, { cause });
}
