/** `everflame store backup`: a running server's data as a directory that a server starts on. */
import { mkdir, readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { EverflameError } from '../profile/errors.ts';
import { SERVER_FLAG, send } from './client.ts';
import type { Command, Output } from './command.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  server: SERVER_FLAG,
  quiet: flag.switch('say nothing while it goes on'),
};

const PROGRESS_MS = 2_000;
const EXIT_DAMAGED = 1;

export const storeBackupCommand: Command = {
  name: 'store backup',
  operands: 'DIR',
  summary: "copy a running server's data to a new directory",
  flags: FLAGS,
  notes:
    'The server goes on meanwhile; the copy is as of one moment and is checked when it is there.\n' +
    'To go back to it: everflame server --data-dir DIR. Ends with 1 where the copy is damaged.',
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    const [operand, ...others] = operands;
    if (operand === undefined || others.length > 0) {
      throw new EverflameError('invalid', 'store backup needs one directory');
    }
    const dir = resolve(operand);
    await makeEmpty(dir);
    const bytes = await download(values.server, dir, values.quiet ? null : output);
    const { checkDataDir } = await import('../store/duckdb/inspect/check-data-dir.ts');
    const { rows, faults } = await checkDataDir(dir);
    for (const { place, what } of faults) output.err(`everflame: ${place}: ${what}`);
    output.out(`${dir}: ${bytes} bytes, ${rows} rows\n`);
    return faults.length === 0 ? 0 : EXIT_DAMAGED;
  },
};

/** A backup is never mixed with what is there already. */
async function makeEmpty(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  if ((await readdir(dir)).length === 0) return;
  throw new EverflameError('conflict', `${dir} is not empty`, {
    remedy: 'Name a directory that is empty or not there yet.',
  });
}

/** Returns the number of bytes that came. */
async function download(server: string, dir: string, output: Output | null): Promise<number> {
  const response = await send(server, { method: 'GET', path: '/api/v1/store/backup' });
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
