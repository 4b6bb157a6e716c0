/** Runs conversions in child processes that have a data limit, a deadline and no privileges. */
import type { ChildProcess } from 'node:child_process';
import { type ErrorRecord, EverflameError, fromErrorRecord } from '../../profile/errors.ts';
import type { Conversion, ConversionJob } from './convert.ts';
import {
  findSandbox,
  restrictedCommand,
  SANDBOXES,
  type Sandbox,
  startRestricted,
} from './restricted-process.ts';

export type ConversionAnswer = { conversion: Conversion } | { error: ErrorRecord };

export interface ConverterLimits {
  dataBytes: number;
  deadlineMs: number;
}

/**
 * The symbols of 4 million functions take 500 MB. RLIMIT_DATA is the limit that Node 20 lives with:
 * it starts within 128 MB of it, and a refused Buffer is an exception, not a crash.
 */
export const CONVERTER_LIMITS: ConverterLimits = { dataBytes: 2 ** 30, deadlineMs: 120_000 };

/** JavaScript objects are few here; columns and files lie outside the heap. */
const HEAP_MB = 192;
const REMEDY = 'Build with less debug information (-g1) or strip local symbols (strip -x).';
const MAX_OUTPUT_CHARACTERS = 65_536;

/** Converts one file. Throws EverflameError: the child's own, or why the child died. */
export async function convertInChild(
  job: ConversionJob,
  limits: ConverterLimits,
  signal: AbortSignal,
): Promise<Conversion> {
  const output = await runChild(JSON.stringify(job), limits, signal);
  const answer = parseAnswer(output, limits);
  if ('error' in answer) throw fromErrorRecord(answer.error);
  return answer.conversion;
}

interface ChildOutput {
  stdout: string;
  stderr: string;
  code: number | null;
  exitSignal: string | null;
  timedOut: boolean;
}

async function runChild(
  job: string,
  limits: ConverterLimits,
  signal: AbortSignal,
): Promise<ChildOutput> {
  sandboxFound ??= findSandbox(SANDBOXES, ['true'], 'converter');
  const command = restrictedCommand(await sandboxFound, import.meta.url, './converter-child', {
    dataBytes: limits.dataBytes,
    heapMb: HEAP_MB,
  });
  const child = startRestricted(command);
  // Through a pipe, since the segments of a hostile file are more than an argument may hold.
  child.stdin?.end(job);
  return collect(child, limits.deadlineMs, signal);
}

/** Tried once per process. */
let sandboxFound: Promise<Sandbox> | null = null;

function collect(
  child: ChildProcess,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<ChildOutput> {
  return new Promise((resolve, reject) => {
    const output = { stdout: '', stderr: '', timedOut: false };
    const kill = () => child.kill('SIGKILL');
    const timer = setTimeout(() => {
      output.timedOut = true;
      kill();
    }, deadlineMs);
    signal.addEventListener('abort', kill, { once: true });
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(0, MAX_OUTPUT_CHARACTERS);
      });
    }
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
    };
    child.on('error', (cause: NodeJS.ErrnoException) => {
      settle();
      if (cause.code === 'ENOENT') resolve({ ...output, code: 127, exitSignal: null });
      else reject(cause);
    });
    child.on('close', (code, exitSignal) => {
      settle();
      resolve({ ...output, code, exitSignal });
    });
    if (signal.aborted) kill();
  });
}

function parseAnswer(output: ChildOutput, limits: ConverterLimits): ConversionAnswer {
  const { stdout, stderr, code, exitSignal, timedOut } = output;
  if (code === 0 && stdout.endsWith('}\n')) return JSON.parse(stdout) as ConversionAnswer;
  if (timedOut) {
    throw new EverflameError('too-large', `the conversion took over ${limits.deadlineMs} ms`, {
      field: 'file',
      limit: `CONVERTER_LIMITS.deadlineMs = ${limits.deadlineMs}`,
      remedy: REMEDY,
    });
  }
  if (/out of memory|allocation failed|Cannot allocate/i.test(stderr)) {
    throw new EverflameError('too-large', 'the converter ran out of memory', {
      field: 'file',
      limit: `CONVERTER_LIMITS.dataBytes = ${limits.dataBytes}`,
      remedy: REMEDY,
    });
  }
  const how = exitSignal === null ? `exit status ${code}` : exitSignal;
  const missing = code === 127 ? ': is prlimit (Debian: util-linux) installed?' : '';
  throw new EverflameError('unavailable', `the converter died of ${how}${missing}`, {
    field: 'file',
    remedy: `Its last words: ${stderr.trim().slice(-400) || 'none'}`,
  });
}
