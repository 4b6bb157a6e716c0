/** Agents of a fleet and the real server: each binary once, over restarts of either side. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RunningServer, startServer } from '../cli/server.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../symbolizer/elf/elf.ts';
import { planStrip } from '../symbolizer/elf/strip.ts';
import { buildElf } from '../test/fixtures/elf-builds.ts';
import type { DebuginfoStateJson } from '../wire/http.ts';
import { type BinaryOffer, createDebuginfoUploader } from './debuginfo-uploader.ts';

const PART = 65_536;

let root = '';
let server: RunningServer;
let address = '127.0.0.1:0';
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'debuginfo-fleet-'));
  await start();
});
afterAll(async () => {
  await server.close(1_000);
  rmSync(root, { recursive: true });
});

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(root, 'builds-'));
});

/** Again at the address that it had before. */
async function start(): Promise<void> {
  server = await startServer({
    httpAddress: address,
    dataDir: join(root, 'data'),
    debuginfoBytes: 1e9,
    pathPrefix: '',
    insecure: false,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  address = new URL(server.url).host;
}

function startAgent(agentId: string, budget: { bytes: number; windowMs: number }) {
  const stop = new AbortController();
  const uploader = createDebuginfoUploader({
    server: new URL(server.url),
    agentId,
    host: `host-of-${agentId}`,
    budgetBytes: budget.bytes,
    windowMs: budget.windowMs,
    log: () => undefined,
  });
  const running = uploader.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  return { uploader, stats: uploader.stats, end };
}

const FAST = { bytes: 2 ** 30, windowMs: 1_000 };
/** A part of a file every 20 ms. */
const SLOW = { bytes: PART, windowMs: 20 };

/** Has a build id of its own and a table of 40,000 symbols. */
function buildLarge(name: string): string {
  const lines = Array.from({ length: 40_000 }, (_, i) => `${name}_symbol_${i}: ret`);
  const functions = lines.map((_, i) => `.type ${name}_symbol_${i}, @function`);
  writeFileSync(join(dir, `${name}.s`), `.text\n${[...functions, ...lines].join('\n')}\n`);
  const options = ['-shared', '-nostdlib', '-Wl,--build-id', '-o', name, `${name}.s`];
  execFileSync('gcc', options, { cwd: dir, stdio: 'pipe' });
  return join(dir, name);
}

/** And how many bytes are sent of it. */
function offerOf(path: string): BinaryOffer & { sentBytes: number } {
  const source = openByteSource(path);
  const { buildId } = readElfIdentity(source);
  const sentBytes = planStrip(source)?.sizeBytes ?? 0;
  source.close();
  return { buildId, paths: [path], file: basename(path), sizeBytes: source.size, sentBytes };
}

function poll<T>(read: () => T | Promise<T>) {
  return expect.poll(read, { timeout: 25_000 });
}

async function stateOf({ buildId }: BinaryOffer): Promise<DebuginfoStateJson> {
  const response = await fetch(`${server.url}/api/v1/debuginfo/${buildId}`);
  return (await response.json()) as DebuginfoStateJson;
}

test('two agents with the same binaries send each of them once', async () => {
  const agents = ['one', 'two'].map((id) => startAgent(id, FAST));
  const offers = ['exec', 'pie', 'library'].map((name) => offerOf(buildElf(dir, name)));
  for (const offer of offers) for (const { uploader } of agents) uploader.offer(offer);
  const sum = (name: 'uploadedFiles' | 'uploadedBytes' | 'notWanted') =>
    agents.reduce((total, { stats }) => total + stats[name], 0);
  await poll(() => sum('uploadedFiles') + sum('notWanted')).toBe(6);
  expect([sum('uploadedFiles'), sum('notWanted')]).toEqual([3, 3]);
  expect(sum('uploadedBytes')).toBe(offers.reduce((total, { sentBytes }) => total + sentBytes, 0));
  for (const offer of offers) await poll(async () => (await stateOf(offer)).state).toBe('ready');
  for (const offer of offers) {
    expect((await stateOf(offer)).sources[0]?.from).toMatch(/^host-of-(one|two)$/);
  }
  for (const { end } of agents) await end();
});

test('an agent that starts again sends the rest', async () => {
  const offer = offerOf(buildLarge('agent_restart'));
  const first = startAgent('one', SLOW);
  first.uploader.offer(offer);
  await poll(() => first.stats.uploadedBytes).toBeGreaterThan(4 * PART);
  await first.end();
  const second = startAgent('one', FAST);
  second.uploader.offer(offer);
  await poll(() => second.stats.uploadedFiles).toBe(1);
  await second.end();
  // A part whose answer the first one did not wait for is here too.
  const bytes = first.stats.uploadedBytes + second.stats.uploadedBytes;
  expect(bytes).toBeGreaterThanOrEqual(offer.sentBytes - PART);
  expect(bytes).toBeLessThanOrEqual(offer.sentBytes);
  await poll(async () => (await stateOf(offer)).state).toBe('ready');
});

test('a server that starts again goes on with what it has', async () => {
  const offer = offerOf(buildLarge('server_restart'));
  const agent = startAgent('one', SLOW);
  agent.uploader.offer(offer);
  await poll(() => agent.stats.uploadedBytes).toBeGreaterThan(4 * PART);
  await server.close(0);
  await start();
  await poll(() => agent.stats.uploadedFiles).toBe(1);
  await agent.end();
  expect(agent.stats.retries).toBeGreaterThan(0);
  expect(agent.stats.uploadedBytes).toBeLessThanOrEqual(offer.sentBytes);
  expect(agent.stats.uploadedBytes).toBeGreaterThanOrEqual(offer.sentBytes - PART);
  await poll(async () => (await stateOf(offer)).state).toBe('ready');
});

test('more than the budget of a window is not sent in it, by all uploads together', async () => {
  const agent = startAgent('one', { bytes: 2.5 * PART, windowMs: 3_600_000 });
  for (const name of ['budget_a', 'budget_b']) agent.uploader.offer(offerOf(buildLarge(name)));
  await poll(() => agent.stats.uploadedBytes).toBeGreaterThan(0);
  const sent = agent.stats.uploadedBytes;
  await sleep(200);
  expect(agent.stats.uploadedBytes).toBe(sent);
  expect(sent).toBeLessThanOrEqual(2.5 * PART);
  await agent.end();
});
