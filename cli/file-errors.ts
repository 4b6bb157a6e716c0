/** Errors of reading a file say which one: a command has several, and others found by itself. */
import { EverflameError, fromErrorRecord, toErrorRecord } from '../profile/errors.ts';

/** Runs `work`; an error that does not name the file yet does afterwards. */
export async function namingFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw namesFile(error, path);
  }
}

function namesFile(error: unknown, path: string): unknown {
  // A server that does not answer has nothing to do with it.
  if (!(error instanceof EverflameError) || error.kind === 'unavailable') return error;
  if (error.message.includes(path)) return error;
  return fromErrorRecord({ ...toErrorRecord(error), message: `${path}: ${error.message}` });
}
