/** Debug information: what the server wants, its upload in parts, and what became of it. */
import { z } from 'zod';
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_BUILD_ID_LENGTH,
  MAX_DEBUGINFO_BYTES,
  MAX_PARAMETER_BYTES,
  MAX_WANTED_PER_REQUEST,
} from '../../profile/limits.ts';
import type { BuildId } from '../../profile/units.ts';
import type { Symbolizer, WantedQuestion } from '../../symbolizer/symbolizer.ts';
import type { DebuginfoJson, UploadJson, WantedJson } from '../../wire/http.ts';
import type { BodyBudget } from '../body.ts';
import { streamBody, withBody } from '../body.ts';
import type { Metrics } from '../metrics.ts';
import { readParameters, readUrlParameters } from '../parameters.ts';
import { sendJson } from './answer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import { bodySource } from './endpoint.ts';
import { parseJson, readEndpoints, searchOf } from './read.ts';
import { debuginfoJson, uploadJson, wantedJson } from './schemas.ts';

export interface DebuginfoServices {
  symbolizer: Pick<Symbolizer, 'wanted' | 'upload' | 'status'>;
  bodies: BodyBudget;
  metrics: Metrics;
}

const MAX_FILE_NAME_LENGTH = 255;
const MAX_LEASE_LENGTH = 128;
const MAX_AGENT_ID_LENGTH = 256;

const buildId = z
  .string()
  .max(MAX_BUILD_ID_LENGTH)
  .regex(/^[\w:/-]{8,}$/, 'a build id is lower-case hexadecimal, or begins with go: or htl:');
const kind = z.enum(['executable', 'debuginfo']);
const file = z.string().max(MAX_FILE_NAME_LENGTH).describe('Its basename, for people.');

const wantedQuestion = z.strictObject({
  build_id: buildId,
  kind,
  file,
  size: z.int().min(0).max(MAX_DEBUGINFO_BYTES),
});
const wantedBody = z.array(wantedQuestion).max(MAX_WANTED_PER_REQUEST);

const uploadParameters = z.strictObject({
  kind,
  file: file.default(''),
  lease: z.string().max(MAX_LEASE_LENGTH).default('').describe('From the answer to `wanted`.'),
});

export function debuginfoEndpoints(services: DebuginfoServices): Endpoint[] {
  const status = readEndpoints(
    {
      path: '/api/v1/debuginfo',
      summary: 'Symbol files by build id, and what went wrong with them.',
      parameters: z.strictObject({}),
      answers: { 'application/json': debuginfoJson },
      read: async () => ({
        contentType: 'application/json',
        body: JSON.stringify(await listStatus(services)),
      }),
    },
    services.bodies,
  );
  return [
    {
      method: 'POST',
      path: '/api/v1/debuginfo/wanted',
      summary: 'Which of these binaries the server wants, and from where on.',
      body: { 'application/json': wantedBody },
      answers: { 'application/json': wantedJson },
      handle: (context) => answerWanted(context, services),
    },
    {
      method: 'PUT',
      path: '/api/v1/debuginfo/{build_id}',
      summary: 'A binary or a part of one (Content-Range); its build id must be the one named.',
      parameters: uploadParameters,
      body: { 'application/octet-stream': null },
      answers: { 'application/json': uploadJson },
      handle: (context) => takeUpload(context, services),
    },
    ...status,
  ];
}

async function listStatus({ symbolizer }: DebuginfoServices): Promise<DebuginfoJson> {
  const rows = await symbolizer.status();
  return {
    debuginfo: rows.map((row) => ({
      build_id: row.buildId,
      file: row.file,
      source: row.source,
      quality: row.quality,
      size_bytes: row.sizeBytes,
      functions: row.functions,
      uploaded_ms: row.uploadedMs,
      problem: row.problem,
    })),
  };
}

async function answerWanted(context: AppContext, services: DebuginfoServices): Promise<Response> {
  const limit = { name: 'MAX_PARAMETER_BYTES', bytes: MAX_PARAMETER_BYTES };
  const input = await withBody(bodySource(context), limit, services.bodies, async (body) =>
    parseJson(body),
  );
  const { questions } = readParameters(z.strictObject({ questions: wantedBody }), {
    questions: input,
  });
  const agent = (context.req.header('x-everflame-agent') ?? '').slice(0, MAX_AGENT_ID_LENGTH);
  const asked = questions.map(
    (row): WantedQuestion => ({
      buildId: row.build_id as BuildId,
      kind: row.kind,
      file: row.file,
      sizeBytes: row.size,
    }),
  );
  const answers = await services.symbolizer.wanted(asked, agent);
  const answer: WantedJson = {
    wanted: answers.map(({ buildId: id, wanted, why, lease, offset }) => ({
      build_id: id,
      wanted,
      why,
      lease,
      offset,
    })),
  };
  return sendJson(context, answer);
}

async function takeUpload(
  context: AppContext,
  { symbolizer, metrics }: DebuginfoServices,
): Promise<Response> {
  const parameters = readUrlParameters(uploadParameters, searchOf(context));
  const { build_id: id } = readParameters(z.object({ build_id: buildId }), {
    build_id: context.req.param('build_id'),
  });
  const part = readContentRange(context);
  const limit = { name: 'Content-Range', bytes: part.lengthBytes };
  const body = streamBody(bodySource(context), limit);
  async function* counted() {
    for await (const chunk of body) {
      metrics.debuginfoBytes.add(chunk.byteLength);
      yield chunk;
    }
  }
  const { receivedBytes, complete } = await symbolizer.upload({
    buildId: id as BuildId,
    ...parameters,
    offset: part.offset,
    totalBytes: part.totalBytes,
    body: counted(),
  });
  if (complete) metrics.debuginfoFiles.add(1);
  const answer: UploadJson = { received_bytes: receivedBytes, complete };
  return sendJson(context, answer);
}

/** The part of the file that the body is (RFC 9110 14.4); without the header, all of it. */
function readContentRange(context: AppContext) {
  const header = context.req.header('content-range');
  const length = Number(context.req.header('content-length'));
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(
    header ?? `bytes 0-${length - 1}/${length}`,
  );
  const [offset = 0, last = -1, totalBytes = 0] = (match ?? []).slice(1).map(Number);
  if (match === null || last < offset || last >= totalBytes) {
    throw new EverflameError('invalid', 'which bytes of the file the body holds is not said', {
      field: 'Content-Range',
      remedy: 'Send Content-Range: bytes FIRST-LAST/TOTAL, or Content-Length for the whole file.',
    });
  }
  if (totalBytes > MAX_DEBUGINFO_BYTES) {
    throw new EverflameError('too-large', `the file has ${totalBytes} bytes`, {
      field: 'Content-Range',
      limit: `MAX_DEBUGINFO_BYTES = ${MAX_DEBUGINFO_BYTES}`,
    });
  }
  return { offset, totalBytes, lengthBytes: last - offset + 1 };
}
