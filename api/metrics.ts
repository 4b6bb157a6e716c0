/**
 * The server's own figures as named instruments. Names follow Prometheus: base units, and counters
 * get `_total` from the exporter. Whoever composes the program passes the meter.
 */
import { readdirSync } from 'node:fs';
import type { Attributes, Counter, Histogram, Meter, UpDownCounter } from '@opentelemetry/api';
import type { StoreStats } from '../store/store.ts';
import type { AgentSampleMetrics } from './telemetry/agent-samples.ts';

/** Upper bounds in seconds; the acknowledgement target is 30 ms, a whole-day merge 900 ms. */
const DURATION_BOUNDARIES_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export interface Metrics extends AgentSampleMetrics {
  /** By `route`, `method` and `status`. */
  requests: Counter;
  /** Seconds from the first byte of the request to the answer's head, by `route`. */
  requestSeconds: Histogram;
  requestsInFlight: UpDownCounter;
  /** Seconds of a call of the store, waiting included, by `operation`. */
  storeSeconds: Histogram;
  /** Seconds that work waited for memory, of what had to, by `work`. */
  memoryWaitSeconds: Histogram;
  /** By `route` and `reason`: an ErrorKind, or `internal`. */
  refused: Counter;
  /** Bytes of request bodies as they arrived, by `route`. */
  receivedBytes: Counter;
  ingestedProfiles: Counter;
  ingestedSamples: Counter;
  /** Of these, rows that lost labels of their own to a limit. */
  samplesWithoutLabels: Counter;
  /** Bytes of debug information received. */
  debuginfoBytes: Counter;
  /** Files complete and converted. */
  debuginfoFiles: Counter;
}

/** Makes the instruments that requests count on. */
export function createMetrics(meter: Meter): Metrics {
  const counter = (name: string, description: string) => meter.createCounter(name, { description });
  const seconds = (name: string, description: string) =>
    meter.createHistogram(name, {
      description,
      advice: { explicitBucketBoundaries: DURATION_BOUNDARIES_S },
    });
  return {
    requests: counter('everflame_http_requests', 'HTTP requests answered.'),
    requestSeconds: seconds(
      'everflame_http_request_duration_seconds',
      'Time to answer an HTTP request.',
    ),
    requestsInFlight: meter.createUpDownCounter('everflame_http_requests_in_flight', {
      description: 'HTTP requests that are not answered yet.',
    }),
    storeSeconds: seconds(
      'everflame_store_operation_duration_seconds',
      'Time that the store took, waiting for a commit or a reader included.',
    ),
    memoryWaitSeconds: seconds(
      'everflame_memory_wait_duration_seconds',
      'Time that requests waited for memory, of those that had to.',
    ),
    refused: counter('everflame_http_refused', 'HTTP requests refused, by reason.'),
    receivedBytes: counter('everflame_received_bytes', 'Bytes of request bodies as sent.'),
    ingestedProfiles: counter('everflame_ingested_profiles', 'Profiles stored.'),
    ingestedSamples: counter('everflame_ingested_samples', 'Rows of samples stored.'),
    samplesWithoutLabels: counter(
      'everflame_ingested_samples_without_labels',
      'Rows of samples whose own labels were over a limit and left out.',
    ),
    agentSamples: counter(
      'everflame_agent_samples',
      'Samples that agents took, in windows they have reported; sent again, they count again.',
    ),
    agentSamplesLost: counter(
      'everflame_agent_samples_lost',
      'Of these, samples that are not stored, by reason.',
    ),
    agentSamplesIncomplete: counter(
      'everflame_agent_samples_incomplete',
      'Of these, samples stored with a part of their stack missing, by reason.',
    ),
    debuginfoBytes: counter('everflame_debuginfo_bytes', 'Bytes of symbol files received.'),
    debuginfoFiles: counter('everflame_debuginfo_files', 'Symbol files taken whole.'),
  };
}

/** Reads a figure at the moment of a scrape. */
export interface Gauge {
  name: string;
  description: string;
  /** A total that only grows, rather than a level. */
  monotonic?: boolean;
  read(): number | [value: number, attributes: Attributes][];
}

/** Registers figures that are read at each scrape. */
export function observeGauges(meter: Meter, gauges: readonly Gauge[]): void {
  for (const gauge of gauges) {
    const options = { description: gauge.description };
    const instrument = gauge.monotonic
      ? meter.createObservableCounter(gauge.name, options)
      : meter.createObservableGauge(gauge.name, options);
    instrument.addCallback((result) => {
      const figure = gauge.read();
      const rows: [number, Attributes][] = typeof figure === 'number' ? [[figure, {}]] : figure;
      for (const [value, attributes] of rows) result.observe(value, attributes);
    });
  }
}

/** What each figure of the store is called, what it is, and whether it is a total. */
const STORE_GAUGES: Record<
  keyof StoreStats,
  [name: string, description: string, isTotal: boolean]
> = {
  samples: ['everflame_store_samples', 'Rows of samples in the store.', false],
  hotSamples: ['everflame_store_hot_samples', 'Rows of samples not in a block yet.', false],
  blocks: ['everflame_store_blocks', 'Blocks of sealed rows and dictionaries.', false],
  damagedBlocks: [
    'everflame_store_damaged_blocks',
    'Blocks set aside because a file of theirs is damaged or missing.',
    false,
  ],
  seals: ['everflame_store_seals', 'Times that rows were sealed into blocks.', true],
  failedSeals: ['everflame_store_failed_seals', 'Times that sealing failed.', true],
  blockMerges: ['everflame_store_block_merges', 'Blocks made of several.', true],
  failedUpkeeps: [
    'everflame_store_failed_upkeeps',
    'Times that merging or retention failed and was tried again.',
    true,
  ],
  expiredSamples: ['everflame_store_expired_samples', 'Samples removed by retention.', true],
  deletedSamples: ['everflame_store_deleted_samples', 'Samples deleted by operators.', true],
  dictionaryRowsRemoved: [
    'everflame_store_dictionary_rows_removed',
    'Strings, functions, locations and stacks removed because nothing used them.',
    true,
  ],
  sealSeconds: ['everflame_store_seal_seconds', 'Time that sealing took.', true],
  orphansRemoved: [
    'everflame_store_orphans_removed',
    'Files that the start removed because no block named them.',
    true,
  ],
  profiles: ['everflame_store_profiles', 'Profiles in the store.', false],
  series: ['everflame_store_series', 'Series in the store.', false],
  stacks: ['everflame_store_stacks', 'Distinct stacks in the store.', false],
  locations: ['everflame_store_locations', 'Distinct locations in the store.', false],
  functions: ['everflame_store_functions', 'Distinct functions in the store.', false],
  strings: ['everflame_store_strings', 'Distinct texts in the store.', false],
  bytesOnDisk: ['everflame_store_disk_bytes', 'Bytes of the store on disk.', false],
  bytesOfMemory: ['everflame_store_memory_bytes', 'Bytes of memory the store holds.', false],
  pendingBatches: ['everflame_store_pending_batches', 'Batches waiting for a commit.', false],
  duplicateBatches: [
    'everflame_duplicate_batches',
    'Batches that were stored before: a sender tried again.',
    true,
  ],
  commits: ['everflame_store_commits', 'Commits since the start.', true],
  samplesWithoutLabels: [
    'everflame_store_samples_without_labels',
    'Samples stored without labels of their own, because there was no room for another set.',
    true,
  ],
};

/** The store's figures. */
export function storeGauges(read: () => StoreStats): Gauge[] {
  return Object.entries(STORE_GAUGES).map(([key, [name, description, monotonic]]) => ({
    name,
    description,
    monotonic,
    read: () => read()[key as keyof StoreStats],
  }));
}

/** CPU and memory of this process, all of its threads counted. */
export function processGauges(): Gauge[] {
  return [
    {
      name: 'process_cpu_seconds',
      description: 'CPU time of the process, user and system.',
      monotonic: true,
      read: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    },
    {
      name: 'process_open_fds',
      description: 'Open files and connections of the process.',
      read: () => readdirSync('/proc/self/fd').length,
    },
    {
      name: 'nodejs_heap_size_used_bytes',
      description: 'JavaScript objects of the main thread, garbage not collected yet included.',
      read: () => process.memoryUsage().heapUsed,
    },
    {
      name: 'nodejs_external_memory_bytes',
      description: 'Memory of buffers that the main thread holds.',
      read: () => process.memoryUsage().external,
    },
    {
      name: 'process_resident_memory_bytes',
      description: 'Resident memory of the process.',
      read: () => process.memoryUsage.rss(),
    },
    {
      name: 'process_start_time_seconds',
      description: 'When the process started, in seconds since the epoch.',
      read: () => Date.now() / 1000 - process.uptime(),
    },
  ];
}
