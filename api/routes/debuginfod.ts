/**
 * The debuginfod protocol over what this server has, so that gdb, perf and other servers find it:
 * DEBUGINFOD_URLS=http://host:7070. Sources are not served; of programs only those kept whole.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import type { KeptBytes, Symbolizer } from '../../symbolizer/symbolizer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';

export interface DebuginfodServices {
  symbolizer: Symbolizer;
}

const BINARY = 'application/octet-stream';
/** What one read of a file holds in memory. */
const READ_BYTES = 2 ** 18;

export function debuginfodEndpoints({ symbolizer }: DebuginfodServices): Endpoint[] {
  const files = (['debuginfo', 'executable'] as const).map(
    (kind): Endpoint => ({
      method: 'GET',
      path: `/buildid/{build_id}/${kind}`,
      summary: `The ${kind} of a build id, as debuginfod servers give it.`,
      answers: { [BINARY]: null },
      handle: (context) => {
        const kept = ofBuildId(context, (id) => symbolizer.keptFile(id, kind));
        return sendKept(context, kept, FILE_ADVICE[kind]);
      },
    }),
  );
  const section: Endpoint = {
    method: 'GET',
    path: '/buildid/{build_id}/section/{section}',
    summary: "One section's bytes of a build id, as debuginfod servers give them.",
    answers: { [BINARY]: null },
    handle: (context) => {
      const name = context.req.param('section') ?? '';
      const kept = ofBuildId(context, (id) => symbolizer.keptSection(id, name));
      return sendKept(context, kept, SECTION_ADVICE);
    },
  };
  return [...files, section];
}

/** Other ids are known to everflame alone. */
function ofBuildId<T>(context: AppContext, find: (buildId: BuildId) => T | null): T | null {
  const buildId = context.req.param('build_id') ?? '';
  return /^[0-9a-f]+$/.test(buildId) ? find(buildId as BuildId) : null;
}

const FILE_ADVICE = {
  debuginfo: 'GET /api/v1/debuginfo tells what is known of it.',
  executable: 'Agents send what symbolization needs, not whole programs; ask for debuginfo.',
};
const SECTION_ADVICE = 'Of what agents send, sections of code and data have no bytes.';

async function sendKept(
  context: AppContext,
  kept: KeptBytes | null,
  advice: string,
): Promise<Response> {
  const handle = kept === null ? null : await openKept(kept.path);
  if (kept === null || handle === null) throw notHere(advice);
  let isSent = false;
  try {
    const { size: fileBytes, mtimeMs } = await handle.stat();
    const size = Math.min(kept.sizeBytes, Math.max(0, fileBytes - kept.offset));
    const maxBytes = Number(context.req.header('x-debuginfod-maxsize') ?? Number.NaN);
    if (maxBytes > 0 && size > maxBytes) return context.body('over X-DEBUGINFOD-MAXSIZE\n', 406);
    const range = readRange(context.req.header('range'), size);
    const headers: Record<string, string> = {
      'Content-Type': BINARY,
      'Accept-Ranges': 'bytes',
      'Last-Modified': new Date(mtimeMs).toUTCString(),
      'X-DEBUGINFOD-SIZE': String(size),
      'X-DEBUGINFOD-FILE': kept.file,
    };
    if (range === 'unsatisfiable') {
      return context.body('no such range\n', 416, { 'Content-Range': `bytes */${size}` });
    }
    const { first, last, isPart } = range;
    headers['Content-Length'] = String(last - first + 1);
    if (isPart) headers['Content-Range'] = `bytes ${first}-${last}/${size}`;
    const status = isPart ? 206 : 200;
    if (context.req.method === 'HEAD' || size === 0) return context.body(null, status, headers);
    const [start, end] = [kept.offset + first, kept.offset + last];
    const stream = handle.createReadStream({ start, end, highWaterMark: READ_BYTES });
    isSent = true;
    return context.body(Readable.toWeb(stream) as ReadableStream<Uint8Array>, status, headers);
  } finally {
    // The stream closes it where there is one.
    if (!isSent) await handle.close();
  }
}

/** Null for a file of this machine that was taken away since, or one evicted just now. */
async function openKept(path: string): Promise<FileHandle | null> {
  try {
    return await open(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

interface ByteRange {
  first: number;
  last: number;
  isPart: boolean;
}

/** A single range (RFC 9110, 14.1.2); what is no such range is ignored, as the RFC has it. */
function readRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' {
  const whole = { first: 0, last: size - 1, isPart: false };
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (match === null || match[0] === 'bytes=-') return whole;
  const [from = '', to = ''] = match.slice(1);
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(to) < first) return whole;
  return first > last ? 'unsatisfiable' : { first, last, isPart: true };
}

function notHere(remedy: string): EverflameError {
  return new EverflameError('not-found', 'nothing of that kind is here of this build id', {
    field: 'build_id',
    remedy,
  });
}
