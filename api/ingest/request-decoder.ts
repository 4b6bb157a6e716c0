/**
 * One request's body -> one WriteBatch. Runs on a decode worker; holds the tables that are reused
 * from request to request, so one thread has one decoder.
 */
import { randomUUID } from 'node:crypto';
import { EverflameError } from '../../profile/errors.ts';
import type { SharedHashTable } from '../../profile/hash-table.ts';
import { MAX_REPORT_TEXT_LENGTH } from '../../profile/limits.ts';
import { PprofColumns } from '../../profile/pprof/columns.ts';
import { PprofDecoder } from '../../profile/pprof/decode.ts';
import { canonicalLabels, type Labels } from '../../profile/select/labels.ts';
import { nameProfileTypes, type SampleTypeConfig } from '../../profile/select/profile-name.ts';
import type { IdKey } from '../../profile/siphash.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { WriteBatch } from '../../store/store.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { IdentifiedProfile } from './dictionary-rows.ts';
import { readEncodedBody } from './encoded-body.ts';
import { ByteBudget, gunzip, isGzip } from './gunzip.ts';
import type { IngestRequest, PyroscopePush, WriteRawPush } from './ingest-request.ts';
import type { PprofKernel } from './kernel/pprof-kernel.ts';
import { LocationSites, settleLocations } from './location-sites.ts';
import {
  checkNotFuture,
  readPeriod,
  readPeriodType,
  readProfileTime,
  readSampleTypes,
  typeText,
} from './profile-header.ts';
import { ProfileIds } from './profile-ids.ts';
import { parsePushName } from './push-name.ts';
import { readPyroscopeBody } from './pyroscope-body.ts';
import { storedColumns } from './row-types.ts';
import { readAgent, readLabels, readWindows, readWriteRawBody } from './write-raw-body.ts';

/** Tables beyond this are given back after the request that needed them. */
const MAX_RETAINED_BYTES = 32 * 2 ** 20;

export interface DecodedRequest {
  batch: WriteBatch;
  samplesWithoutLabels: number;
  decompressedBytes: number;
}

/** What is known of a profile besides its bytes. */
interface ProfileContext {
  /** As sent; `__name__` names the types. */
  labels: Labels;
  configs: ReadonlyMap<string, SampleTypeConfig>;
  normalized: boolean;
  /** Where the profile does not say. */
  fallbackTimeMs: EpochMs;
  fallbackDurationMs: number;
  nowMs: EpochMs;
  seq: number | null;
}

export class RequestDecoder {
  readonly #builder: BatchBuilder;
  readonly #ids: ProfileIds;
  readonly #kernel: PprofKernel | null;
  #columns = new PprofColumns();
  #decoder = new PprofDecoder(this.#columns);
  #sites = new LocationSites();

  /** Without a kernel TypeScript does all, with the same outcome. */
  constructor(key: IdKey, kernel: PprofKernel | null) {
    this.#builder = new BatchBuilder(key);
    this.#ids = new ProfileIds(key);
    this.#kernel = kernel;
  }

  /** Throws an EverflameError; nothing of the request is kept then. */
  decode(request: IngestRequest, known: SharedHashTable | null, nowMs: EpochMs): DecodedRequest {
    const budget = new ByteBudget();
    checkBatchId(request.idempotencyKey, 'Idempotency-Key');
    this.#builder.begin(known);
    try {
      const batch =
        request.kind === 'writeraw'
          ? this.#writeRaw(request, budget, nowMs)
          : this.#pyroscope(request, budget, nowMs);
      const { samplesWithoutLabels } = this.#builder;
      return { batch, samplesWithoutLabels, decompressedBytes: budget.used };
    } finally {
      this.#releaseMemory();
    }
  }

  #writeRaw(push: WriteRawPush, budget: ByteBudget, nowMs: EpochMs): WriteBatch {
    const request = readWriteRawBody(readEncodedBody(push, budget), push.contentType);
    const report = request.report;
    const windows = report === null ? [] : readWindows(report, nowMs);
    const seq = windows.at(-1)?.seq ?? null;
    for (const [i, series] of request.series.entries()) {
      const labels = readLabels(series.labels, `series[${i}].labels`);
      for (const [j, bytes] of series.profiles.entries()) {
        const field = `series[${i}].samples[${j}].raw_profile`;
        within(field, () =>
          this.#addProfile(isGzip(bytes) ? gunzip(bytes, budget, 'body') : bytes, {
            labels,
            configs: new Map(),
            normalized: request.normalized,
            fallbackTimeMs: nowMs,
            fallbackDurationMs: 0,
            nowMs,
            seq,
          }),
        );
      }
    }
    const batchId = report?.batchId || push.idempotencyKey || randomUUID();
    return this.#builder.finish(batchId, report === null ? null : readAgent(report), windows);
  }

  #pyroscope(push: PyroscopePush, budget: ByteBudget, nowMs: EpochMs): WriteBatch {
    const labels = parsePushName(push.name);
    const { profile, configs } = readPyroscopeBody(push, readEncodedBody(push, budget));
    const { fromMs, untilMs } = push;
    checkNotFuture(fromMs ?? 0, nowMs, 'from');
    this.#addProfile(isGzip(profile) ? gunzip(profile, budget, 'body') : profile, {
      labels,
      configs,
      normalized: false,
      fallbackTimeMs: fromMs ?? nowMs,
      fallbackDurationMs: fromMs === null || untilMs === null ? 0 : Math.max(0, untilMs - fromMs),
      nowMs,
      seq: null,
    });
    return this.#builder.finish(push.idempotencyKey || randomUUID(), null, []);
  }

  #addProfile(bytes: Uint8Array, context: ProfileContext): void {
    const kernel = this.#kernel?.decode(bytes) ? this.#kernel : null;
    if (kernel === null) this.#decoder.decode(bytes);
    const columns = kernel?.columns ?? this.#columns;
    const tsMs = readProfileTime(columns, context.fallbackTimeMs, context.nowMs);
    const durationMs = Number(columns.durationNanos) / 1e6 || context.fallbackDurationMs;
    const period = readPeriod(columns);
    const types = nameProfileTypes({
      sampleTypes: readSampleTypes(columns),
      periodType: readPeriodType(columns),
      name: typeText(context.labels.__name__ ?? '', 'labels.__name__'),
      configs: context.configs,
    });
    const { normalized } = context;
    const isIdentified = kernel?.identify(normalized) === true;
    const { sites, ids } = isIdentified ? kernel : this.#identify(columns, normalized);
    this.#builder.add({
      columns,
      sites,
      ids,
      labels: canonicalLabels(context.labels),
      period,
      stored: storedColumns(columns, types, period),
      tsMs,
      durationMs: Math.max(0, durationMs),
      comments: columns.comments.map((row) => columns.textAt(row)),
      seq: context.seq,
    });
  }

  #identify(columns: PprofColumns, normalized: boolean): Omit<IdentifiedProfile, 'columns'> {
    settleLocations(columns, normalized, this.#sites);
    this.#ids.identify(columns, this.#sites);
    return { sites: this.#sites, ids: this.#ids };
  }

  #releaseMemory(): void {
    this.#kernel?.release();
    if (this.#columns.retainedBytes() <= MAX_RETAINED_BYTES) {
      this.#columns.reset(new Uint8Array(0));
      return;
    }
    this.#columns = new PprofColumns();
    this.#decoder = new PprofDecoder(this.#columns);
    this.#sites = new LocationSites();
    this.#ids.release();
  }
}

function checkBatchId(id: string, field: string): void {
  if (id.length <= MAX_REPORT_TEXT_LENGTH) return;
  throw new EverflameError('invalid', `${field} is too long`, {
    field,
    limit: `MAX_REPORT_TEXT_LENGTH = ${MAX_REPORT_TEXT_LENGTH}`,
  });
}

/** Runs `add`; a field that its error names is one of the message `outer`. */
function within(outer: string, add: () => void): void {
  try {
    add();
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    const { kind, message, position, limit, remedy, field } = error;
    throw new EverflameError(kind, `${outer}: ${message}`, {
      field: field === undefined ? outer : `${outer}.${field}`,
      ...(position === undefined ? {} : { position }),
      ...(limit === undefined ? {} : { limit }),
      ...(remedy === undefined ? {} : { remedy }),
      cause: error,
    });
  }
}
