/** What a process used, as the kernel counts it over all its threads. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system, of the process and not of its children. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** `VmRSS` or `VmHWM` (its peak) in MB. */
export function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
  );
  return Number(line?.[1]) / 1000;
}

export function diskBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}

/** The p-th percentile (0..1) by nearest rank; sorts the values in place. */
export function percentile(values: number[], p: number): number {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(p * values.length))] ?? Number.NaN;
}

export interface BpfUsage {
  /** Time in BPF programs, and how often they ran; only with kernel.bpf_stats_enabled. */
  runNs: number;
  runs: number;
  /** Memory of all maps, as charged to the process. */
  mapBytes: number;
}

/** BPF programs and maps that the process holds, each once, as its file descriptors tell. */
export function bpfUsage(pid: number): BpfUsage {
  const usage: BpfUsage = { runNs: 0, runs: 0, mapBytes: 0 };
  const folder = `/proc/${pid}/fdinfo`;
  const seen = new Set<string>();
  for (const fd of readdirSync(folder)) {
    const text = readFileSync(join(folder, fd), 'utf8');
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1];
    // A link names its program too, but only the program's own descriptor has figures.
    const kind = field('run_cnt') === undefined ? 'map' : 'prog';
    const id = field(`${kind}_id`);
    if (id === undefined || seen.has(kind + id)) continue;
    seen.add(kind + id);
    if (kind === 'map') usage.mapBytes += Number(field('memlock') ?? 0);
    usage.runNs += Number(field('run_time_ns') ?? 0);
    usage.runs += Number(field('run_cnt') ?? 0);
  }
  return usage;
}
