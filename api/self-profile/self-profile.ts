/** The server profiles itself, on demand, into its own store. */
import { EverflameError } from '../../profile/errors.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { SelfProfileJson } from '../../wire/http.ts';
import { encodeWriteRaw } from '../../wire/write-raw.ts';
import type { Ingest } from '../ingest/ingest-request.ts';
import { recordThreads } from './record.ts';
import { encodeSelfProfile } from './v8-profile.ts';

/** 200 samples per thread and second: V8 takes each in some 20 us. */
const INTERVAL_US = 5_000;
const TYPE = 'wall:wall:nanoseconds:wall:nanoseconds';
const SERVICE = 'everflame';

export interface SelfProfilerOptions {
  ingest: Pick<Ingest, 'accept'>;
  host: string;
  version: string;
  clock: () => EpochMs;
}

export interface SelfProfiler {
  /** Records, stores, and answers when it is durable. One recording runs at a time. */
  run(durationMs: number, signal: AbortSignal): Promise<SelfProfileJson>;
}

export function createSelfProfiler(options: SelfProfilerOptions): SelfProfiler {
  let isRunning = false;
  return {
    async run(durationMs, signal) {
      if (isRunning) {
        throw new EverflameError('conflict', 'a profile of the server is being recorded', {
          remedy: 'Ask again when it is done.',
        });
      }
      isRunning = true;
      try {
        return await profileItself(options, durationMs, signal);
      } finally {
        isRunning = false;
      }
    },
  };
}

async function profileItself(
  { ingest, host, version, clock }: SelfProfilerOptions,
  wantedMs: number,
  signal: AbortSignal,
): Promise<SelfProfileJson> {
  const startMs = clock();
  const begun = performance.now();
  const { threads, missing } = await recordThreads(wantedMs, INTERVAL_US, signal);
  const durationMs = performance.now() - begun;
  const input = { threads, startMs, durationMs, intervalUs: INTERVAL_US };
  const { pprof, activeNs } = encodeSelfProfile(input);
  const labels = { __name__: 'wall', service_name: SERVICE, host, version };
  const body = encodeWriteRaw({
    tenant: '',
    series: [
      {
        labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
        profiles: [pprof],
      },
    ],
    normalized: true,
    report: null,
  });
  const stored = await ingest.accept({
    kind: 'writeraw',
    // protobufjs hands out a view of its pool, and the body moves to another thread.
    body: Uint8Array.from(body),
    contentType: 'application/x-protobuf',
    contentEncoding: '',
    idempotencyKey: '',
  });
  return {
    query: `${TYPE}{service_name="${SERVICE}",host=${JSON.stringify(host)}}`,
    from_ms: startMs,
    to_ms: startMs + Math.ceil(durationMs),
    samples: stored.samples,
    threads: threads.map(({ thread }, row) => ({ thread, active_ns: activeNs[row] ?? 0 })),
    missing_threads: missing,
  };
}
