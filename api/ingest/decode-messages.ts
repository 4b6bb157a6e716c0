/** What passes between the main thread and a decode worker. Plain data and typed arrays only. */
import type { ErrorRecord } from '../../profile/errors.ts';
import type { IdKey } from '../../profile/siphash.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { IngestRequest } from './ingest-request.ts';
import type { DecodedRequest } from './request-decoder.ts';

export interface DecodeJob {
  id: number;
  request: IngestRequest;
  /** The server's clock when the request arrived. */
  nowMs: EpochMs;
}

export type ToDecodeWorker =
  /** Sent once, first. */
  | { kind: 'start'; key: IdKey }
  /** The shared words of the table of stacks that the store has; sent when it has grown. */
  | { kind: 'known'; words: Int32Array }
  | { kind: 'decode'; jobs: DecodeJob[] };

export type DecodeResult =
  | { id: number; decoded: DecodedRequest }
  | { id: number; error: ErrorRecord };
