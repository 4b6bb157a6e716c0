/** The built server as its own process, as a user runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const EVERFLAME = resolve('bin/everflame');

export interface ServerProcess {
  url: string;
  pid: number;
  /** All it printed so far. */
  output(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;

/** Servers that run, with their data directories. */
const running = new Map<ChildProcess, string>();

export interface ServerProcessOptions {
  /** More flags of `everflame server`. */
  args?: readonly string[];
  /** Beside this process' own. */
  env?: NodeJS.ProcessEnv;
}

/** Starts `everflame server`, by default on a free port of loopback, and waits until it is ready. */
export async function startServerProcess(
  dataDir: string,
  address = '127.0.0.1:0',
  { args = [], env = {} }: ServerProcessOptions = {},
): Promise<ServerProcess> {
  const flags = ['--http-address', address, '--data-dir', dataDir, ...args];
  const child = spawn(EVERFLAME, ['server', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  running.set(child, dataDir);
  child.once('exit', () => running.delete(child));
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const url = await waitForUrl(child, () => output);
  return {
    url,
    pid: child.pid as number,
    output: () => output,
    stop: () => end(child, 'SIGTERM'),
    kill: async () => {
      await end(child, 'SIGKILL');
    },
  };
}

async function waitForUrl(child: ChildProcess, output: () => string): Promise<string> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const url = /https?:\/\/[\d.]+:\d+/.exec(output())?.[0];
    if (url !== undefined && (await isReady(url))) return url;
    await new Promise((done) => setTimeout(done, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not start; it printed:\n${output()}`);
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  return child.exitCode;
}

/** Runs the CLI to its end. */
export async function runEverflame(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(EVERFLAME, args, { env: { ...process.env, ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(child, 'close');
  return { code: code as number | null, stdout, stderr };
}

/** Of a test that failed: it has not come to the end where it stops them. */
export async function killServersIn(folder: string): Promise<void> {
  for (const [child, dataDir] of [...running]) {
    if (dataDir.startsWith(folder)) await end(child, 'SIGKILL');
  }
}

/** A folder that is gone when `use` ends, as are the servers in it. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'everflame-'));
  try {
    return await use(folder);
  } finally {
    await killServersIn(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** GET with parameters; throws with the problem document on an error status. */
export async function getJson<T>(
  url: string,
  path: string,
  query: Record<string, string>,
): Promise<T> {
  const response = await fetch(`${url}${path}?${new URLSearchParams(query)}`);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
