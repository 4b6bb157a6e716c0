/**
 * The memory limit holds for the server with its child processes, whatever comes in; who cannot be
 * served is told to wait.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pprofFromText } from '../pprof-text.ts';
import { startServerProcess, withFolder } from './server-process.ts';

const LIMIT_BYTES = 512e6;
const LOOK_MS = 10;
const LOAD_MS = 20_000;
const WRITERS = 8;
const READERS = 3;
const SLOW_CLIENTS = 50;
const BODIES = 24;
const STACKS = 1_500;
const DEPTH = 24;
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';

/** Stacks that no other body has: dictionaries grow with every push of another one. */
function body(number: number): Uint8Array<ArrayBuffer> {
  const lines: string[] = [];
  for (let stack = 0; stack < STACKS; stack++) {
    const hash = createHash('sha256').update(`${number} ${stack}`).digest('hex');
    const frames = Array.from({ length: DEPTH }, (_, at) =>
      at < DEPTH / 2 ? `shared_${at}_${stack % 97}` : `${hash.slice(at, at + 6)}_${number}_${at}`,
    );
    lines.push(`${frames.join(';')} 1`);
  }
  return Uint8Array.from(pprofFromText(lines.join('\n'), { timeMs: Date.now() - 60_000 }));
}

/** Of a process; 0 where it has ended. */
function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Children that run a program of their own: until then they share this one's memory. */
function childrenOf(pid: number): number[] {
  const found = new Set<number>();
  const program = commandOf(pid);
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8');
      for (const child of text.split(' ').filter((word) => word !== '')) found.add(Number(child));
    } catch {
      // The thread has ended.
    }
  }
  return [...found].filter((child) => commandOf(child) !== program);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Asks again, as it is told to, until it is served. */
async function untilTaken(ask: () => Promise<number>): Promise<void> {
  await expect.poll(ask, { timeout: 60_000, interval: 200 }).toBe(200);
}

/** Looks at a process and its children all the time; the largest sum is what counts. */
function watchTree(pid: number) {
  const peak = { bytes: 0, childBytes: 0 };
  const timer = setInterval(() => {
    const childBytes = childrenOf(pid).reduce((sum, child) => sum + residentBytes(child), 0);
    peak.childBytes = Math.max(peak.childBytes, childBytes);
    peak.bytes = Math.max(peak.bytes, residentBytes(pid) + childBytes);
  }, LOOK_MS);
  return { peak, stop: () => clearInterval(timer) };
}

class Load {
  readonly #url: string;
  readonly #bodies: readonly Uint8Array<ArrayBuffer>[];
  /** Of each kind of request, how often each status was seen. */
  readonly seen = new Map<string, Map<number, number>>();
  #next = 0;

  constructor(url: string, bodies: readonly Uint8Array<ArrayBuffer>[]) {
    this.#url = url;
    this.#bodies = bodies;
  }

  async push(): Promise<number> {
    const number = this.#next++;
    // Each time another moment, so that it is another profile.
    const from = (Date.now() - 3_600_000 + number * 20) / 1000;
    const url = `${this.#url}/ingest?name=load{n="${number % 50}"}&from=${from}&until=${from + 10}`;
    const body = this.#bodies[number % this.#bodies.length];
    const answer = await fetch(url, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
    return this.#note('push', answer);
  }

  async #note(kind: string, answer: Response): Promise<number> {
    const { status, headers } = answer;
    await answer.arrayBuffer();
    if (status === 429) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    const counts = this.seen.get(kind) ?? new Map<number, number>();
    this.seen.set(kind, counts.set(status, (counts.get(status) ?? 0) + 1));
    return status;
  }

  async query(): Promise<number> {
    const search = new URLSearchParams({ query: QUERY, from: 'now-2h', to: 'now', format: 'fg1' });
    return this.#note('query', await fetch(`${this.#url}/api/v1/merge?${search}`));
  }

  async export(): Promise<number> {
    const search = new URLSearchParams({ query: QUERY, from: 'now-2h', to: 'now' });
    return this.#note('export', await fetch(`${this.#url}/api/v1/export?${search}`));
  }

  async sql(): Promise<number> {
    const sql = 'SELECT stack, sum(value) FROM samples GROUP BY ALL ORDER BY 2 DESC LIMIT 1000';
    const headers = { 'Content-Type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ sql }) };
    return this.#note('sql', await fetch(`${this.#url}/api/v1/sql`, init));
  }

  /** `kind status:count ...` for each kind. */
  told(): string {
    return [...this.seen]
      .map(([kind, counts]) => {
        const words = [...counts].map(([status, count]) => `${status}:${count}`);
        return `${kind} ${words.join(' ')}`;
      })
      .join(', ');
  }

  /** Writers that do not wait when they are told to, and questions of all kinds beside them. */
  async run(forMs: number): Promise<void> {
    const endMs = performance.now() + forMs;
    const repeat = async (work: () => Promise<number>, pauseMs: number) => {
      while (performance.now() < endMs) {
        await work();
        await new Promise((done) => setTimeout(done, pauseMs));
      }
    };
    await Promise.all([
      ...Array.from({ length: WRITERS }, () => repeat(() => this.push(), 5)),
      ...Array.from({ length: READERS }, () => repeat(() => this.query(), 20)),
      repeat(() => this.export(), 20),
      ...Array.from({ length: 2 }, () => repeat(() => this.sql(), 20)),
    ]);
  }
}

test('over the limit nothing is taken; what is answered stays below it', async () => {
  await withFolder(async (folder) => {
    const server = await startServerProcess(join(folder, 'data'), undefined, {
      args: ['--memory-limit', String(LIMIT_BYTES)],
    });
    const bodies = Array.from({ length: BODIES }, (_, number) => body(number));
    const load = new Load(server.url, bodies);
    const { peak, stop } = watchTree(server.pid);
    // Few profiles and many questions: all are answered when there is memory for them.
    for (let number = 0; number < 2; number++) expect(await load.push()).toBe(200);
    const askers = [() => load.sql(), () => load.export(), () => load.query()];
    await Promise.all([...askers, ...askers].map(untilTaken));
    await load.run(LOAD_MS);
    // Once the load is over, pushes go through again.
    await untilTaken(() => load.push());
    stop();
    console.log(`peak ${Math.round(peak.bytes / 1e6)} MB; ${load.told()}`);

    const pushes = load.seen.get('push');
    expect([...(pushes?.keys() ?? [])].every((status) => status === 200 || status === 429)).toBe(
      true,
    );
    expect(pushes?.get(200)).toBeGreaterThan(0);
    expect(peak.childBytes).toBeGreaterThan(0);
    expect(peak.bytes, load.told()).toBeLessThanOrEqual(LIMIT_BYTES);
    expect(await server.stop()).toBe(0);
  });
});

test('large bodies that never come take no room from others', async () => {
  await withFolder(async (folder) => {
    const server = await startServerProcess(join(folder, 'data'), undefined, {
      args: ['--memory-limit', String(LIMIT_BYTES)],
    });
    const { hostname, port, host } = new URL(server.url);
    const slow = Array.from({ length: SLOW_CLIENTS }, () => connect(Number(port), hostname));
    for (const socket of slow) {
      await once(socket, 'connect');
      socket.write(
        `POST /ingest?name=slow HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 30000000\r\n\r\n\r\n`,
      );
    }
    expect(await new Load(server.url, [body(0)]).push()).toBe(200);
    for (const socket of slow) socket.destroy();
    expect(await server.stop()).toBe(0);
  });
});
