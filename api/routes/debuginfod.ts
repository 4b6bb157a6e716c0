/**
 * The debuginfod protocol over what this server has, so that gdb, perf and other servers find it:
 * DEBUGINFOD_URLS=http://host:7070. Sources are not served; of programs only those kept whole.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import type { KeptFile, Symbolizer } from '../../symbolizer/symbolizer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';

export interface DebuginfodServices {
  symbolizer: Symbolizer;
}

const BINARY = 'application/octet-stream';
/** What one read of a file holds in memory. */
const READ_BYTES = 2 ** 18;

export function debuginfodEndpoints({ symbolizer }: DebuginfodServices): Endpoint[] {
  return (['debuginfo', 'executable'] as const).map((kind) => ({
    method: 'GET',
    path: `/buildid/{build_id}/${kind}`,
    summary: `The ${kind} of a build id, as debuginfod servers give it.`,
    answers: { [BINARY]: null },
    handle: (context) => sendKept(context, symbolizer, kind),
  }));
}

async function sendKept(
  context: AppContext,
  symbolizer: Symbolizer,
  kind: 'debuginfo' | 'executable',
): Promise<Response> {
  const buildId = (context.req.param('build_id') ?? '') as BuildId;
  const kept = /^[0-9a-f]+$/.test(buildId) ? symbolizer.keptFile(buildId, kind) : null;
  if (kept === null) throw notHere(kind);
  const handle = await openKept(kept, kind);
  let isSent = false;
  try {
    const { size, mtimeMs } = await handle.stat();
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
    const stream = handle.createReadStream({ start: first, end: last, highWaterMark: READ_BYTES });
    isSent = true;
    return context.body(Readable.toWeb(stream) as ReadableStream<Uint8Array>, status, headers);
  } finally {
    // The stream closes it where there is one.
    if (!isSent) await handle.close();
  }
}

async function openKept({ path }: KeptFile, kind: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    // A file of this machine that was taken away since, or one evicted just now.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw notHere(kind);
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

function notHere(kind: string): EverflameError {
  return new EverflameError('not-found', `no ${kind} of this build id is here`, {
    field: 'build_id',
    remedy:
      kind === 'executable'
        ? 'Agents send what symbolization needs, not whole programs; ask for debuginfo.'
        : 'GET /api/v1/debuginfo tells what is known of it.',
  });
}
