import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { MAX_SQL_ANSWER_BYTES, MAX_SQL_PROCESSES, MAX_WAITING_SQL } from '../../profile/limits.ts';
import type { EpochMs } from '../../profile/units.ts';
import { createSqlRunner, type SqlRunner } from './sql-runner.ts';

/** Reads its job and does what the statement says, as no sandbox would. */
const PROCESS = `
  const { readFileSync, writeSync } = require('node:fs');
  const { sql, hotAgeMs } = JSON.parse(readFileSync(0, 'utf8') || '{"sql":"process.exit(0)"}');
  const say = (text) => writeSync(1, text);
  const done = '{"rows":1,"truncated":null,"elapsedMs":3}\\n';
  eval(sql);`;
const ANSWER = 'say(done + "body");';
const SLEEP = 'setTimeout(() => 0, 60_000);';

const NO_LIMIT = async (_: AbortSignal) => () => undefined;

let runner: SqlRunner;
let started: ChildProcess[] = [];
let released = 0;
const never = new AbortController().signal;

function createRunner({ timeoutMs = 20_000, reserve = NO_LIMIT, hasRoom = true } = {}): void {
  started = [];
  released = 0;
  runner = createSqlRunner({
    source: {
      sqlSnapshot: async () => ({
        files: {},
        takenMs: 1000 as EpochMs,
        damaged: null,
        release: () => released++,
      }),
    },
    startProcess: async () => {
      const child = spawn(process.execPath, ['-e', PROCESS], { stdio: 'pipe' });
      child.stdin.on('error', () => child.stdin.destroy());
      started.push(child);
      return child;
    },
    clock: () => 1250,
    databaseBytes: 1e6,
    reserve,
    hasRoom: () => hasRoom,
    timeoutMs,
  });
}
afterEach(() => runner.close());

const run = (sql: string, signal = never) => runner.run({ sql, format: 'csv', limit: 1 }, signal);
const alive = () => started.filter(({ exitCode, signalCode }) => (exitCode ?? signalCode) === null);

test('an answer, and a process that is ready for the next statement', async () => {
  createRunner();
  const { body, ...rest } = await run(ANSWER);
  expect(Buffer.from(body).toString()).toBe('body');
  expect(rest).toEqual({ rows: 1, truncated: null, elapsedMs: 3, hotAgeMs: 250, damaged: null });
  await run(ANSWER);
  expect(started).toHaveLength(3);
  expect([alive().length, released]).toEqual([1, 2]);
  await runner.close();
  expect(alive()).toEqual([]);
});

test.each([
  [
    'an error of the statement',
    'say(\'{"error":{"kind":"invalid","message":"no"}}\\n\')',
    'invalid',
    'no',
  ],
  ['an end without an answer', '', 'unavailable', 'died of an answer without a header'],
  ['a crash', 'throw new Error("oh")', 'unavailable', 'exit status 1'],
  ['an end by the kernel', 'process.kill(process.pid, "SIGXCPU")', 'unavailable', 'SIGXCPU'],
  ['a lack of memory', 'console.error("std::bad_alloc"); process.abort()', 'too-large', 'memory'],
  [
    'more than an answer may be',
    `for (const text = 'x'.repeat(${MAX_SQL_ANSWER_BYTES}); ; ) say(text);`,
    'unavailable',
    'SIGKILL',
  ],
])('%s', async (_, sql, kind, message) => {
  createRunner();
  const failed = run(sql);
  await expect(failed).rejects.toMatchObject({ kind, message: expect.stringContaining(message) });
  expect([runner.stats().running, released]).toEqual([0, 1]);
  await expect(run(ANSWER)).resolves.toMatchObject({ rows: 1 });
});

test('the deadline', async () => {
  createRunner({ timeoutMs: 500 });
  await expect(run(SLEEP)).rejects.toMatchObject({
    kind: 'too-large',
    limit: 'SQL_TIMEOUT_MS = 500',
  });
  expect(runner.stats()).toEqual({ running: 0, waiting: 0, died: 1 });
});

test('some run, some wait, the others are told to come back', async () => {
  createRunner();
  const abort = new AbortController();
  const asked = MAX_SQL_PROCESSES + MAX_WAITING_SQL;
  const all = Array.from({ length: asked }, () => run(SLEEP, abort.signal));
  const outcomes = Promise.allSettled(all);
  await expect(run(ANSWER)).rejects.toMatchObject({
    kind: 'overloaded',
    limit: `MAX_WAITING_SQL = ${MAX_WAITING_SQL}`,
  });
  expect(runner.stats()).toMatchObject({
    running: MAX_SQL_PROCESSES,
    waiting: MAX_WAITING_SQL,
  });
  abort.abort();
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'cancelled' } });
  }
  expect(runner.stats()).toEqual({ running: 0, waiting: 0, died: 0 });
  await expect(run(ANSWER)).resolves.toMatchObject({ rows: 1 });
  expect(alive().length).toBeLessThanOrEqual(1);
});

test('a process waits for the next statement only where there is memory for it', async () => {
  const waiting: number[] = [];
  for (const hasRoom of [true, false]) {
    createRunner({ hasRoom });
    await run(ANSWER);
    waiting.push(started.length - 1);
    await runner.close();
  }
  expect(waiting).toEqual([1, 0]);
});

test('whoever waits gets the next free place', async () => {
  createRunner();
  const all = Array.from({ length: MAX_SQL_PROCESSES + 3 }, () => run(ANSWER));
  expect(await Promise.all(all)).toHaveLength(MAX_SQL_PROCESSES + 3);
  expect(runner.stats()).toEqual({ running: 0, waiting: 0, died: 0 });
});

test('closing kills what runs and answers who waits', async () => {
  createRunner();
  const all = Array.from({ length: MAX_SQL_PROCESSES + 1 }, () => run(SLEEP));
  const outcomes = Promise.allSettled(all);
  await runner.close();
  expect((await outcomes).map(({ status }) => status)).toEqual(all.map(() => 'rejected'));
  expect(alive()).toEqual([]);
  await expect(run(ANSWER)).rejects.toMatchObject({ kind: 'cancelled' });
});
