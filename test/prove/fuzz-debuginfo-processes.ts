/**
 * The long form of fuzz-debuginfo: a process per CPU. One that crashes or hangs fails the proof,
 * where the fuzzer's own process could not tell of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ProofOptions } from './proof.ts';
import { combineLines } from './proof-lines.ts';

/** A process tells of its progress every few seconds, once it has built its objects. */
const MAX_SILENCE_MS = 300_000;
const MAX_KEPT_CHARACTERS = 4_000;

/** Returns one line of summary. Throws what the first process that fails says. */
export async function fuzzDebuginfoInProcesses({ seed, runs }: ProofOptions): Promise<string> {
  const count = Math.min(availableParallelism(), runs);
  const children: ChildProcess[] = [];
  const lines = Array.from({ length: count }, (_, row) => {
    const from = Math.floor((runs * row) / count) + 1;
    const to = Math.floor((runs * (row + 1)) / count);
    const child = startProcess(seed, from, to);
    children.push(child);
    return lastLine(child);
  });
  try {
    return combineLines(await Promise.all(lines));
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

function startProcess(seed: number, from: number, to: number): ChildProcess {
  const entry = fileURLToPath(new URL('./fuzz-debuginfo-process.ts', import.meta.url));
  const args = ['--import', 'tsx', entry, String(seed), String(from), String(to)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

function lastLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const output = { stdout: '', stderr: '' };
    const fail = (what: string) => reject(new Error(`${what}: ${output.stdout}${output.stderr}`));
    const hangs = () => {
      child.kill('SIGKILL');
      fail(`no word for ${MAX_SILENCE_MS} ms`);
    };
    let timer = setTimeout(hangs, MAX_SILENCE_MS);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-MAX_KEPT_CHARACTERS);
        clearTimeout(timer);
        timer = setTimeout(hangs, MAX_SILENCE_MS);
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code !== 0) fail(`a process ended with ${signal ?? code}`);
      else resolve(output.stdout.trim().split('\n').at(-1) ?? '');
    });
  });
}
