/**
 * The names of the figures that a sampling window carries from the agent to the answer. One law
 * holds for every window: sampled = excluded + sent + the sum of all `lost_*`.
 */

/** Runs of the BPF program of the window's source; idle CPUs are not sampled. */
export const SAMPLED = 'sampled';
/** Dropped because the operator's rules say so. */
export const EXCLUDED = 'excluded';
/** In the profiles that this window's request carries. */
export const SENT = 'sent';
/** Samples gone, by reason: `lost_ring_full`, `lost_read`, `lost_spool`, `lost_rejected`, ... */
export const LOST_PREFIX = 'lost_';
/** Kept, with a part of the stack missing, by reason: `incomplete_user_stack_failed`, ... */
export const INCOMPLETE_PREFIX = 'incomplete_';
/** CPU time in use on the host in the window, ns; the base of the effective sampling rate. */
export const BUSY_CPU_NS = 'busy_cpu_ns';

/** Windows that went without profiles: counted by the server from gaps in the sequence numbers. */
export interface WindowTotals {
  windows: number;
  /** Sequence numbers that no request has reported. */
  missingWindows: number;
  hosts: number;
  lengthMs: number;
  counters: Record<string, number>;
}

/** Adds up to zero exactly when no sample of the window is unaccounted for. */
export function unaccounted(counters: Readonly<Record<string, number>>): number {
  let rest = (counters[SAMPLED] ?? 0) - (counters[EXCLUDED] ?? 0) - (counters[SENT] ?? 0);
  for (const [name, count] of Object.entries(counters)) {
    if (name.startsWith(LOST_PREFIX)) rest -= count;
  }
  return rest;
}
