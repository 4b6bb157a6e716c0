/**
 * The process in which users' SQL runs. It opens DuckDB, then reads one job from its standard
 * input, writes one answer and ends. Its limits are set by whoever starts it.
 */
import { readFileSync, writeSync } from 'node:fs';
import { EverflameError, toErrorRecord } from '../../../profile/errors.ts';
import { runJob } from './run-job.ts';
import type { SqlHeader, SqlJob } from './sandbox-job.ts';

const STDIN = 0;
const STDOUT = 1;
/** The parent kills this process at the deadline; should it be gone, the process ends itself. */
const ORPHAN_GRACE_MS = 2_000;

async function answer(job: SqlJob): Promise<void> {
  try {
    const { done, body } = await runJob(job);
    write(done, body);
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    write({ error: toErrorRecord(error) }, []);
  }
}

function write(header: SqlHeader, body: readonly Uint8Array[]): void {
  writeAll(Buffer.from(`${JSON.stringify(header)}\n`));
  for (const chunk of body) writeAll(chunk);
}

function writeAll(bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(STDOUT, bytes, at);
}

const text = readFileSync(STDIN, 'utf8');
if (text === '') process.exit(0);
const job = JSON.parse(text) as SqlJob;
setTimeout(() => process.exit(1), job.limits.timeoutMs + ORPHAN_GRACE_MS).unref();
await answer(job);
process.exit(0);
