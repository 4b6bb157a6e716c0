import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import type { DictionarySnapshot } from '../../profile/dictionary.ts';
import { MAX_WAITING_QUERIES } from '../../profile/limits.ts';
import { textMeta } from '../../profile/text.ts';
import type { SymbolFileRow } from '../../symbolizer/symbolizer.ts';
import type { FunctionsJob } from './tree-messages.ts';
import { TreePool, type TreePoolOptions } from './tree-pool.ts';

/** A real thread that does what the job's `search` says and tells what it was sent. */
const CODE = `
  const { parentPort } = require('node:worker_threads');
  let flag;
  parentPort.on('message', ({ id, job, stop, dictionary, symbolFiles }) => {
    flag = stop ?? flag;
    if (job.search === 'spin') while (Atomics.load(flag, 0) === 0);
    if (job.search === 'crash') throw new Error('boom');
    if (job.search === 'exit') process.exit(3);
    if (job.search === 'refuse') {
      const error = { kind: 'too-large', message: 'no', limit: 'MAX = 1' };
      return parentPort.postMessage({ id, error });
    }
    const body = [dictionary ? 'dictionary' : '', symbolFiles ? 'symbols' : '', job.search].join();
    if (job.search !== 'hang') parentPort.postMessage({ id, answer: { contentType: '', body } });
  });
`;
const never = new AbortController().signal;

function job(search: string, stacks = 1): FunctionsJob {
  const columns = {
    group: new Uint32Array(1),
    stack: new Uint32Array(stacks),
    value: new Float64Array(1),
  };
  const weights = { groups: [{}], ...columns, multiplier: 1 };
  return {
    kind: 'functions',
    filters: [],
    weights,
    sort: 'self',
    names: 'full',
    search,
    offset: 0,
    limit: 1,
    meta: textMeta(0),
  };
}

function open(more: Partial<TreePoolOptions> = {}): TreePool {
  const snapshot = { strings: { count: 0 } } as unknown as DictionarySnapshot;
  const files: readonly SymbolFileRow[] = [];
  return new TreePool({
    createWorker: () => new Worker(CODE, { eval: true }),
    workers: 1,
    snapshot: () => snapshot,
    symbolFiles: () => files,
    ...more,
  });
}

async function outcome(run: Promise<{ body: unknown }>): Promise<string> {
  return run.then(
    ({ body }) => String(body),
    (error: { kind: string; message: string }) => `${error.kind}: ${error.message}`,
  );
}

describe('a pool of tree workers', () => {
  test('ends idle workers but those that are kept, which know most', async () => {
    const pool = open({ workers: 2 });
    const met = [pool.metStacks(0)];
    await Promise.all([pool.run(job('1'), never), pool.run(job('2'), never)]);
    for (const kept of [1, 0]) {
      met.push(pool.metStacks(0));
      pool.trim(kept);
    }
    met.push(pool.metStacks(0));
    expect(met).toEqual([null, 1, 1, null]);
    expect(await outcome(pool.run(job('3'), never))).toBe('dictionary,symbols,3');
    await pool.close();
  });

  test('gives a job to the idle worker that knows most', async () => {
    const pool = open({ workers: 3 });
    await Promise.all([1, 2, 3].map((stacks) => pool.run(job(String(stacks), stacks), never)));
    pool.trim(1);
    const before = [pool.metStacks(0), pool.metStacks(1)];
    // A worker that has just been started would be sent both.
    expect([...before, await outcome(pool.run(job('4'), never))]).toEqual([3, null, ',,4']);
    await pool.close();
  });

  test('sends the dictionary and the symbol files only when they are new', async () => {
    let snapshot = { strings: { count: 1 } } as unknown as DictionarySnapshot;
    const pool = open({ snapshot: () => snapshot });
    const bodies = [
      await outcome(pool.run(job('1'), never)),
      await outcome(pool.run(job('2'), never)),
    ];
    snapshot = { ...snapshot };
    bodies.push(await outcome(pool.run(job('3'), never)));
    expect(bodies).toEqual(['dictionary,symbols,1', ',,2', 'dictionary,,3']);
    await pool.close();
  });

  test('moves the columns and answers in order', async () => {
    const pool = open();
    const jobs = ['a', 'b', 'c'].map(job);
    const answers = jobs.map((one) => outcome(pool.run(one, never)));
    expect((await Promise.all(answers)).map((body) => body.at(-1))).toEqual(['a', 'b', 'c']);
    expect(jobs.map(({ weights }) => weights.stack.byteLength)).toEqual([0, 0, 0]);
    await pool.close();
  });

  test.each([
    ['crash', 'unavailable: a tree worker failed'],
    ['exit', 'unavailable: the server stopped before the query was answered'],
    ['refuse', 'too-large: no'],
  ])('%s fails its own query only', async (search, message) => {
    const pool = open();
    const [first, second] = [pool.run(job(search), never), pool.run(job('next'), never)];
    expect(await outcome(first)).toBe(message);
    expect(await outcome(second)).toMatch(/next$/);
    await pool.close();
  });

  test('a query given up while it waits never runs', async () => {
    const pool = open();
    const control = new AbortController();
    const running = pool.run(job('a'), never);
    const waiting = pool.run(job('crash'), control.signal);
    control.abort();
    expect(await outcome(waiting)).toBe('cancelled: the query was given up');
    expect(await outcome(running)).toMatch(/a$/);
    expect(await outcome(pool.run(job('b'), never))).toBe(',,b');
    await pool.close();
  });

  test('a query given up while it runs ends its job, not the next one', async () => {
    const pool = open();
    const control = new AbortController();
    const running = pool.run(job('spin'), control.signal);
    const next = pool.run(job('next'), never);
    await new Promise((resolve) => setTimeout(resolve, 20));
    control.abort();
    expect(await outcome(running)).toBe('cancelled: the query was given up');
    expect(await outcome(next)).toBe(',,next');
    await pool.close();
  });

  test('too many waiting are told to come back; closing fails the rest', async () => {
    const pool = open();
    const all = Array.from({ length: MAX_WAITING_QUERIES + 1 }, () =>
      outcome(pool.run(job('hang'), new AbortController().signal)),
    );
    expect(await outcome(pool.run(job('one more'), never))).toContain('overloaded');
    await pool.close();
    expect(new Set(await Promise.all(all))).toEqual(
      new Set(['unavailable: the server stopped before the query was answered']),
    );
    expect(await outcome(pool.run(job('late'), never))).toContain('unavailable');
  });
});
