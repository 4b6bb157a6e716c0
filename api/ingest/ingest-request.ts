/** What the ingest path takes and answers; its callers turn HTTP into this and back. */
import type { EpochMs } from '../../profile/units.ts';

interface Push {
  /**
   * The body as it arrived, in a buffer of its own: it moves to a decode worker and is empty
   * afterwards. A view into a larger buffer is copied.
   */
  body: Uint8Array;
  /** The headers' values; empty where there are none. */
  contentType: string;
  contentEncoding: string;
  /** Makes a retry the same write where the body has no batch id of its own; empty if none. */
  idempotencyKey: string;
}

/** Parca's WriteRaw, as protobuf or JSON, with or without an agent's report. */
export interface WriteRawPush extends Push {
  kind: 'writeraw';
}

/** Pyroscope's /ingest. */
export interface PyroscopePush extends Push {
  kind: 'ingest';
  /** The parameter as sent: `app{key=value,...}`, values quoted or not. */
  name: string;
  /** `from` and `until`; null where not given. */
  fromMs: EpochMs | null;
  untilMs: EpochMs | null;
  /** The parameter as sent, e.g. `pprof`; empty if absent. */
  format: string;
}

export type IngestRequest = WriteRawPush | PyroscopePush;

/** What has been stored, durably, when the answer is there. */
export interface IngestAnswer {
  batchId: string;
  profiles: number;
  /** Rows of samples. */
  samples: number;
  /** Samples whose labels were over a limit: kept with their value and without their labels. */
  samplesWithoutLabels: number;
  /** Figures of the windows that were reported, added up by name (profile/window-counters.ts). */
  counters: ReadonlyMap<string, number>;
  /** Bytes of all profiles after gunzip. */
  decompressedBytes: number;
}

export interface IngestStats {
  /** Requests waiting for a worker or being decoded, and the bytes of their bodies. */
  queuedRequests: number;
  queuedBytes: number;
  /** Decode workers that died and were replaced. */
  workerRestarts: number;
}

export interface Ingest {
  /** Resolves once the request's content is durable; throws an EverflameError, nothing stored. */
  accept(request: IngestRequest): Promise<IngestAnswer>;
  stats(): IngestStats;
  /** Gives back memory that is only kept to be faster. */
  trim(): void;
  /** Refuses new requests, finishes accepted ones, ends the workers. */
  close(): Promise<void>;
}
