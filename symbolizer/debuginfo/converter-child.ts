/**
 * The process in which strangers' files are parsed. Reads one job from its standard input, prints
 * one answer and ends; its limits are set by converter.ts before it starts.
 */
import { readFileSync } from 'node:fs';
import { type ErrorKind, EverflameError, toErrorRecord } from '../../profile/errors.ts';
import { type ConversionJob, convertFiles } from './convert.ts';
import type { ConversionAnswer } from './converter.ts';
import { diskFull, isDiskFull } from './disk-full.ts';

/** A file that was deleted meanwhile, or is not this process' to read. */
const SYSTEM_ERRORS: Record<string, ErrorKind> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EISDIR: 'invalid',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  EROFS: 'forbidden',
};

async function answerJob(job: ConversionJob): Promise<ConversionAnswer> {
  try {
    return { conversion: await convertFiles(job) };
  } catch (error) {
    if (error instanceof EverflameError) return { error: toErrorRecord(error) };
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (isDiskFull(error)) return { error: toErrorRecord(diskFull('the symbol file')) };
    if (error instanceof Error && 'syscall' in error) {
      return {
        error: { kind: SYSTEM_ERRORS[String(code)] ?? 'unavailable', message: error.message },
      };
    }
    throw error;
  }
}

const job = JSON.parse(readFileSync(0, 'utf8')) as ConversionJob;
process.stdout.write(`${JSON.stringify(await answerJob(job))}\n`);
