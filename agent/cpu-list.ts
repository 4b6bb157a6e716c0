/** Lists of CPUs as /sys/devices/system/cpu writes them: `0-3,8,10-11`. */
import { readFileSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';

/** CONFIG_NR_CPUS of the largest distribution kernels. */
const MAX_CPUS = 8_192;
const ONLINE = '/sys/devices/system/cpu/online';

export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first || last >= MAX_CPUS) {
      throw new EverflameError('invalid', `"${text.trim().slice(0, 80)}" is not a list of CPUs`, {
        limit: `MAX_CPUS = ${MAX_CPUS}`,
      });
    }
    for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
  }
  return cpus;
}

export function readOnlineCpus(): number[] {
  return parseCpuList(readFileSync(ONLINE, 'utf8'));
}
