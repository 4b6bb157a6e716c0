/** Whether this process may sample the machine; if not, which capability is missing. */
import { existsSync, readFileSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';

/** Bits of include/uapi/linux/capability.h. */
const CAP_SYS_PTRACE = 19;
const CAP_SYS_ADMIN = 21;
const CAP_SYSLOG = 34;
const CAP_PERFMON = 38;
const CAP_BPF = 39;
const CAP_CHECKPOINT_RESTORE = 40;

interface Need {
  name: string;
  bit: number;
  why: string;
}

/** Without these nothing is sampled. CAP_SYS_ADMIN holds all of them. */
const REQUIRED: readonly Need[] = [
  { name: 'CAP_BPF', bit: CAP_BPF, why: 'loads the BPF program' },
  { name: 'CAP_PERFMON', bit: CAP_PERFMON, why: 'opens clock events on all CPUs' },
];
/** Without these profiles are poorer. */
const WANTED: readonly Need[] = [
  { name: 'CAP_SYS_PTRACE', bit: CAP_SYS_PTRACE, why: 'mappings of other users stay unreadable' },
  { name: 'CAP_SYSLOG', bit: CAP_SYSLOG, why: 'kernel frames have no names' },
  {
    name: 'CAP_CHECKPOINT_RESTORE',
    bit: CAP_CHECKPOINT_RESTORE,
    why: 'deleted and replaced binaries stay unreadable',
  },
];
const BTF = '/sys/kernel/btf/vmlinux';

export function effectiveCapabilities(status: string): bigint {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(status);
  return match === null ? 0n : BigInt(`0x${match[1]}`);
}

/** What is missing of a list of needs. */
function missing(needs: readonly Need[], effective: bigint): Need[] {
  const has = (bit: number) => (effective & (1n << BigInt(bit))) !== 0n;
  return needs.filter((need) => !has(need.bit) && !has(CAP_SYS_ADMIN));
}

/** Throws, in one line, what keeps this process from sampling. Returns what makes it poorer. */
export function checkPrivileges(): string[] {
  const effective = effectiveCapabilities(readFileSync('/proc/self/status', 'utf8'));
  const lack = lackOfPrivileges(effective);
  if (lack !== null) throw lack;
  if (!existsSync(BTF)) {
    throw new EverflameError('unavailable', `this kernel has no ${BTF}`, {
      remedy: 'Use a kernel with CONFIG_DEBUG_INFO_BTF (all distributions since 2021).',
    });
  }
  return missing(WANTED, effective).map((need) => `without ${need.name} ${need.why}`);
}

/** What is to be said of a process with these capabilities; null if it may sample. */
export function lackOfPrivileges(effective: bigint): EverflameError | null {
  const needs = missing(REQUIRED, effective);
  if (needs.length === 0) return null;
  const names = needs.map((need) => need.name);
  const reasons = needs.map((need) => `${need.name} (${need.why})`).join(' and ');
  const grants = names.map((name) => `+${name.slice(4).toLowerCase()}`).join(',');
  return new EverflameError('forbidden', `the agent may not sample: it lacks ${reasons}`, {
    remedy:
      `Run it as root, or grant them: setpriv --inh-caps ${grants} --ambient-caps ${grants}, ` +
      `in systemd AmbientCapabilities=${names.join(' ')}, ` +
      'in Kubernetes securityContext.capabilities.add.',
  });
}
