/** DuckDB's errors, which are texts, as ours. */
import { EverflameError } from '../../../profile/errors.ts';

export function toStoreError(cause: unknown): EverflameError {
  if (cause instanceof EverflameError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const firstLine = message.split('\n', 1)[0] ?? '';
  if (message.startsWith('INTERRUPT')) {
    return new EverflameError('cancelled', 'the query was cancelled', { cause });
  }
  if (/No space left on device|ENOSPC|Disk quota exceeded|File too large/i.test(message)) {
    return new EverflameError('storage-full', `the disk is full: ${firstLine}`, {
      remedy: 'Free space on the volume of --data-dir, or shorten the retention.',
      cause,
    });
  }
  if (message.startsWith('Out of Memory')) {
    return new EverflameError('overloaded', `the database is out of memory: ${firstLine}`, {
      limit: '--memory-limit',
      remedy: 'Ask for a shorter range, or raise --memory-limit.',
      cause,
    });
  }
  return new EverflameError('unavailable', `the database failed: ${firstLine}`, { cause });
}
