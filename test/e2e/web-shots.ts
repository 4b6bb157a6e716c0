/**
 * Opens the pages of a server at two sizes in both themes and writes what is seen as PNG files:
 *   npx tsx test/e2e/web-shots.ts http://127.0.0.1:7070 /tmp/shots
 * Without a URL it shows every state from canned answers.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { CHROMIUM, CHROMIUM_ARGS } from './web-chromium.ts';
import { type FixtureState, startFixture } from './web-fixture.ts';

const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const PAGES = [
  { name: 'explore', path: 'explore?v=1' },
  { name: 'explore-find', path: 'explore?v=1&find=mem' },
  { name: 'explore-graph', path: 'explore?v=1&pane=graph' },
  { name: 'compare', path: 'compare?v=1' },
  { name: 'symbols', path: 'debuginfo?v=1' },
  { name: 'compare-graph', path: 'compare?v=1&pane=graph' },
];
const STATES: readonly FixtureState[] = ['empty', 'nomatch', 'error', 'slow'];

async function shoot(browser: Browser, url: string, file: string, size: keyof typeof SIZES) {
  const page = await browser.newPage({ viewport: SIZES[size] });
  page.on('pageerror', (error) => console.error(`${file}: ${error.message}`));
  page.on('console', (line) => {
    if (line.type() === 'error') console.error(`${file}: ${line.text()}`);
  });
  await page.goto(url);
  const seen = page.locator('.state h1, .tscroll tbody tr[id]').first();
  await seen
    .waitFor({ state: 'attached', timeout: file.includes('slow') ? 1000 : 20_000 })
    .catch(() => console.error(`${file}: still loading`));
  await page.waitForTimeout(500);
  await page.screenshot({ path: file });
  await page.close();
}

async function main(): Promise<void> {
  const [given, folder = '/tmp/everflame-shots'] = process.argv.slice(2);
  await mkdir(folder, { recursive: true });
  const fixture = given?.startsWith('http') ? null : await startFixture();
  const base = given?.startsWith('http') ? given.replace(/\/$/, '') : (fixture?.url ?? '');
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
  for (const theme of ['light', 'dark'] as const) {
    for (const size of ['desktop', 'phone'] as const) {
      for (const { name, path } of PAGES) {
        const file = join(folder, `${name}-${size}-${theme}.png`);
        await shoot(browser, `${base}/${path}&theme=${theme}`, file, size);
      }
    }
  }
  for (const state of fixture === null ? [] : STATES) {
    if (fixture !== null) fixture.state = state;
    const query = encodeURIComponent('{namespace="shop",host=~"web-(a|b"}');
    for (const page of ['explore', 'compare', 'debuginfo']) {
      const params = page === 'compare' ? `query_a=${query}&query_b=${query}` : `query=${query}`;
      const file = join(folder, `${page}-${state}.png`);
      await shoot(browser, `${base}/${page}?v=1&theme=light&${params}`, file, 'desktop');
    }
  }
  await browser.close();
  await fixture?.close();
}

await main();
