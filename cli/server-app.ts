/** Composes the server's parts, and closes them in the reverse order. */
import { availableParallelism, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApp } from '../api/app.ts';
import { BodyBudget } from '../api/body.ts';
import { debuginfoGauges } from '../api/debuginfo-gauges.ts';
import { startDebuginfoSurvey } from '../api/debuginfo-survey.ts';
import { measureEventLoopDelay } from '../api/event-loop-delay.ts';
import { createIngest } from '../api/ingest/ingest.ts';
import type { Ingest } from '../api/ingest/ingest-request.ts';
import { MemoryGovernor, queryBytes } from '../api/memory-governor.ts';
import type { Gauge } from '../api/metrics.ts';
import {
  createMetrics,
  type Metrics,
  observeGauges,
  processGauges,
  storeGauges,
} from '../api/metrics.ts';
import { createQueries } from '../api/query/queries.ts';
import { QueryLanes, seatsFor } from '../api/query/query-lanes.ts';
import { queryGauges } from '../api/query-gauges.ts';
import { readWebFiles } from '../api/routes/pages.ts';
import { createSelfProfiler } from '../api/self-profile/self-profile.ts';
import { sqlGauges } from '../api/sql/sql-gauges.ts';
import { createSqlRunner } from '../api/sql/sql-runner.ts';
import { watchStore } from '../api/telemetry/watched-store.ts';
import type { EverflameError } from '../profile/errors.ts';
import type { EpochMs } from '../profile/units.ts';
import type { EmbeddedStore } from '../store/duckdb/duck-store.ts';
import { openDuckStore } from '../store/duckdb/open-store.ts';
import type { SqlSource } from '../store/store.ts';
import { openSymbolizer } from '../symbolizer/debuginfo/debuginfo-store.ts';
import { collectGarbage } from './garbage.ts';
import { type MemoryShares, shareMemory } from './memory-limit.ts';
import { createSelfMetrics } from './self-metrics.ts';
import { createSqlProcesses } from './sql-process.ts';
import { startThread } from './thread.ts';
import { readVersion } from './version.ts';

/** An agent that was asked for a file has this long to begin with it. */
const LEASE_MS = 5 * 60_000;
/** Most conversions are over by then, and who sent the file is told what came of it. */
const UPLOAD_ANSWER_MS = 5_000;
const clock = () => Date.now() as EpochMs;
/** More threads than this do not decode faster: commits are the limit then. */
const MAX_WORKERS = 8;

export interface AppSettings {
  dataDir: string;
  debuginfoBytes: number;
  /** Where else debug information is looked for, in order: folders, then debuginfod servers. */
  debuginfoPaths?: readonly string[];
  debuginfodUrls?: readonly string[];
  /** Ceiling of the whole process' resident memory; the machine's own if not given. */
  memoryLimitBytes?: number;
  /** How long profiles are kept, and how many bytes; without limits if not given. */
  retentionAgeMs?: number;
  retentionBytes?: number;
  /** Empty, or `/path`. */
  pathPrefix: string;
  /** Allows addresses other than loopback, and every host name. */
  insecure: boolean;
  /** Whether spans are recorded; without, no call is wrapped for them. */
  isTraced?: boolean;
  /** How often the insides of this process were opened again. */
  readRestarts?: () => number;
  /** One line about a fault. */
  log(line: string): void;
}

export interface ServerApp {
  app: ReturnType<typeof createApp>;
  /** Resolves with the reason when the database has ended itself: then all is to be closed. */
  ended: Promise<EverflameError>;
  /** Finishes what was accepted, then closes everything. */
  close(): Promise<void>;
}

type Closer = () => Promise<void>;

/** Opens everything below HTTP. After an error, what was opened is closed again. */
export async function openServerApp(settings: AppSettings): Promise<ServerApp> {
  /** In the order in which they were opened. */
  const closers: Closer[] = [];
  try {
    return { ...(await openApp(settings, closers)), close: () => closeAll(closers) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function openApp(settings: AppSettings, closers: Closer[]) {
  const { memoryLimitBytes, pathPrefix } = settings;
  const version = readVersion();
  const selfMetrics = createSelfMetrics(version);
  closers.push(() => selfMetrics.close());
  const metrics = createMetrics(selfMetrics.meter);
  const shares = shareMemory(memoryLimitBytes ?? totalmem());
  // Soon after it is open, the store has work for all cores.
  const webFiles = await readWebFiles(findWebFolder());
  const opened = await openStore(settings, shares);
  const store = watchStore(opened, metrics.storeSeconds, settings.isTraced === true);
  closers.push(() => store.close());
  const symbolizer = openSymbols(settings);
  closers.push(() => symbolizer.close());
  const workers = Math.min(MAX_WORKERS, Math.max(1, availableParallelism() - 1));
  const memory = governMemory(shares, metrics, opened);
  const lanes = openLanes(memory, () => queries.metStacks());
  const queries = createQueries({
    store,
    symbolizer,
    createWorker: () => startThread('tree-worker', shares),
    // Heavy queries leave one to the light ones.
    workers: Math.max(workers, lanes.seats.heavy + 1),
    lanes,
  });
  closers.push(() => queries.close());
  const survey = startDebuginfoSurvey({ store, queries, symbolizer, clock, log: settings.log });
  closers.push(() => survey.close());
  const ingest = createIngest({
    store,
    createWorker: () => startThread('../api/ingest/decode-worker', shares),
    workers,
    clock,
  });
  closers.push(() => ingest.close());
  const sql = openSql(settings, shares, memory, opened);
  closers.push(() => sql.close());
  const eventLoop = measureEventLoopDelay();
  memory.start([queries, ingest, sql]);
  closers.push(async () => [eventLoop, memory].forEach((watch) => void watch.close()));
  const bodies = new BodyBudget(shares.bodyBytes);
  observeGauges(selfMetrics.meter, [
    ...storeGauges(() => store.stats()),
    restartGauge(settings),
    ...ingestGauges(ingest, bodies),
    ...debuginfoGauges(() => symbolizer.stats()),
    ...queryGauges(() => lanes.stats()),
    ...sqlGauges(() => sql.stats()),
    ...eventLoop.gauges,
    ...memory.gauges(),
    ...processGauges(),
  ]);
  const app = createApp({
    version,
    pathPrefix,
    webFiles,
    metrics,
    bodies,
    memory,
    exportBytes: shares.exportBytes,
    doors: { checkHost: !settings.insecure },
    log: settings.log,
    renderMetrics: () => selfMetrics.render(),
    clock,
    store,
    symbolizer,
    ingest,
    queries,
    sql,
    upkeep: opened,
    debuginfoDir: debuginfoDirOf(settings),
    selfProfiler: createSelfProfiler({ ingest, host: hostname(), version, clock }),
  });
  return { app, ended: opened.ended };
}

function governMemory(
  { limitBytes }: MemoryShares,
  { memoryWaitSeconds }: Metrics,
  store: EmbeddedStore,
) {
  return new MemoryGovernor({
    limitBytes,
    readBytes: () => process.memoryUsage.rss(),
    collectGarbage,
    giveBackFreed: () => store.giveBackFreed(),
    waited: (work, seconds) => memoryWaitSeconds.record(seconds, { work }),
  });
}

/** `metStacks`: how many stacks the worker of the next query knows. */
function openLanes(memory: MemoryGovernor, metStacks: () => number | null): QueryLanes {
  return new QueryLanes(seatsFor(availableParallelism()), (cost, signal) =>
    memory.reserve(cost().lane, () => queryBytes(cost(), metStacks()), signal),
  );
}

function openSql(
  { dataDir, log }: AppSettings,
  { sqlBytes, sqlProcessBytes, sqlResidentBytes }: MemoryShares,
  memory: MemoryGovernor,
  source: SqlSource,
) {
  return createSqlRunner({
    source,
    startProcess: createSqlProcesses(dataDir, sqlProcessBytes, log),
    clock,
    databaseBytes: sqlBytes,
    reserve: (signal) => memory.reserve('sql', () => sqlResidentBytes, signal),
    hasRoom: (bytes) => memory.hasRoom(bytes),
  });
}

function openStore(settings: AppSettings, { databaseBytes }: MemoryShares) {
  const { dataDir, log } = settings;
  const memoryLimitBytes = databaseBytes;
  return openDuckStore({ dataDir, ...retentionOf(settings), memoryLimitBytes, log });
}

function retentionOf({ retentionAgeMs, retentionBytes }: AppSettings) {
  return {
    ...(retentionAgeMs === undefined ? {} : { retentionAgeMs }),
    ...(retentionBytes === undefined ? {} : { retentionBytes }),
  };
}

function debuginfoDirOf({ dataDir }: AppSettings): string {
  return join(dataDir, 'debuginfo');
}

function openSymbols(settings: AppSettings) {
  return openSymbolizer({
    dir: debuginfoDirOf(settings),
    maxBytes: settings.debuginfoBytes,
    leaseMs: LEASE_MS,
    answerMs: UPLOAD_ANSWER_MS,
    localPaths: settings.debuginfoPaths ?? [],
    debuginfodUrls: settings.debuginfodUrls ?? [],
    clock,
  });
}

/** dist/web lies beside dist/cli in a build, and below the checkout in development. */
function findWebFolder(): string {
  const path = import.meta.url.endsWith('.ts') ? '../dist/web' : '../web';
  return fileURLToPath(new URL(path, import.meta.url));
}

function restartGauge({ readRestarts = () => 0 }: AppSettings): Gauge {
  return {
    name: 'everflame_store_restarts',
    description: 'How often the store ended itself and was opened again in this process.',
    monotonic: true,
    read: readRestarts,
  };
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

/** The last opened first. One that fails does not keep the others open. */
async function closeAll(closers: readonly Closer[]): Promise<void> {
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
