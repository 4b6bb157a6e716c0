/**
 * Room that writes leave on the volume: removing what is old needs some to say so, and so do seals
 * and merges before the files that they replace can go. Above all a checkpoint must find room: one
 * that does not is fatal to DuckDB, which then answers nothing until it is opened again.
 */
import { statfsSync } from 'node:fs';
import { EverflameError } from '../../../profile/errors.ts';

const MAX_RESERVE_BYTES = 256 * 2 ** 20;
const RESERVE_SHARE = 0.04;
/** A write-ahead log as long as it gets (database.ts) and its checkpoint; of a tiny volume half. */
const MIN_RESERVE_BYTES = 32 * 2 ** 20;
/** Asking costs some 10 us. A full disk is looked at every time, to see at once that it is not. */
const LOOK_MS = 250;

export interface VolumeSpace {
  totalBytes: number;
  /** What this process may still write. */
  freeBytes: number;
}

export class DiskSpace {
  readonly #read: () => VolumeSpace;
  #full: VolumeSpace | null = null;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(read: () => VolumeSpace) {
    this.#read = read;
  }

  /** Throws `storage-full` where a write would use up what is reserved. */
  checkRoom(): void {
    const error = this.fault();
    if (error !== null) throw error;
  }

  /** What may be written beside the reserve; less than nothing where that is used already. */
  roomBytes(): number {
    const space = this.#read();
    return space.freeBytes - reserveOf(space);
  }

  /** Why writes are refused; null where there is room. */
  fault(): EverflameError | null {
    const nowMs = performance.now();
    if (this.#full !== null || nowMs - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = nowMs;
      const space = this.#read();
      this.#full = space.freeBytes < reserveOf(space) ? space : null;
    }
    if (this.#full === null) return null;
    const { freeBytes } = this.#full;
    return new EverflameError('storage-full', `the disk has ${freeBytes} bytes left`, {
      limit: `reserve for removing old profiles = ${reserveOf(this.#full)}`,
      remedy: 'Free space on the volume of --data-dir, or shorten the retention.',
    });
  }
}

function reserveOf({ totalBytes }: VolumeSpace): number {
  const least = Math.min(MIN_RESERVE_BYTES, Math.floor(totalBytes / 2));
  return Math.min(MAX_RESERVE_BYTES, Math.max(least, Math.floor(totalBytes * RESERVE_SHARE)));
}

export function volumeOf(dir: string): DiskSpace {
  return new DiskSpace(() => {
    const { bsize, blocks, bavail } = statfsSync(dir);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  });
}
