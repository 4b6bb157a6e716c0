import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStore, type StorePlace } from '../../test/conformance/store.ts';
import { openDuckStore } from './duck-store.ts';

async function makePlace(): Promise<StorePlace> {
  const dataDir = await mkdtemp(join(tmpdir(), 'everflame-store-'));
  return {
    open: () => openDuckStore({ dataDir, memoryLimitBytes: 256 * 2 ** 20, threads: 2 }),
    remove: () => rm(dataDir, { recursive: true }),
  };
}

describeStore('DuckDB', makePlace);
