/** Which requests were stored: ids hashed to 64 bits under the store's key, by day, for 7 days. */
import { createHash } from 'node:crypto';
import { SharedHashTable } from '../../../profile/hash-table.ts';
import type { IdKey } from '../../../profile/siphash.ts';

export const DAY_MS = 86_400_000;
/** How long a sender may take to repeat a request. */
export const BATCH_ID_DAYS = 7;

export interface BatchHash {
  low: number;
  high: number;
}

/** SHA-256 over key and id, cut to 64 bits: nobody without the key can make two ids meet. */
export function hashBatchId(key: IdKey, batchId: string): BatchHash {
  const digest = createHash('sha256').update(`${key.k0} ${key.k1} ${batchId}`).digest();
  return { low: digest.readInt32LE(0), high: digest.readInt32LE(4) };
}

export class BatchIds {
  readonly #days = new Map<number, SharedHashTable>();

  has({ low, high }: BatchHash): boolean {
    for (const table of this.#days.values()) {
      if (table.get(low, high) >= 0) return true;
    }
    return false;
  }

  add({ low, high }: BatchHash, tsMs: number): void {
    const table = this.#tableOf(Math.floor(tsMs / DAY_MS));
    if (table.get(low, high) < 0) table.insert(low, high, 0);
  }

  /** Those of a day, in days since the epoch, when a store is opened: hashes, interleaved. */
  load(day: number, hashes: Int32Array): void {
    // Only whether an id is there is ever asked.
    this.#tableOf(day).insertAll([{ ids: hashes, values: 0 }]);
  }

  #tableOf(day: number): SharedHashTable {
    let table = this.#days.get(day);
    if (table === undefined) {
      table = new SharedHashTable();
      this.#days.set(day, table);
    }
    return table;
  }

  /** Forgets whole days that are over; true if there were any. */
  expire(nowMs: number): boolean {
    const first = Math.floor(oldestKeptMs(nowMs) / DAY_MS);
    let expired = false;
    for (const day of this.#days.keys()) {
      if (day < first) expired = this.#days.delete(day) || expired;
    }
    return expired;
  }

  get byteLength(): number {
    let bytes = 0;
    for (const table of this.#days.values()) bytes += table.words.byteLength;
    return bytes;
  }
}

/** Ids stored before this time are forgotten. */
export function oldestKeptMs(nowMs: number): number {
  return (Math.floor(nowMs / DAY_MS) - BATCH_ID_DAYS) * DAY_MS;
}
