/** Profiles come in: Parca's WriteRaw and Pyroscope's /ingest. */
import { z } from 'zod';
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_BODY_BYTES,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_SELECTOR_LENGTH,
} from '../../profile/limits.ts';
import { parseTime } from '../../profile/select/time-range.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { PushJson } from '../../wire/http.ts';
import type { BodyBudget } from '../body.ts';
import { withBody } from '../body.ts';
import type { Ingest, IngestRequest } from '../ingest/ingest-request.ts';
import { type MemoryDoor, pushBytes } from '../memory-governor.ts';
import type { Metrics } from '../metrics.ts';
import { readUrlParameters } from '../parameters.ts';
import { type CountAgentSamples, createAgentSampleCount } from '../telemetry/agent-samples.ts';
import { sendJson } from './answer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import { bodySource } from './endpoint.ts';
import { searchOf } from './read.ts';
import { pushJson } from './schemas.ts';

export interface PushServices {
  ingest: Pick<Ingest, 'accept'>;
  bodies: BodyBudget;
  memory: MemoryDoor;
  metrics: Metrics;
  clock(): number;
}

interface Pushing extends PushServices {
  countAgentSamples: CountAgentSamples;
}

/** Other parameters that Pyroscope's clients send say nothing that a pprof does not say itself. */
const ingestParameters = z.looseObject({
  name: z.string().max(MAX_SELECTOR_LENGTH).describe('app{key=value,...}'),
  from: z.string().max(100).optional().describe('Seconds since the epoch.'),
  until: z.string().max(100).optional().describe('Seconds since the epoch.'),
  format: z.string().max(100).default(''),
});

const writeRawParameters = z.strictObject({});

const BODY_LIMIT = { name: 'MAX_BODY_BYTES', bytes: MAX_BODY_BYTES };

export function pushEndpoints(services: PushServices): Endpoint[] {
  const countAgentSamples = createAgentSampleCount(services.metrics);
  const pushing: Pushing = { ...services, countAgentSamples };
  return [
    {
      method: 'POST',
      path: '/api/profiles/writeraw',
      summary: "Parca's WriteRaw, with our agent's report where it sends one.",
      parameters: writeRawParameters,
      body: { 'application/x-protobuf': null, 'application/json': null },
      answers: { 'application/json': pushJson },
      handle: (context) => {
        readUrlParameters(writeRawParameters, searchOf(context));
        return accept(context, pushing, '/api/profiles/writeraw', { kind: 'writeraw' });
      },
    },
    {
      method: 'POST',
      path: '/ingest',
      summary: "Pyroscope's push of one pprof, gzip or raw, also as a multipart form.",
      parameters: ingestParameters,
      body: { 'application/octet-stream': null, 'multipart/form-data': null },
      answers: { 'application/json': pushJson },
      handle: (context) => {
        const { name, from, until, format } = readUrlParameters(
          ingestParameters,
          searchOf(context),
        );
        const nowMs = services.clock();
        return accept(context, pushing, '/ingest', {
          kind: 'ingest',
          name,
          fromMs: from === undefined ? null : readPyroscopeTime(from, nowMs, 'from'),
          untilMs: until === undefined ? null : readPyroscopeTime(until, nowMs, 'until'),
          format,
        });
      },
    },
  ];
}

type PushParameters = IngestRequest extends infer R
  ? R extends IngestRequest
    ? Omit<R, 'body' | 'contentType' | 'contentEncoding' | 'idempotencyKey'>
    : never
  : never;

async function accept(
  context: AppContext,
  { ingest, bodies, memory, metrics, countAgentSamples }: Pushing,
  route: string,
  parameters: PushParameters,
): Promise<Response> {
  const headers = {
    contentType: context.req.header('content-type') ?? '',
    contentEncoding: context.req.header('content-encoding') ?? '',
    idempotencyKey: readIdempotencyKey(context),
  };
  // Asked before, so that no body comes in vain; held from when it is whole: it may come slowly.
  memory.checkPush();
  return withBody(bodySource(context), BODY_LIMIT, bodies, async (body) => {
    const { signal } = context.req.raw;
    const release = await memory.reserve('push', () => pushBytes(body.byteLength), signal);
    try {
      return sendJson(context, await store(body));
    } finally {
      release();
    }
  });

  async function store(body: Uint8Array<ArrayBuffer>): Promise<PushJson> {
    metrics.receivedBytes.add(body.byteLength, { route });
    const stored = await ingest.accept({ ...parameters, ...headers, body });
    metrics.ingestedProfiles.add(stored.profiles);
    metrics.ingestedSamples.add(stored.samples);
    metrics.samplesWithoutLabels.add(stored.samplesWithoutLabels);
    countAgentSamples(stored.counters);
    return {
      batch_id: stored.batchId,
      profiles: stored.profiles,
      samples: stored.samples,
      samples_without_labels: stored.samplesWithoutLabels,
    };
  }
}

function readIdempotencyKey(context: AppContext): string {
  const key = context.req.header('idempotency-key') ?? '';
  if (key.length > MAX_IDEMPOTENCY_KEY_LENGTH) {
    throw new EverflameError('invalid', `the Idempotency-Key has ${key.length} characters`, {
      field: 'Idempotency-Key',
      limit: `MAX_IDEMPOTENCY_KEY_LENGTH = ${MAX_IDEMPOTENCY_KEY_LENGTH}`,
    });
  }
  return key;
}

/**
 * Pyroscope's times are seconds since the epoch; its clients in other languages also send ms, us
 * or ns, which are told apart by their size: seconds reach 10^11 in the year 5138.
 */
function readPyroscopeTime(text: string, nowMs: number, field: string): EpochMs {
  if (!/^\d{1,19}(\.\d+)?$/.test(text)) return parseTime(text, nowMs, field);
  let seconds = Number(text);
  while (seconds >= 1e11) seconds /= 1000;
  return Math.round(seconds * 1000) as EpochMs;
}
