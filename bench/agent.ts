/**
 * What the agent costs on a host whose CPUs are all busy: its process, its BPF programs (from
 * bpf_stats_enabled), its memory and maps. The load is mixed: C, Python where there is one, Node,
 * and a short-lived process every 50 ms.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVERFLAME, startServerProcess, withFolder } from '../test/e2e/server-process.ts';
import { bpfUsage, cpuSeconds, memoryMb } from './process-usage.ts';

const WARM_UP_MS = 25_000;
const MEASURE_MS = 60_000;
const STATS_SWITCH = '/proc/sys/kernel/bpf_stats_enabled';

const C_LOAD = 'int main(void){volatile unsigned long x=1;for(;;)for(int i=0;i<1000;i++)x=x*31+i;}';
const PYTHON_LOAD = 'while True:\n  sum(i * i for i in range(10000))';
const NODE_LOAD = 'for (;;) JSON.parse(JSON.stringify({ a: Array(1000).fill(1) }));';

function startLoad(folder: string): ChildProcess[] {
  const source = join(folder, 'load.c');
  writeFileSync(source, C_LOAD);
  execFileSync('gcc', ['-O2', '-fomit-frame-pointer', '-o', join(folder, 'load'), source]);
  const quiet = { stdio: 'ignore' } as const;
  return [
    spawn(join(folder, 'load'), [], quiet),
    spawn('python3', ['-c', PYTHON_LOAD], quiet).on('error', () => console.log('no python3 here')),
    spawn(process.execPath, ['-e', NODE_LOAD], quiet),
    spawn('sh', ['-c', 'while :; do ls -l /proc >/dev/null; sleep 0.05; done'], quiet),
  ];
}

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

async function measure(frequency: number, url: string): Promise<string> {
  const agent = spawn(EVERFLAME, ['agent', '--server', url, '--frequency', String(frequency)], {
    stdio: 'ignore',
  });
  const pid = agent.pid as number;
  try {
    await sleep(WARM_UP_MS);
    const cpu = cpuSeconds(pid);
    const bpf = bpfUsage(pid);
    await sleep(MEASURE_MS);
    const seconds = MEASURE_MS / 1000;
    const after = bpfUsage(pid);
    const process = (100 * (cpuSeconds(pid) - cpu)) / seconds;
    const programs = (100 * (after.runNs - bpf.runNs)) / 1e9 / seconds;
    const cells = [
      `${frequency} Hz`,
      process.toFixed(2),
      programs.toFixed(3),
      (process + programs).toFixed(2),
      ((after.runNs - bpf.runNs) / 1000 / (after.runs - bpf.runs)).toFixed(1),
      `${memoryMb(pid, 'VmRSS').toFixed(0)} (${memoryMb(pid, 'VmHWM').toFixed(0)})`,
      (after.mapBytes / 1e6).toFixed(1),
    ];
    return `| ${cells.join(' | ')} |`;
  } finally {
    agent.kill('SIGTERM');
  }
}

export async function benchAgent(): Promise<string> {
  const rows = [
    '| sampling | process, % of a CPU | BPF, % of a CPU | together | µs per BPF run | RSS (peak) MB | maps MB |',
    '|---|---|---|---|---|---|---|',
  ];
  writeFileSync(STATS_SWITCH, '1');
  try {
    await withFolder(async (folder) => {
      const server = await startServerProcess(join(folder, 'data'));
      const load = startLoad(folder);
      try {
        for (const frequency of [19, 99]) rows.push(await measure(frequency, server.url));
      } finally {
        for (const child of load) child.kill('SIGKILL');
        await server.stop();
      }
    });
  } finally {
    writeFileSync(STATS_SWITCH, '0');
  }
  return rows.join('\n');
}
