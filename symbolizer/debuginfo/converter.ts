/** Runs conversions in child processes that have a data limit, a deadline and no privileges. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type ErrorRecord, EverflameError, fromErrorRecord } from '../../profile/errors.ts';
import type { Conversion, ConversionJob } from './convert.ts';

export type ConversionAnswer = { conversion: Conversion } | { error: ErrorRecord };

export interface ConverterLimits {
  /** RLIMIT_DATA: every private writable mapping, so Buffers count as the heap does. */
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

/**
 * Without a network, capabilities or a way to gain any. A process that may not make a network
 * namespace, or is not root, drops what it has; the weakest is used only if nothing else works.
 */
const SANDBOXES: readonly (readonly string[])[] = [
  [...['unshare', '--net', '--'], ...setprivAll()],
  setprivAll(),
  ['unshare', '--user', '--net', '--', 'setpriv', '--no-new-privs', '--'],
  ['setpriv', '--no-new-privs', '--'],
];

function setprivAll(): string[] {
  const dropped = ['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all'];
  return ['setpriv', '--no-new-privs', ...dropped, '--'];
}

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
  const sandbox = await findSandbox();
  const data = `--data=${limits.dataBytes}:${limits.dataBytes}`;
  const command = ['prlimit', data, '--core=0:0', '--', ...sandbox, ...nodeCommand()];
  return collect(start(command, job), limits.deadlineMs, signal);
}

/**
 * Nothing of this process' environment is passed on: it may hold tokens. The input goes through a
 * pipe, since the segments of a hostile file are more than an argument may hold.
 */
function start(command: readonly string[], input = ''): ChildProcess {
  const [program = '', ...args] = command;
  const env = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' };
  const child: ChildProcess = spawn(program, args, { env, stdio: 'pipe' });
  // A child that ends before it has read everything is judged by how it ended.
  child.stdin?.on('error', () => child.stdin?.destroy());
  child.stdin?.end(input);
  return child;
}

/** From the sources, TypeScript goes through tsx; the built program is plain JavaScript. */
function nodeCommand(): string[] {
  const node = [process.execPath, `--max-old-space-size=${HEAP_MB}`];
  if (!import.meta.url.endsWith('.ts')) {
    return [...node, fileURLToPath(new URL('./converter-child.js', import.meta.url))];
  }
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const entry = fileURLToPath(new URL('./converter-child.ts', import.meta.url));
  return [...node, '--import', loader, entry];
}

let sandboxFound: Promise<readonly string[]> | null = null;

/** The first sandbox in which a process starts; tried once per process. None is an error. */
function findSandbox(): Promise<readonly string[]> {
  sandboxFound ??= (async () => {
    for (const sandbox of SANDBOXES) {
      const tried = start([...sandbox, 'true']);
      const { code } = await collect(tried, 5_000, new AbortController().signal);
      if (code === 0) return sandbox;
    }
    throw new EverflameError('unavailable', 'no process without privileges can be started', {
      field: 'converter',
      remedy: 'Install setpriv and unshare (Debian: util-linux).',
    });
  })();
  return sandboxFound;
}

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
