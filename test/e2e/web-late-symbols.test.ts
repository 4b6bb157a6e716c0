/**
 * Names that arrive late, as a person sees it: addresses in the flame graph, the page of symbols
 * that says what is missing and which command brings it, then the names, and addresses once more
 * after the symbols are deleted. A real server, a stripped C++ program whose debug file alone is
 * sent, no agent.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePprof } from '../../profile/pprof/encode.ts';
import { runEverflame, type ServerProcess, startServerProcess } from './server-process.ts';
import { CHROMIUM, CHROMIUM_ARGS } from './web-chromium.ts';
import { missing } from './web-session.ts';

const SOURCE = 'test/fixtures/workloads/inlined.cpp';
/** Where the screenshots go; they are for people. */
const SHOTS = resolve('.cache/shots');
/** Addresses of the hot function that are profiled. */
const ADDRESSES = 32;

const folder = mkdtempSync(join(tmpdir(), 'everflame-late-'));
const program = join(folder, 'inlined');
let buildId = '';
let server: ServerProcess;
let browser: Browser;
let page: Page;
const faults: string[] = [];

/** Builds the program and its debug file, whose offsets say nothing; returns its hot code. */
function build(): { start: number; size: number } {
  execFileSync('g++', ['-O2', '-g', '-Wl,--build-id', '-o', program, SOURCE]);
  const symbols = execFileSync('nm', ['-S', program], { encoding: 'utf8' });
  const [, start = '', size = ''] = /^(\w+) (\w+) t .*run_round/m.exec(symbols) ?? [];
  const notes = execFileSync('readelf', ['-n', program], { encoding: 'utf8' });
  buildId = /Build ID: (\w+)/.exec(notes)?.[1] ?? '';
  execFileSync('objcopy', ['--only-keep-debug', program, `${program}.debug`]);
  rmSync(program);
  return { start: Number.parseInt(start, 16), size: Number.parseInt(size, 16) };
}

/** A profile of addresses only. The linker lays segments out so that offsets are addresses. */
function profileOf(hot: { start: number; size: number }): Uint8Array {
  const rows = Array.from({ length: ADDRESSES }, (_, row) => row);
  const cpu = { type: 'cpu', unit: 'nanoseconds' };
  return gzipSync(
    encodePprof({
      sampleTypes: [cpu],
      periodType: cpu,
      period: 1e7,
      timeNanos: BigInt(Date.now() - 60_000) * 1_000_000n,
      durationNanos: 10_000_000_000n,
      comments: [],
      mappings: [{ start: 0n, limit: 0x100000n, offset: 0n, file: program, buildId }],
      functions: [],
      locations: rows.map((row) => ({
        mapping: 0,
        address: BigInt(hot.start + Math.floor((hot.size * row) / ADDRESSES)),
        lines: [],
      })),
      samples: {
        count: ADDRESSES,
        offsets: Uint32Array.from({ length: ADDRESSES + 1 }, (_, row) => row),
        locations: Uint32Array.from(rows),
        values: new Float64Array(ADDRESSES).fill(1e7),
      },
    }),
  );
}

describe.skipIf(missing !== null)('names that arrive late', () => {
  beforeAll(async () => {
    const hot = build();
    server = await startServerProcess(join(folder, 'data'));
    const until = Math.floor(Date.now() / 1000);
    const url = `${server.url}/ingest?name=inlined&from=${until - 60}&until=${until - 50}`;
    const body = profileOf(hot) as Uint8Array<ArrayBuffer>;
    const pushed = await fetch(url, { method: 'POST', body });
    expect(pushed.status, await pushed.text()).toBe(200);
    mkdirSync(SHOTS, { recursive: true });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const functions = () => page.locator('.fns tbody tr[id] .fn').allTextContents();
  const showGraph = async () => {
    await page.goto(`${server.url}/explore?v=1`);
    await page.locator('.fns tbody tr[id]').first().waitFor();
    return await functions();
  };
  const details = () => page.locator('.binary');
  const state = () => details().locator('.verdict .status').textContent();

  test('before: addresses, and a way to why', async () => {
    expect((await showGraph()).every((name) => name.startsWith('inlined+0x'))).toBe(true);
    await page.locator('.legend .marks').getByText('no name').waitFor();
    await page.locator('.quality').getByRole('button', { name: 'unsymbolized' }).click();
    await page.getByRole('link', { name: 'All binaries and their symbols' }).click();
    const row = page.locator('.bins tbody tr[id]', { hasText: 'inlined' });
    expect(await row.textContent()).toMatch(/Not here.*100\.0/);
    await row.click();
    await details().getByText(buildId).waitFor();
    await page.screenshot({ path: join(SHOTS, 'symbols-absent.png') });
  });

  test('the command that the page shows brings them, and the page follows', async () => {
    const shown = (await details().locator('.cmd code').textContent()) ?? '';
    const [command, ...args] = shown.replace(/inlined$/, `${program}.debug`).split(' ');
    expect(command).toBe('everflame');
    const { code, stderr } = await runEverflame(args);
    expect(code, stderr).toBe(0);
    await expect.poll(state, { timeout: 30_000 }).toBe('Ready');
    await details().getByText('Lines and inlined calls').waitFor();
    await details().getByText('inlined.debug', { exact: true }).waitFor();
    await details().getByRole('heading', { name: 'inlined', exact: true }).waitFor();
    await page.screenshot({ path: join(SHOTS, 'symbols-ready.png') });
    await details().getByRole('link', { name: 'Show in the flame graph' }).click();
    await page.locator('.legend .marks').getByText('inlined').waitFor();
    await expect.poll(functions).toContain('Mixer<…>::scale');
    await page.locator('.fns tbody tr[id]', { hasText: 'Mixer' }).click();
    const strip = page.locator('.detail .who');
    await expect.poll(() => strip.textContent()).toMatch(/inlined\.cpp.*inlined into its caller/);
    await page.screenshot({ path: join(SHOTS, 'inlined.png') });
  });

  test('deleted, they are addresses again', async () => {
    await page.goto(`${server.url}/debuginfo?v=1&select=${buildId}`);
    await details().getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await expect.poll(state, { timeout: 30_000 }).toBe('Not here');
    expect((await showGraph()).every((name) => name.startsWith('inlined+0x'))).toBe(true);
    await page.locator('.fns tbody tr[id]').first().click();
    const strip = page.locator('.detail .who');
    await expect.poll(() => strip.textContent()).toContain('no name: its symbols are not here');
    expect(faults).toEqual([]);
  });
});
