/** Composes the server: store, symbolizer, ingest, queries and HTTP, and closes them in order. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApp } from '../api/app.ts';
import { BodyBudget } from '../api/body.ts';
import { createIngest } from '../api/ingest/ingest.ts';
import type { Ingest } from '../api/ingest/ingest-request.ts';
import type { Gauge } from '../api/metrics.ts';
import { createMetrics, observeGauges, processGauges, storeGauges } from '../api/metrics.ts';
import { createQueries } from '../api/query/queries.ts';
import { readWebFiles } from '../api/routes/pages.ts';
import { EverflameError } from '../profile/errors.ts';
import type { EpochMs } from '../profile/units.ts';
import { openDuckStore } from '../store/duckdb/duck-store.ts';
import { openSymbolizer } from '../symbolizer/debuginfo-store.ts';
import type { Listener } from './listener.ts';
import { checkExposure, listen, parseSocketAddress } from './listener.ts';
import { createSelfMetrics } from './self-metrics.ts';
import { startThread } from './thread.ts';
import { readVersion } from './version.ts';

/** An agent that was asked for a file has this long to begin with it. */
const LEASE_MS = 5 * 60_000;
/** More threads than this do not decode faster: commits are the limit then. */
const MAX_WORKERS = 8;

export interface ServerOptions {
  /** `HOST:PORT`; port 0 is any free one. */
  httpAddress: string;
  dataDir: string;
  debuginfoBytes: number;
  memoryLimitBytes?: number;
  /** Empty, or `/path`; a trailing slash is dropped. */
  pathPrefix: string;
  /** Allows addresses other than loopback, and every host name. */
  insecure: boolean;
  /** One line about a fault. */
  log(line: string): void;
}

export interface RunningServer {
  url: string;
  /** Takes no more requests, finishes the open ones for at most `graceMs`, then closes all. */
  close(graceMs: number): Promise<void>;
}

/** Starts a server. What cannot be started is named in one line, and what was started is closed. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const address = parseSocketAddress(options.httpAddress, 'http-address');
  checkExposure(address, options.insecure, 'http-address');
  const pathPrefix = readPathPrefix(options.pathPrefix);
  checkDataDir(options.dataDir);
  /** In the order in which they were opened. */
  const closers: (() => Promise<void>)[] = [];
  try {
    const app = await openApp(options, pathPrefix, closers);
    const listener = await listen(app.fetch, address);
    return {
      url: `${listener.url}${pathPrefix}`,
      close: (graceMs) => closeServer(listener, closers, graceMs),
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function openApp(
  options: ServerOptions,
  pathPrefix: string,
  closers: (() => Promise<void>)[],
) {
  const { dataDir, memoryLimitBytes } = options;
  const version = readVersion();
  const selfMetrics = createSelfMetrics(version);
  closers.push(() => selfMetrics.close());
  const store = await openDuckStore({
    dataDir,
    ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
  });
  closers.push(() => store.close());
  const symbolizer = openSymbolizer({
    dir: join(dataDir, 'debuginfo'),
    maxBytes: options.debuginfoBytes,
    leaseMs: LEASE_MS,
    clock: () => Date.now() as EpochMs,
  });
  closers.push(() => symbolizer.close());
  const workers = Math.min(MAX_WORKERS, Math.max(1, availableParallelism() - 1));
  const queries = createQueries({
    store,
    symbolizer,
    createWorker: () => startThread('tree-worker'),
    workers,
  });
  closers.push(() => queries.close());
  const ingest = createIngest({
    store,
    createWorker: () => startThread('decode-worker'),
    workers,
  });
  closers.push(() => ingest.close());
  const metrics = createMetrics(selfMetrics.meter);
  const bodies = new BodyBudget();
  observeGauges(selfMetrics.meter, [
    ...storeGauges(() => store.stats()),
    ...ingestGauges(ingest, bodies),
    ...processGauges(),
  ]);
  return createApp({
    version,
    pathPrefix,
    webFiles: await readWebFiles(findWebFolder()),
    metrics,
    bodies,
    doors: { checkHost: !options.insecure },
    log: options.log,
    renderMetrics: () => selfMetrics.render(),
    clock: Date.now,
    store,
    symbolizer,
    ingest,
    queries,
  });
}

/** dist/web lies beside dist/cli in a build, and below the checkout in development. */
function findWebFolder(): string {
  const path = import.meta.url.endsWith('.ts') ? '../dist/web' : '../web';
  return fileURLToPath(new URL(path, import.meta.url));
}

function ingestGauges(ingest: Ingest, bodies: BodyBudget): Gauge[] {
  return [
    {
      name: 'everflame_decode_queued_requests',
      description: 'Requests waiting for a decode worker or being decoded.',
      read: () => ingest.stats().queuedRequests,
    },
    {
      name: 'everflame_decode_queued_bytes',
      description: 'Bytes of their bodies.',
      read: () => ingest.stats().queuedBytes,
    },
    {
      name: 'everflame_decode_worker_restarts',
      description: 'Decode workers that died and were replaced.',
      monotonic: true,
      read: () => ingest.stats().workerRestarts,
    },
    {
      name: 'everflame_body_bytes_in_flight',
      description: 'Bytes of request bodies held in memory.',
      read: () => bodies.heldBytes,
    },
  ];
}

function readPathPrefix(text: string): string {
  const prefix = text.replace(/\/+$/, '');
  if (prefix === '' || /^(\/[\w.~-]+)+$/.test(prefix)) return prefix;
  throw new EverflameError('invalid', `--path-prefix ${text}: is not of the form /path`);
}

function checkDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new EverflameError('forbidden', `--data-dir ${dataDir}: cannot be written: ${message}`, {
      cause,
    });
  }
}

async function closeServer(
  listener: Listener,
  closers: readonly (() => Promise<void>)[],
  graceMs: number,
): Promise<void> {
  await listener.close(graceMs);
  await closeAll(closers);
}

/** The last opened first. One that fails does not keep the others open. */
async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'the server did not close cleanly');
}
