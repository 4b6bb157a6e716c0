/** `everflame debuginfo upload`: the symbols of binaries into a server, e.g. from a build. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import type { StripPlan } from '../symbolizer/elf/strip.ts';
import { planStrip } from '../symbolizer/elf/strip.ts';
import type { UploadJson, WantedJson } from '../wire/http.ts';
import { SERVER_FLAG, send } from './client.ts';
import type { Command, Output } from './command.ts';
import { parseFlags } from './flags.ts';

const FLAGS = { server: SERVER_FLAG };

/** A part of a file is held in memory, so that it can be sent again. */
const PART_BYTES = 16 * 2 ** 20;

export const debuginfoUploadCommand: Command = {
  name: 'debuginfo upload',
  operands: 'FILE...',
  summary: 'send the symbols of ELF files, so that their addresses get names',
  flags: FLAGS,
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    if (operands.length === 0) {
      throw new EverflameError('invalid', 'debuginfo upload needs an ELF file');
    }
    for (const path of operands) await uploadFile(path, values.server, output);
    return 0;
  },
};

async function uploadFile(path: string, server: string, output: Output): Promise<void> {
  const plan = planOf(path);
  const wanted = await askWanted(path, plan, server);
  const tell = (text: string) => output.out(`${path}: ${plan.buildId}: ${text}\n`);
  if (wanted.wanted === 'no') return tell(`not wanted: ${wanted.why}`);
  const file = await open(path);
  try {
    const read = async (offset: number, length: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    let sent = wanted.offset;
    while (sent < plan.sizeBytes) {
      const part = await takePart(plan.chunks(read, sent), PART_BYTES);
      const answer = await sendPart(path, plan, wanted, sent, part, server);
      sent = answer.received_bytes;
    }
    tell(`${plan.sizeBytes} bytes of symbols are there`);
  } finally {
    await file.close();
  }
}

function planOf(path: string): StripPlan {
  const source = openByteSource(path);
  try {
    const plan = planStrip(source);
    if (plan === null) throw new EverflameError('unprocessable', `${path} has no symbols`);
    return plan;
  } finally {
    source.close();
  }
}

type Wanted = WantedJson['wanted'][number];

async function askWanted(path: string, plan: StripPlan, server: string): Promise<Wanted> {
  const { buildId, kind, sizeBytes } = plan;
  const response = await send(server, {
    method: 'POST',
    path: '/api/v1/debuginfo/wanted',
    headers: { 'Content-Type': 'application/json', 'X-Everflame-Agent': `cli-${process.pid}` },
    body: JSON.stringify([{ build_id: buildId, kind, file: basename(path), size: sizeBytes }]),
  });
  const { wanted } = (await response.json()) as WantedJson;
  const [answer] = wanted;
  if (answer === undefined) throw new EverflameError('unavailable', 'the server did not answer');
  return answer;
}

/** Up to `limitBytes` of the chunks, all of them if they are fewer. */
async function takePart(chunks: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer> {
  const taken: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    // A chunk may lie in a buffer that is filled anew for the next one.
    taken.push(Uint8Array.from(chunk.subarray(0, limitBytes - bytes)));
    bytes += chunk.length;
    if (bytes >= limitBytes) break;
  }
  return Buffer.concat(taken);
}

async function sendPart(
  path: string,
  plan: StripPlan,
  wanted: Wanted,
  offset: number,
  part: Buffer,
  server: string,
): Promise<UploadJson> {
  const last = offset + part.length - 1;
  const response = await send(server, {
    method: 'PUT',
    path: `/api/v1/debuginfo/${encodeURIComponent(plan.buildId)}`,
    parameters: { kind: plan.kind, file: basename(path), lease: wanted.lease },
    headers: { 'Content-Range': `bytes ${offset}-${last}/${plan.sizeBytes}` },
    body: part,
  });
  return (await response.json()) as UploadJson;
}
