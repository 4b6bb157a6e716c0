/** Which agent of a fleet sends a file: one at a time, and only as long as it gets on with it. */
import { randomBytes } from 'node:crypto';
import { MAX_DEBUGINFO_LEASES } from '../../profile/limits.ts';
import type { BuildId, EpochMs } from '../../profile/units.ts';

interface Lease {
  token: string;
  agent: string;
  untilMs: number;
  /** Latest end without a byte received since it was given. */
  grantedUntilMs: number;
  receivedBytes: number;
}

/** A sender slower than this, 64 kB/s, loses its lease to the next one that asks. */
const MIN_BYTES_PER_MS = 64;

export class DebuginfoLeases {
  readonly #leases = new Map<BuildId, Lease>();
  readonly #leaseMs: number;
  readonly #clock: () => EpochMs;

  /** `leaseMs`: how long an agent has to begin, or to go on. */
  constructor(leaseMs: number, clock: () => EpochMs) {
    this.#leaseMs = leaseMs;
    this.#clock = clock;
  }

  /** The token of a new lease, or of the one that this agent has; null while too many are out. */
  grant(buildId: BuildId, agent: string): string | null {
    // Asking again buys no time: else an agent that only asks would keep the others waiting.
    const live = this.#live(buildId);
    if (live?.agent === agent) return live.token;
    const now = this.#clock();
    if (!this.#hasRoom(buildId, now)) return null;
    const token = randomBytes(16).toString('hex');
    const untilMs = now + this.#leaseMs;
    this.#leases.set(buildId, {
      token,
      agent,
      untilMs,
      grantedUntilMs: untilMs,
      receivedBytes: 0,
    });
    return token;
  }

  isHeldBy(buildId: BuildId, agent: string): boolean {
    return this.#live(buildId)?.agent === agent;
  }

  /** When the lease that another agent holds ends; null where none does. */
  heldUntilMs(buildId: BuildId, agent: string): number | null {
    const lease = this.#live(buildId);
    return lease === null || lease.agent === agent ? null : lease.untilMs;
  }

  /** People who upload by hand have no token, and after a restart nobody's counts. */
  isRefused(buildId: BuildId, token: string): boolean {
    const lease = this.#live(buildId);
    return lease !== null && token !== '' && lease.token !== token;
  }

  /** What was received buys time, but no more than a sender of fair speed needs. */
  extend(buildId: BuildId, bytes: number): void {
    const lease = this.#leases.get(buildId);
    if (lease === undefined) return;
    lease.receivedBytes += bytes;
    const fairMs = lease.grantedUntilMs + lease.receivedBytes / MIN_BYTES_PER_MS;
    const untilMs = Math.min(this.#clock() + this.#leaseMs, fairMs);
    lease.untilMs = Math.max(lease.untilMs, untilMs);
  }

  end(buildId: BuildId): void {
    this.#leases.delete(buildId);
  }

  #live(buildId: BuildId): Lease | null {
    const lease = this.#leases.get(buildId);
    return lease === undefined || lease.untilMs <= this.#clock() ? null : lease;
  }

  #hasRoom(buildId: BuildId, now: number): boolean {
    if (this.#leases.size < MAX_DEBUGINFO_LEASES || this.#leases.has(buildId)) return true;
    for (const [other, lease] of this.#leases) {
      if (lease.untilMs <= now) this.#leases.delete(other);
    }
    return this.#leases.size < MAX_DEBUGINFO_LEASES;
  }
}
