import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { buildElf, onlyDebug, stripped } from '../../test/fixtures/elf-builds.ts';
import { bytesSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import type { Symbolizer } from '../symbolizer.ts';
import { openSymbolizer, type SymbolizerOptions } from './debuginfo-store.ts';

const HOUR_MS = 3_600_000;
const WAIT = { timeout: 25_000 };

let dir = '';
let now = 0;
let symbolizer: Symbolizer | null = null;
let server: Server | null = null;
let child: ChildProcess | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'debuginfo-sources-'));
  now = Date.UTC(2026, 0, 1);
});
afterEach(async () => {
  await symbolizer?.close();
  server?.closeAllConnections();
  server?.close();
  child?.kill();
  [symbolizer, server, child] = [null, null, null];
  rmSync(dir, { recursive: true });
});

function opened(options: Partial<SymbolizerOptions>): Symbolizer {
  symbolizer = openSymbolizer({
    dir: join(dir, 'store'),
    maxBytes: 2 ** 30,
    leaseMs: 60_000,
    answerMs: 60_000,
    localPaths: [],
    debuginfodUrls: [],
    clock: () => now as EpochMs,
    ...options,
  });
  return symbolizer;
}

function idOf(path: string): BuildId {
  return readElfIdentity(bytesSource(readFileSync(path))).buildId;
}

function placed(source: string, path: string): string {
  const target = join(dir, path);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(source, target);
  return target;
}

/** `state quality origins`, and what is said of it. */
function told(store: Symbolizer, binary: { buildId: BuildId; file: string }) {
  const row = store.status().find(({ buildId }) => buildId === binary.buildId);
  const { state, quality, sources, problem } = row ?? store.absentStatus(binary);
  return { line: `${state} ${quality} ${sources.map(({ origin }) => origin)}`, problem };
}

/** A server that answers each request by one of these, and the paths it was asked for. */
async function serve(answer: RequestListener): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const listening = createServer((request, response) => {
    asked.push((request.url ?? '').split('/').slice(-1).join());
    answer(request, response);
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`, asked };
}

describe('folders of this machine', () => {
  test('by build id, as distributions have it', async () => {
    const program = buildElf(dir, 'library');
    const buildId = idOf(program);
    const path = `debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
    const debug = placed(onlyDebug(program), path);
    const store = opened({ localPaths: [join(dir, 'debug')] });
    store.notice([{ buildId, file: 'library' }]);
    await expect.poll(() => store.symbolFiles().length, WAIT).toBe(1);
    expect(told(store, { buildId, file: '' }).line).toBe('ready symbols local');
    expect(store.keptFile(buildId, 'debuginfo')?.path).toBe(debug);
    // It stays where it is.
    expect(store.remove(buildId)).toBe(true);
    expect(readFileSync(debug).length).toBeGreaterThan(0);
  });

  test('by name, if the build id is the one', async () => {
    const program = buildElf(dir, 'exec');
    const binary = { buildId: idOf(program), file: 'exec' };
    placed(buildElf(dir, 'pie'), 'debug/exec');
    placed(program, 'debug/usr/bin/exec');
    const store = opened({ localPaths: [join(dir, 'debug')] });
    store.notice([binary]);
    await expect.poll(() => told(store, binary).line, WAIT).toBe('ready symbols local');
    expect(store.keptFile(binary.buildId, 'executable')?.path).toBe(
      join(dir, 'debug/usr/bin/exec'),
    );
    // Agents send no code; a program that is here has it.
    expect(store.keptSection(binary.buildId, '.text')?.sizeBytes).toBeGreaterThan(0);
    // Its package was upgraded.
    placed(join(dir, 'debug/exec'), 'debug/usr/bin/exec');
    expect(store.keptFile(binary.buildId, 'executable')).toBeNull();
    expect(store.keptSection(binary.buildId, '.text')).toBeNull();
  });

  test('what is nowhere is looked for again after an hour, or when told to', async () => {
    const program = buildElf(dir, 'exec');
    const binary = { buildId: idOf(program), file: 'exec' };
    const store = opened({ localPaths: [join(dir, 'debug')] });
    store.notice([binary]);
    await expect.poll(() => store.absentStatus(binary).retryMs, WAIT).toBe(now + HOUR_MS);
    expect(told(store, binary)).toEqual({
      line: 'absent none ',
      problem: `Nobody has sent it. It is not in ${join(dir, 'debug')}.`,
    });
    placed(program, 'debug/exec');
    store.notice([binary]);
    expect(told(store, binary).line).toBe('absent none ');
    store.retry(binary.buildId);
    await expect.poll(() => told(store, binary).line, WAIT).toBe('ready symbols local');
  });
});

describe('debuginfod servers', () => {
  test('a real one', async () => {
    const program = placed(onlyDebug(buildElf(dir, 'library')), 'served/library.debug');
    const binary = { buildId: idOf(program), file: 'library' };
    const url = await startDebuginfod(join(dir, 'served'), binary.buildId);
    const store = opened({ debuginfodUrls: ['http://127.0.0.1:1', url] });
    store.notice([binary]);
    await expect.poll(() => told(store, binary).line, WAIT).toBe('ready symbols debuginfod');
    expect(store.symbolFiles()).toHaveLength(1);
    const [row] = store.status();
    expect(row?.sources[0]?.from).toBe(`${url}/buildid/${binary.buildId}/debuginfo`);
    const kept = store.keptFile(binary.buildId, 'debuginfo');
    expect(readFileSync(kept?.path ?? '').equals(readFileSync(program))).toBe(true);
    // gdb needs what was built, byte for byte, but no program is here.
    expect(store.keptFile(binary.buildId, 'executable')).toBeNull();
  });

  test('a program where there is no debug information, through a redirection', async () => {
    const program = stripped(buildElf(dir, 'library'));
    const binary = { buildId: idOf(program), file: 'library' };
    const { url, asked } = await serve((request, response) => {
      const name = (request.url ?? '').split('/').pop();
      if (name === 'debuginfo') response.writeHead(404).end();
      else if (name === 'executable') response.writeHead(302, { location: '/moved' }).end();
      else response.end(readFileSync(program));
    });
    const store = opened({ debuginfodUrls: [url] });
    store.notice([binary]);
    await expect.poll(() => told(store, binary).line, WAIT).toBe('ready exported debuginfod');
    expect(asked).toEqual(['debuginfo', 'executable', 'moved']);
    expect(store.keptFile(binary.buildId, 'executable')?.sizeBytes).toBeGreaterThan(0);
  });

  test('what no server has is asked for once an hour', async () => {
    const { url, asked } = await serve((_, response) => response.writeHead(404).end());
    const binary = { buildId: 'ab'.repeat(20) as BuildId, file: 'x' };
    const store = opened({ debuginfodUrls: [url] });
    const look = async () => {
      const before = asked.length;
      store.notice([binary]);
      await expect.poll(() => store.absentStatus(binary).retryMs, WAIT).not.toBeNull();
      return asked.length - before;
    };
    expect([await look(), await look()]).toEqual([2, 0]);
    now += HOUR_MS;
    expect(await look()).toBe(2);
    expect(store.absentStatus(binary).problem).toBe(
      `Nobody has sent it. ${url}: no debuginfo. ${url}: no executable.`,
    );
    expect(store.stats().debuginfod).toEqual({ found: 0, absent: 4, failed: 0 });
  });

  test('one that fails is asked again soon, then later and later', async () => {
    const { url } = await serve((_, response) => response.writeHead(502).end());
    const binary = { buildId: 'ab'.repeat(20) as BuildId, file: 'x' };
    const store = opened({ debuginfodUrls: [url] });
    const waits: number[] = [];
    for (let i = 0; i < 3; i++) {
      store.notice([binary]);
      await expect.poll(() => store.absentStatus(binary).retryMs ?? 0, WAIT).toBeGreaterThan(now);
      const retryMs = store.absentStatus(binary).retryMs ?? 0;
      waits.push(retryMs - now);
      now = retryMs;
    }
    expect(waits).toEqual([60_000, 120_000, 240_000]);
    expect(store.absentStatus(binary).problem).toContain('it answered 502');
  });

  test.each([
    ['says so', { 'content-length': String(2 ** 30) }],
    ['does not say so', {}],
  ])('a file over the limit that %s is not kept', async (_, headers) => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, headers);
      response.write(Buffer.alloc(600_000));
      if (!('content-length' in headers)) response.end();
    });
    const binary = { buildId: 'ab'.repeat(20) as BuildId, file: 'x' };
    const store = opened({ debuginfodUrls: [url], maxBytes: 1_000_000 });
    store.notice([binary]);
    await expect.poll(() => told(store, binary).problem, WAIT).toContain('more than 500000 bytes');
    expect(store.facts().bytesOnDisk).toBe(0);
  });

  test('another file than was asked for is not taken', async () => {
    const program = buildElf(dir, 'library');
    const { url } = await serve((_, response) => response.end(readFileSync(program)));
    const binary = { buildId: 'ab'.repeat(20) as BuildId, file: 'x' };
    const store = opened({ debuginfodUrls: [url] });
    store.notice([binary]);
    await expect.poll(() => told(store, binary).problem, WAIT).toContain("The file's build id is");
    expect(store.symbolFiles()).toEqual([]);
    await expect.poll(() => store.facts().bytesOnDisk, WAIT).toBe(0);
  });
});

/** debuginfod cannot choose a port by itself; resolves once it serves the build id. */
async function startDebuginfod(folder: string, buildId: string): Promise<string> {
  const { url } = await serve((_, response) => response.end());
  const port = new URL(url).port;
  await new Promise((resolve) => server?.close(resolve));
  const options = ['-F', '-d', ':memory:', '-p', port, '-t', '0', folder];
  const env = { PATH: process.env.PATH ?? '', HOME: dir };
  child = spawn('debuginfod', options, { stdio: 'ignore', env });
  const asked = async () => {
    const response = await fetch(`${url}/buildid/${buildId}/debuginfo`).catch(() => null);
    await response?.body?.cancel();
    return response?.status;
  };
  await expect.poll(asked, WAIT).toBe(200);
  return url;
}
