import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { EverflameError } from '../../profile/errors.ts';
import { describeStore, type StorePlace } from '../../test/conformance/store.ts';
import type { WriteBatch } from '../store.ts';
import type { EmbeddedStore } from './duck-store.ts';
import { openDuckStore } from './open-store.ts';
import { openDatabase } from './sql/database.ts';
import { SHRINK_STEPS } from './sql/shrink-file.ts';

/** Sealing after so many writes, 0 for never, and then merging what was sealed. */
function placeOf(
  writesPerSeal: number,
  { isMerged = false, isShrunk = false } = {},
): () => Promise<StorePlace> {
  return async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'everflame-store-'));
    return {
      open: async () => {
        if (isShrunk) await shrink(dataDir);
        const store = await openDuckStore({ dataDir, memoryLimitBytes: 256 * 2 ** 20, threads: 2 });
        return writesPerSeal === 0 ? store : sealAfter(store, writesPerSeal, isMerged);
      },
      remove: () => rm(dataDir, { recursive: true }),
    };
  };
}

/** Copies the database file into a small one, as a close does where much of it is free. */
async function shrink(dataDir: string): Promise<void> {
  const database = await openDatabase({ dataDir });
  const connection = await database.connect();
  for (const step of SHRINK_STEPS) await step(connection, database);
  duckdb.disconnect_sync(connection);
  database.close();
}

function sealAfter(store: EmbeddedStore, writes: number, isMerged: boolean): EmbeddedStore {
  let count = 0;
  const write = store.write.bind(store);
  store.write = async (batch: WriteBatch) => {
    await write(batch);
    if (++count % writes !== 0) return;
    const sealing = store.seal().then(() => (isMerged ? store.maintain() : undefined));
    const [sealed] = await Promise.allSettled([sealing]);
    if (sealed.status === 'rejected' && !isClosing(sealed.reason)) throw sealed.reason;
  };
  return store;
}

function isClosing(error: unknown): boolean {
  return error instanceof EverflameError && ['cancelled', 'unavailable'].includes(error.kind);
}

describeStore('DuckDB, all rows hot', placeOf(0));
describeStore('DuckDB, all rows sealed', placeOf(1));
describeStore('DuckDB, every second write sealed', placeOf(2));
describeStore('DuckDB, every second write sealed and merged', placeOf(2, { isMerged: true }));
describeStore('DuckDB, in a new file at each start', placeOf(2, { isShrunk: true }));
