/**
 * The product as a user meets it: `npm start` as root, programs whose answer is known, and the page in
 * a browser, from the live flame graph to a zoomed, searched one and to a comparison.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FunctionsJson } from '../../wire/http.ts';
import { getJson } from './server-process.ts';
import { CHROMIUM, CHROMIUM_ARGS } from './web-chromium.ts';

const FREQUENCY_HZ = 99;
const WORK_SECONDS = 10;
/** Two-sided 99.9 % of the normal distribution. */
const Z = 3.29;
const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
/** Where the screenshots go; they are for people. */
const SHOTS = resolve('.cache/shots');

const folder = mkdtempSync(join(tmpdir(), 'everflame-product-'));
let product: ChildProcess;
let output = '';
let url = '';
let browser: Browser;
let page: Page;
const faults: string[] = [];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function waitFor<T>(what: string, ask: () => Promise<T | null>, seconds = 120): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline)
      throw new Error(`${what} did not come; npm start printed:\n${output}`);
    await new Promise((done) => setTimeout(done, 300));
  }
}

/** Runs both workloads at once, with as many others on the CPUs as there are. */
async function runWorkloads(): Promise<void> {
  const split = join(folder, 'split');
  const source = 'test/fixtures/workloads/split.c';
  execFileSync('gcc', ['-O1', '-fno-omit-frame-pointer', '-o', split, source]);
  const script = resolve('test/fixtures/workloads/split.cjs');
  const jit = ['--perf-basic-prof', '--interpreted-frames-native-stack', script];
  const runs = [
    spawn(split, [String(WORK_SECONDS)], { cwd: folder }),
    spawn(process.execPath, [...jit, String(WORK_SECONDS)], { cwd: folder }),
  ];
  await Promise.all(runs.map((run) => once(run, 'exit')));
}

const selector = (service: string) => `${TYPE}{service_name="${service}"}`;

/** Samples of each function, itself and all it called, once all windows and names have arrived. */
async function functionSamples(service: string, names: readonly string[], enough: number) {
  return waitFor(`samples of ${service}`, async () => {
    const answer = await getJson<FunctionsJson>(url, '/api/v1/functions', {
      query: selector(service),
      from: 'now-10m',
      to: 'now',
      limit: '1000',
    }).catch(() => null);
    if (answer === null || answer.total < enough * 1e9) return null;
    const period = 1e9 / FREQUENCY_HZ;
    const samples = names.map((name) => {
      const found = answer.functions.filter((fn) => fn.name.includes(name));
      return Math.round(found.reduce((sum, fn) => Math.max(sum, fn.total), 0) / period);
    });
    return samples.every((count) => count > 0) ? samples : null;
  });
}

function expectShares(samples: readonly number[], shares: readonly number[]): void {
  const all = samples.reduce((sum, count) => sum + count, 0);
  shares.forEach((share, i) => {
    const bound = Z * Math.sqrt((share * (1 - share)) / all);
    const off = Math.abs((samples[i] ?? 0) / all - share);
    expect(off, `${samples} of ${all} against ${share}`).toBeLessThan(bound);
  });
}

beforeAll(async () => {
  const address = `127.0.0.1:${await freePort()}`;
  url = `http://${address}`;
  product = spawn('npm', ['start'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      EVERFLAME_HTTP_ADDRESS: address,
      EVERFLAME_DATA_DIR: join(folder, 'data'),
      EVERFLAME_FREQUENCY: String(FREQUENCY_HZ),
      EVERFLAME_WINDOW: '5s',
    },
  });
  product.stdout?.on('data', (chunk) => (output += chunk));
  product.stderr?.on('data', (chunk) => (output += chunk));
  await waitFor('the server', async () =>
    fetch(`${url}/readyz`).then(
      (answer) => (answer.ok ? true : null),
      () => null,
    ),
  );
  await waitFor('sampling', async () => (output.includes('msg=sampling') ? true : null));
  await runWorkloads();
  mkdirSync(SHOTS, { recursive: true });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));
});

afterAll(async () => {
  await browser?.close();
  if (product?.pid !== undefined) {
    const exit = once(product, 'exit');
    process.kill(-product.pid, 'SIGTERM');
    await exit;
  }
  // npm ends at once, the server when all is written.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

describe('a known program over HTTP', () => {
  test('C: 60/30/10, within the binomial 99.9 % bound', async () => {
    const names = ['burn_sixty', 'burn_thirty', 'burn_ten'];
    const samples = await functionSamples('split', names, 0.95 * WORK_SECONDS);
    console.log(`C: ${samples} samples`);
    expectShares(samples, [0.6, 0.3, 0.1]);
  });

  test('Node with --perf-basic-prof: 3:1, under their JavaScript names', async () => {
    const samples = await functionSamples('node', ['burnThree', 'burnOne'], 0.9 * WORK_SECONDS);
    console.log(`Node: ${samples} samples`);
    expect(samples[0]).toBeGreaterThan(0.5 * WORK_SECONDS * FREQUENCY_HZ * 0.75);
    expectShares(samples, [0.75, 0.25]);
  });
});

describe('in the browser', () => {
  const row = (name: string) => page.locator('.fns tbody tr[id]', { hasText: name });
  const params = () => new URL(page.url()).searchParams;

  test('the page of npm start shows this machine as a live flame graph', async () => {
    await page.goto(url);
    await row('burn_sixty').first().waitFor();
    expect(await page.locator('.labels tbody tr').allTextContents()).toEqual(
      expect.arrayContaining([expect.stringContaining('split')]),
    );
    await expect.poll(() => page.locator('.quality').textContent()).toMatch(/samples.*of 99 Hz/);
    await page.screenshot({ path: join(SHOTS, 'explore.png') });
  });

  test('narrowed to the C program, searched, zoomed; the URL brings it back', async () => {
    await page.goto(`${url}/explore?v=1&query=${encodeURIComponent(selector('split'))}`);
    await row('burn_sixty').first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('burn_sixty');
    const found = page.locator('.found');
    await expect.poll(() => found.textContent()).toMatch(/1 function, (5|6)\d(\.\d)?\s?%/);
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    await page.keyboard.type('burn_');
    await expect.poll(() => found.textContent()).toMatch(/3 functions, (9|100)/);
    await page.locator('.graph').focus();
    await page.keyboard.press('n');
    await page.keyboard.press('Enter');
    await expect.poll(() => params().get('zoom')).not.toBeNull();
    const selected = page.locator('[role=treeitem][aria-selected=true]');
    await expect.poll(() => selected.textContent()).toContain('burn_');
    await page.screenshot({ path: join(SHOTS, 'zoomed.png') });

    // The figures go on with the machine; the frame is the same.
    const frame = async () => (await selected.textContent())?.split(',')[0];
    const name = await frame();
    await page.reload();
    await expect.poll(frame).toBe(name);
    expect(await page.locator('.find input').inputValue()).toBe('burn_');
  });

  test('a comparison tells the two programs apart', async () => {
    const sides = {
      query_a: selector('split'),
      from_a: 'now-15m',
      to_a: 'now',
      query_b: selector('node'),
      from_b: 'now-15m',
      to_b: 'now',
    };
    await page.goto(`${url}/compare?${new URLSearchParams({ v: '1', ...sides })}`);
    await row('burn_sixty').first().waitFor();
    expect(await row('burn_sixty').first().textContent()).toMatch(/none/);
    await row('burnThree').first().waitFor();
    await expect.poll(() => page.locator('.quality').textContent()).toContain(' samples');
    await page.screenshot({ path: join(SHOTS, 'compare.png') });
  });

  test('without an error in the console', () => {
    expect(faults).toEqual([]);
  });
});
