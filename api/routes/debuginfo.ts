/** Debug information comes in: what the server wants of what a sender has, uploads in parts. */
import { z } from 'zod';
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_BUILD_ID_LENGTH,
  MAX_DEBUGINFO_BYTES,
  MAX_WANTED_PER_REQUEST,
} from '../../profile/limits.ts';
import type { BuildId } from '../../profile/units.ts';
import type { Symbolizer, WantedQuestion } from '../../symbolizer/symbolizer.ts';
import type { UploadJson, WantedJson } from '../../wire/http.ts';
import type { BodyBudget } from '../body.ts';
import { streamBody } from '../body.ts';
import type { Metrics } from '../metrics.ts';
import { readParameters, readUrlParameters } from '../parameters.ts';
import { sendJson } from './answer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import { bodySource } from './endpoint.ts';
import { readJson, searchOf } from './read.ts';
import { uploadJson, wantedJson } from './schemas.ts';

export interface DebuginfoUploadServices {
  symbolizer: Symbolizer;
  bodies: BodyBudget;
  metrics: Metrics;
}

const MAX_FILE_NAME_LENGTH = 255;
const MAX_LEASE_LENGTH = 128;
const MAX_AGENT_ID_LENGTH = 256;

/** A build id as a part of a path or a field of a body. */
export const buildId = z
  .string()
  .max(MAX_BUILD_ID_LENGTH)
  .regex(/^[\w:/-]{8,}$/, 'a build id is lower-case hexadecimal, or begins with go: or htl:');
const kind = z.enum(['executable', 'debuginfo', 'split']);
const file = z.string().max(MAX_FILE_NAME_LENGTH).describe('Its basename, for people.');

const wantedQuestion = z.strictObject({
  build_id: buildId,
  kind,
  file,
  size: z.int().min(0).max(MAX_DEBUGINFO_BYTES),
  quality: z
    .enum(['lines', 'symbols', 'exported', 'none'])
    .exactOptional()
    .describe('The most that the file can say; by its kind if absent.'),
});
const wantedBody = z.array(wantedQuestion).max(MAX_WANTED_PER_REQUEST);

const uploadParameters = z.strictObject({
  kind,
  file: file.default(''),
  lease: z.string().max(MAX_LEASE_LENGTH).default('').describe('From the answer to `wanted`.'),
});

export function debuginfoUploadEndpoints(services: DebuginfoUploadServices): Endpoint[] {
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
  ];
}

async function answerWanted(
  context: AppContext,
  services: DebuginfoUploadServices,
): Promise<Response> {
  const { questions } = readParameters(z.strictObject({ questions: wantedBody }), {
    questions: await readJson(context, services.bodies),
  });
  const agent = senderOf(context);
  const asked = questions.map(
    (row): WantedQuestion => ({
      buildId: row.build_id as BuildId,
      kind: row.kind,
      file: row.file,
      sizeBytes: row.size,
      ...(row.quality === undefined ? {} : { quality: row.quality }),
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
  { symbolizer, metrics }: DebuginfoUploadServices,
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
  const outcome = await symbolizer.upload({
    buildId: id as BuildId,
    ...parameters,
    from: senderName(context),
    offset: part.offset,
    totalBytes: part.totalBytes,
    body: counted(),
  });
  if (outcome.complete) metrics.debuginfoFiles.add(1);
  const { receivedBytes, complete, state, quality } = outcome;
  const answer: UploadJson = { received_bytes: receivedBytes, complete, state, quality };
  return sendJson(context, answer);
}

function senderOf(context: AppContext): string {
  return (context.req.header('x-everflame-agent') ?? '').slice(0, MAX_AGENT_ID_LENGTH);
}

/** For people: a host, else whatever the sender says of itself. */
function senderName(context: AppContext): string {
  const names = ['x-everflame-host', 'x-everflame-agent', 'user-agent'];
  const given = names.map((name) => context.req.header(name)?.trim() ?? '');
  return (given.find((name) => name !== '') ?? 'unknown sender').slice(0, MAX_AGENT_ID_LENGTH);
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
