/** Answers of a server that are folders: a backup, an export. */
import { mkdir, readdir } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { EverflameError } from '../profile/errors.ts';
import { type ClientRequest, send } from './client.ts';
import type { Output } from './command.ts';

const PROGRESS_MS = 2_000;

/** What comes is never mixed with what is there already. */
async function makeEmpty(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  if ((await readdir(dir)).length === 0) return;
  throw new EverflameError('conflict', `${dir} is not empty`, {
    remedy: 'Name a directory that is empty or not there yet.',
  });
}

/**
 * Unpacks the answer into a directory that is empty or not there yet. Tells on `output` how far it
 * is. Returns the number of bytes that came.
 */
export async function downloadFolder(
  server: string,
  request: ClientRequest,
  dir: string,
  output: Output | null,
): Promise<number> {
  await makeEmpty(dir);
  const response = await send(server, request);
  if (response.body === null || !response.headers.get('content-type')?.includes('x-tar')) {
    throw new EverflameError(
      'unavailable',
      `${server} does not answer as an everflame server does`,
    );
  }
  let bytes = 0;
  let toldMs = performance.now();
  const counter = new Transform({
    transform(chunk: Uint8Array, _, done) {
      bytes += chunk.byteLength;
      if (output !== null && performance.now() - toldMs > PROGRESS_MS) {
        toldMs = performance.now();
        output.err(`everflame: ${(bytes / 1e6).toFixed(0)} MB`);
      }
      done(null, chunk);
    },
  });
  // Strict: an archive that ends too early or names places outside of the directory is refused.
  await pipeline(
    Readable.fromWeb(response.body as never),
    counter,
    extract({ cwd: dir, strict: true }),
  );
  return bytes;
}
