/**
 * The process in which strangers' files are parsed. Reads one job from its standard input, prints
 * one answer and ends; its limits are set by converter.ts before it starts.
 */
import { readFileSync } from 'node:fs';
import { EverflameError, toErrorRecord } from '../../profile/errors.ts';
import { type ConversionJob, convertFiles } from './convert.ts';
import type { ConversionAnswer } from './converter.ts';

async function answerJob(job: ConversionJob): Promise<ConversionAnswer> {
  try {
    return { conversion: await convertFiles(job) };
  } catch (error) {
    if (error instanceof EverflameError) return { error: toErrorRecord(error) };
    // What V8 says when the data limit refuses it a buffer.
    const isMemory = error instanceof RangeError && /allocation failed/.test(error.message);
    if (isMemory)
      return { error: { kind: 'too-large', message: 'the converter ran out of memory' } };
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOSPC' || code === 'EDQUOT')
      return { error: { kind: 'storage-full', message: 'no room for the symbol file' } };
    throw error;
  }
}

const job = JSON.parse(readFileSync(0, 'utf8')) as ConversionJob;
process.stdout.write(`${JSON.stringify(await answerJob(job))}\n`);
