/**
 * The process in which users' SQL runs. It opens DuckDB, then reads one job from its standard
 * input, writes one answer and ends. Its limits are set by whoever starts it.
 */
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { EverflameError, toErrorRecord } from '../../../profile/errors.ts';
import { runJob } from './run-job.ts';
import type { SqlHeader, SqlJob } from './sandbox-job.ts';

const STDIN = 0;
/** The parent kills this process at the deadline; should it be gone, the process ends itself. */
const ORPHAN_GRACE_MS = 2_000;

async function answer(job: SqlJob): Promise<void> {
  try {
    const { done, body } = await runJob(job);
    await write(done, body);
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    await write({ error: toErrorRecord(error) }, []);
  }
}

async function write(header: SqlHeader, body: readonly Uint8Array[]): Promise<void> {
  for (const chunk of [Buffer.from(`${JSON.stringify(header)}\n`), ...body]) {
    await new Promise((resolve) => process.stdout.write(chunk, resolve));
  }
}

// Before DuckDB starts its threads, which inherit it: ingest goes first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const text = readFileSync(STDIN, 'utf8');
if (text === '') process.exit(0);
const job = JSON.parse(text) as SqlJob;
setTimeout(() => process.exit(1), job.limits.timeoutMs + ORPHAN_GRACE_MS).unref();
await answer(job);
process.exit(0);
