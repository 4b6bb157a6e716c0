/** One run of a command: how long it took, what it used and what it printed. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile } from './process-usage.ts';

export interface TimedRun {
  wallMs: number;
  /** User and system, of the process and of those it waited for. */
  cpuMs: number;
  /** The largest resident set of one process. */
  peakMb: number;
}

export interface TimedCommand {
  program: string;
  args: readonly string[];
  /** A file that is its standard input. */
  input?: string;
}

/**
 * Variables that would cost some of them a start: Node reads the certificates that
 * NODE_EXTRA_CA_CERTS names before anything else.
 */
const ENVIRONMENT = { PATH: process.env.PATH ?? '', LC_ALL: 'C' };

/** Runs it under `time`; what it prints goes to the file `output`, or nowhere. */
export function runTimed(command: TimedCommand, output = '/dev/null'): TimedRun {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const report = join(folder, 'time');
  const stdin = openSync(command.input ?? '/dev/null', 'r');
  const stdout = openSync(output, 'w');
  try {
    const args = ['-f', '%U %S %M', '-o', report, command.program, ...command.args];
    const start = performance.now();
    const run = spawnSync('time', args, { env: ENVIRONMENT, stdio: [stdin, stdout, 'pipe'] });
    const wallMs = performance.now() - start;
    if (run.error !== undefined || run.status !== 0) {
      const words = run.error?.message ?? run.stderr.toString().slice(-400);
      throw new Error(`${command.program} ${command.args[0] ?? ''} failed: ${words}`);
    }
    const line = readFileSync(report, 'utf8').trim().split('\n').at(-1) ?? '';
    const [user = 0, system = 0, peakKb = 0] = line.split(' ').map(Number);
    return { wallMs, cpuMs: (user + system) * 1000, peakMb: (peakKb * 1024) / 1e6 };
  } finally {
    closeSync(stdin);
    closeSync(stdout);
    rmSync(folder, { recursive: true });
  }
}

/** Medians of `rounds` runs of each; they take turns, so that all meet the same machine. */
export function runInTurns(commands: readonly TimedCommand[], rounds: number): TimedRun[] {
  const runs: TimedRun[][] = commands.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [row, command] of commands.entries()) runs[row]?.push(runTimed(command));
  }
  return runs.map((own) => ({
    wallMs: percentile(
      own.map(({ wallMs }) => wallMs),
      0.5,
    ),
    cpuMs: percentile(
      own.map(({ cpuMs }) => cpuMs),
      0.5,
    ),
    peakMb: percentile(
      own.map(({ peakMb }) => peakMb),
      0.5,
    ),
  }));
}
