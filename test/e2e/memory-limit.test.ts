/** The memory limit holds for the whole process, whatever comes in; writers are told to wait. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pprofFromText } from '../pprof-text.ts';
import { startServerProcess, withFolder } from './server-process.ts';

const LIMIT_BYTES = 512e6;
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

function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

class Load {
  readonly #url: string;
  readonly #bodies: readonly Uint8Array<ArrayBuffer>[];
  readonly pushes = new Map<number, number>();
  readonly queries = new Map<number, number>();
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
    await answer.arrayBuffer();
    if (answer.status === 429) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    this.pushes.set(answer.status, (this.pushes.get(answer.status) ?? 0) + 1);
    return answer.status;
  }

  async query(): Promise<number> {
    const search = new URLSearchParams({ query: QUERY, from: 'now-2h', to: 'now', format: 'fg1' });
    const answer = await fetch(`${this.#url}/api/v1/merge?${search}`);
    await answer.arrayBuffer();
    this.queries.set(answer.status, (this.queries.get(answer.status) ?? 0) + 1);
    return answer.status;
  }

  /** Writers that do not wait when they are told to, and heavy queries beside them. */
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
    await load.run(LOAD_MS);
    const peak = peakBytes(server.pid);

    const seen = `${[...load.pushes]} ${[...load.queries]}`;

    expect([...load.pushes.keys()].every((status) => status === 200 || status === 429)).toBe(true);
    expect(load.pushes.get(200)).toBeGreaterThan(0);
    expect(peak, seen).toBeLessThanOrEqual(LIMIT_BYTES);
    // Once the load is over, pushes go through again.
    await expect.poll(() => load.push(), { timeout: 20_000, interval: 200 }).toBe(200);
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
