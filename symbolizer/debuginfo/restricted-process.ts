/** Node processes for hostile input: with limits, without privileges, a network or our secrets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { EverflameError } from '../../profile/errors.ts';

export interface ProcessLimits {
  /** RLIMIT_DATA: every private writable mapping, so Buffers count as the heap does. */
  dataBytes: number;
  /** V8's heap. */
  heapMb: number;
  /** RLIMIT_FSIZE; 0 for a process that writes no file. */
  fileBytes?: number;
  /** RLIMIT_CPU, in seconds of all threads together. */
  cpuSeconds?: number;
}

/** A command in front of another, which then runs with less than its starter has. */
export type Sandbox = readonly string[];

const ALL_CAPABILITIES_DROPPED = [
  ...['setpriv', '--no-new-privs'],
  ...['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all'],
];

/**
 * Without a network, capabilities or a way to gain any. A process that may not make a network
 * namespace, or is not root, drops what it has; the weakest is used only if nothing else works.
 */
export const SANDBOXES: readonly Sandbox[] = [
  ['unshare', '--net', '--', ...ALL_CAPABILITIES_DROPPED, '--'],
  [...ALL_CAPABILITIES_DROPPED, '--'],
  ['unshare', '--user', '--net', '--', 'setpriv', '--no-new-privs', '--'],
  ['setpriv', '--no-new-privs', '--'],
];

/** Also as nobody, to whom files that others may not read are closed. Only root can start it. */
export const NOBODY_SANDBOX: Sandbox = [
  ...['unshare', '--net', '--', ...ALL_CAPABILITIES_DROPPED],
  ...['--reuid=65534', '--regid=65534', '--clear-groups', '--'],
];

/**
 * The module `path` (relative to `base`, without its extension) as a command. From the sources,
 * TypeScript goes through tsx; the built program is plain JavaScript.
 */
export function restrictedCommand(
  sandbox: Sandbox,
  base: string,
  path: string,
  limits: ProcessLimits,
): string[] {
  const { dataBytes, heapMb, fileBytes, cpuSeconds } = limits;
  const prlimit = ['prlimit', `--data=${dataBytes}:${dataBytes}`, '--core=0:0'];
  if (fileBytes !== undefined) prlimit.push(`--fsize=${fileBytes}:${fileBytes}`);
  if (cpuSeconds !== undefined) prlimit.push(`--cpu=${cpuSeconds}:${cpuSeconds}`);
  const node = [process.execPath, `--max-old-space-size=${heapMb}`];
  const compiled = !base.endsWith('.ts');
  const entry = fileURLToPath(new URL(`${path}${compiled ? '.js' : '.ts'}`, base));
  const loader = compiled
    ? []
    : ['--import', pathToFileURL(createRequire(base).resolve('tsx')).href];
  return [...prlimit, '--', ...sandbox, ...node, ...loader, entry];
}

/**
 * Nothing of this process' environment is passed on: it may hold tokens. `files` are open files that
 * it gets as its descriptors from 3 on, whether or not it could open them itself.
 */
export function startRestricted(
  command: readonly string[],
  files: readonly number[] = [],
): ChildProcess {
  const [program = '', ...args] = command;
  const env = {
    PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    // For processes from the sources: a cache that others write is none for hostile input.
    TSX_DISABLE_CACHE: '1',
  };
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe', ...files] });
  // A child that ends before it has read everything is judged by how it ended.
  child.stdin?.on('error', () => child.stdin?.destroy());
  return child;
}

/** The first sandbox in which `program` ends well. None is an error. */
export async function findSandbox(
  sandboxes: readonly Sandbox[],
  program: readonly string[],
  field: string,
): Promise<Sandbox> {
  for (const sandbox of sandboxes) {
    if (await endsWell([...sandbox, ...program])) return sandbox;
  }
  throw new EverflameError('unavailable', 'no process without privileges can be started', {
    field,
    remedy: 'Install setpriv and unshare (Debian: util-linux).',
  });
}

const TRIAL_MS = 5_000;

function endsWell(command: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = startRestricted(command);
    const timer = setTimeout(() => child.kill('SIGKILL'), TRIAL_MS);
    const settle = (well: boolean): void => {
      clearTimeout(timer);
      resolve(well);
    };
    child.stdin?.end();
    child.stdout?.resume();
    child.stderr?.resume();
    child.on('error', () => settle(false));
    child.on('close', (code) => settle(code === 0));
  });
}
