/** `everflame debuginfo upload`: the symbols of binaries into a server, e.g. from a build. */
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EverflameError } from '../profile/errors.ts';
import type { QualityName } from '../symbolizer/symbolizer.ts';
import type { DebuginfoStateJson, UploadJson, WantedJson } from '../wire/http.ts';
import { readAnswer, SERVER_FLAG, send } from './client.ts';
import type { Command, Output } from './command.ts';
import { planUpload, RANKS, type UploadItem } from './debuginfo-items.ts';
import { namingFile } from './file-errors.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  server: SERVER_FLAG,
  wait: flag.duration(300_000, 'for the server to convert each file'),
};

/** A part of a file is held in memory, so that it can be sent again. */
const PART_BYTES = 16 * 2 ** 20;
const FIRST_POLL_MS = 100;
const MAX_POLL_MS = 2_000;
const EXIT_LESS = 1;
const EXIT_FAILURE = 2;

export const debuginfoUploadCommand: Command = {
  name: 'debuginfo upload',
  operands: 'FILE...',
  summary: 'send the symbols of ELF files, so that their addresses get names',
  flags: FLAGS,
  notes:
    'Takes along what lies beside a file or under /usr/lib/debug: separate debug information, the\n' +
    'file that dwz moved parts of it to, FILE.dwp or the .dwo files. Ends with 1 where the server\n' +
    'has less than the files could say, with 2 where one could not be sent.',
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    if (operands.length === 0) {
      throw new EverflameError('invalid', 'debuginfo upload needs an ELF file');
    }
    let code = 0;
    for (const path of operands) {
      try {
        const isComplete = await namingFile(path, () =>
          uploadFile(path, values.server, values.wait, output),
        );
        if (!isComplete) code = Math.max(code, EXIT_LESS);
      } catch (error) {
        // One file that is none does not keep the others of a build from being sent.
        if (operands.length === 1 || !isAboutFile(error)) throw error;
        output.err(`everflame: ${error.message}`);
        code = EXIT_FAILURE;
      }
    }
    return code;
  },
};

function isAboutFile(error: unknown): error is Error {
  if (error instanceof EverflameError) return error.kind !== 'unavailable';
  return error instanceof Error && 'syscall' in error;
}

/** Whether the server now has all that the file can say. */
async function uploadFile(
  path: string,
  server: string,
  waitMs: number,
  output: Output,
): Promise<boolean> {
  const { buildId, items, warnings, lack, quality } = await planUpload(path);
  for (const warning of warnings) output.err(`everflame: ${path}: ${warning}`);
  for (const item of items) {
    const wanted = await askWanted(item, server);
    const isWanted = wanted.wanted !== 'no' || (await isTakenAnyway(item, wanted, server));
    if (isWanted) await sendItem(item, wanted, server);
    const what = isWanted ? `sent ${item.sizeBytes} bytes` : `not wanted: ${wanted.why}`;
    output.out(`${item.name}: ${item.buildId}: ${what}\n`);
  }
  const state = await waitForState(buildId, server, waitMs);
  output.out(`${path}: ${buildId}: ${describeState(state)}\n`);
  if (isBusy(state)) return false;
  if (lack !== '' && state.quality !== 'lines') output.err(`everflame: ${path}: ${lack}`);
  // A stripped file keeps its promise where only its exported functions have names.
  const isKept =
    state.quality !== 'lines' && RANKS.indexOf(state.quality) >= RANKS.indexOf(quality);
  return isKept || state.problem === '';
}

const QUALITY_WORDS: Record<QualityName, string> = {
  none: 'no names',
  exported: 'names of exported functions',
  symbols: 'names of functions',
  lines: 'names, lines and inlined calls',
};

function describeState(state: DebuginfoStateJson): string {
  const { quality, functions, inlined_calls: calls, problem, remedy } = state;
  if (isBusy(state)) {
    return ['the server is still at work on it.', problem, remedy].join(' ').trimEnd();
  }
  const counts = `${functions} functions, ${calls} inlined calls`;
  const words = [`the server has ${QUALITY_WORDS[quality]} (${counts}).`, problem, remedy];
  return words.filter((text) => text !== '').join(' ');
}

function isBusy({ state }: DebuginfoStateJson): boolean {
  return state === 'converting' || state === 'receiving';
}

async function waitForState(
  buildId: string,
  server: string,
  waitMs: number,
): Promise<DebuginfoStateJson> {
  const endMs = performance.now() + waitMs;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, MAX_POLL_MS)) {
    const state = await readState(buildId, server);
    if (!isBusy(state) || performance.now() >= endMs) return state;
    await sleep(pollMs);
  }
}

async function readState(buildId: string, server: string): Promise<DebuginfoStateJson> {
  const path = pathOf(buildId);
  const response = await send(server, { method: 'GET', path });
  return readAnswer<DebuginfoStateJson>(
    server,
    response,
    ({ state, quality, problem }) =>
      typeof state === 'string' && typeof quality === 'string' && typeof problem === 'string',
  );
}

function pathOf(buildId: string): string {
  return `/api/v1/debuginfo/${encodeURIComponent(buildId)}`;
}

/**
 * What agents are told not to send, and a person may: an agent that has the lease may be gone, and
 * what is here may have been damaged on its way.
 */
async function isTakenAnyway(
  { buildId }: UploadItem,
  { why }: Wanted,
  server: string,
): Promise<boolean> {
  if (why.startsWith('leased to another agent')) return true;
  if (!why.startsWith('have ')) return false;
  const { state, left_out: leftOut = {} } = await readState(buildId, server);
  return state === 'ready' && Object.keys(leftOut).some((reason) => reason.startsWith('damaged_'));
}

type Wanted = WantedJson['wanted'][number];

async function askWanted(item: UploadItem, server: string): Promise<Wanted> {
  const { buildId, kind, quality, sizeBytes, file } = item;
  const question = { build_id: buildId, kind, quality, file, size: sizeBytes };
  const response = await send(server, {
    method: 'POST',
    path: '/api/v1/debuginfo/wanted',
    headers: { 'Content-Type': 'application/json', ...SENDER },
    body: JSON.stringify([question]),
  });
  const answers = await readAnswer<WantedJson>(
    server,
    response,
    ({ wanted }) => Array.isArray(wanted) && typeof wanted[0]?.why === 'string',
  );
  return answers.wanted[0] as Wanted;
}

/** The agent is the same for one run, which may then go on with its own uploads. */
const SENDER = {
  'X-Everflame-Agent': `cli-${hostname()}-${process.pid}`,
  'X-Everflame-Host': hostname(),
};

async function sendItem(item: UploadItem, wanted: Wanted, server: string): Promise<void> {
  const { sizeBytes } = item;
  let sent = wanted.offset;
  while (sent < sizeBytes) {
    const part = await takePart(item.chunks(sent), PART_BYTES);
    const answer = await sendPart(item, wanted.lease, sent, part, server);
    sent = answer.received_bytes;
    showProgress(item, sent);
  }
}

/** One line that is written over, where somebody watches. */
function showProgress({ name, sizeBytes }: UploadItem, sent: number): void {
  if (!process.stderr.isTTY || sizeBytes <= PART_BYTES) return;
  const percent = Math.floor((sent / sizeBytes) * 100);
  const text = sent < sizeBytes ? `${basename(name)}: ${percent} % of ${sizeBytes} bytes` : '';
  process.stderr.write(`\r\x1b[K${text}`);
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
  { file, buildId, kind, sizeBytes }: UploadItem,
  lease: string,
  offset: number,
  part: Buffer,
  server: string,
): Promise<UploadJson> {
  const last = offset + part.length - 1;
  const response = await send(server, {
    method: 'PUT',
    path: pathOf(buildId),
    parameters: { kind, file, lease },
    headers: { 'Content-Range': `bytes ${offset}-${last}/${sizeBytes}`, ...SENDER },
    body: part,
  });
  return readAnswer<UploadJson>(
    server,
    response,
    ({ received_bytes: received }) => typeof received === 'number' && received > offset,
  );
}
