/** The ingest path: decodes requests on workers and writes them to the store. Knows no HTTP. */
import type { Worker } from 'node:worker_threads';
import { EverflameError } from '../../profile/errors.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { Store, WindowRow } from '../../store/store.ts';
import { DecodePool } from './decode-pool.ts';
import type { Ingest, IngestAnswer, IngestRequest } from './ingest-request.ts';

export interface IngestOptions {
  store: Pick<Store, 'idKey' | 'write' | 'snapshot'>;
  /** Starts a thread that runs decode-worker.ts. */
  createWorker: () => Worker;
  workers: number;
  clock: () => EpochMs;
}

export function createIngest({ store, createWorker, workers, clock }: IngestOptions): Ingest {
  const pool = new DecodePool({
    createWorker,
    workers,
    key: store.idKey,
    knownWords: () => store.snapshot().knownStacks.words,
  });
  const accepted = new Set<Promise<IngestAnswer>>();
  let isClosed = false;

  async function ingest(request: IngestRequest): Promise<IngestAnswer> {
    const { batch, samplesWithoutLabels, decompressedBytes } = await pool.decode(request, clock());
    // A batch's id, counts and columns are the store's once it is written.
    const { batchId } = batch;
    const profiles = batch.profiles.length;
    const samples = batch.samples.count;
    const counters = sumCounters(batch.windows);
    await store.write(batch);
    return { batchId, profiles, samples, samplesWithoutLabels, counters, decompressedBytes };
  }

  return {
    async accept(request) {
      if (isClosed) throw new EverflameError('unavailable', 'the server is shutting down');
      const answer = ingest(request);
      accepted.add(answer);
      try {
        return await answer;
      } finally {
        accepted.delete(answer);
      }
    },
    stats: () => ({
      queuedRequests: pool.queuedRequests,
      queuedBytes: pool.queuedBytes,
      workerRestarts: pool.restarts,
    }),
    trim: () => pool.trim(),
    async close() {
      isClosed = true;
      await Promise.allSettled(accepted);
      await pool.close();
    },
  };
}

function sumCounters(windows: readonly WindowRow[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { counters } of windows) {
    for (const [name, value] of Object.entries(counters)) {
      sums.set(name, (sums.get(name) ?? 0) + value);
    }
  }
  return sums;
}
