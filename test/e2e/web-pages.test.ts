/** The built pages in a real browser against canned answers: every state, by pointer and by key. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CHROMIUM, CHROMIUM_ARGS } from './web-chromium.ts';
import { type Fixture, startFixture } from './web-fixture.ts';

const built = existsSync(join(import.meta.dirname, '../../dist/web/index.html'));
const missing = !existsSync(CHROMIUM)
  ? `${CHROMIUM} is not installed`
  : built
    ? null
    : 'dist/web is not built; npm run build:web';
if (missing !== null) console.warn(`browser tests of the pages are skipped: ${missing}`);

const PREFIX = '/tools/flame';
let browser: Browser;
let fixture: Fixture;
let page: Page;
let faults: string[];

/** The selected tree item: what a screen reader is told. */
const selected = () => page.locator('[role=treeitem][aria-selected=true]').textContent();
const params = () => new URL(page.url()).searchParams;
const open = async (path: string) => {
  await page.goto(`${fixture.url}/${path}`);
};
const ready = async () => {
  await page.locator('.tscroll tbody tr[id]').first().waitFor();
  await page.locator('.graph canvas').first().waitFor({ state: 'attached' });
};

/** Runs in the page: distinct colours on the upper part of the canvas. */
const COUNT_COLOURS = `(() => {
  const context = document.querySelector('.graph canvas').getContext('2d');
  const pixels = new Uint32Array(context.getImageData(0, 0, 800, 200).data.buffer);
  return new Set(pixels).size;
})()`;

describe.skipIf(missing !== null)('pages', () => {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
  });
  afterAll(async () => {
    await browser?.close();
  });
  beforeEach(async () => {
    fixture = await startFixture(PREFIX);
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    faults = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (line) => {
      const text = line.text();
      // The browser itself reports answers that the test asked to fail.
      if (line.type() === 'error' && !text.startsWith('Failed to load resource')) faults.push(text);
    });
  });
  afterEach(async () => {
    await page.close();
    await fixture.close();
    expect(faults).toEqual([]);
  });

  test('explore draws the graph, the table and the quality of the answer', async () => {
    await open('');
    await ready();
    expect(await page.locator('.fns tbody tr[id]').count()).toBeGreaterThan(20);
    expect(await page.locator('.quality').textContent()).toContain('18.7 of 19 Hz');
    expect(await page.locator('.labels tbody tr').count()).toBe(4);
    const colours = await page.evaluate<number>(COUNT_COLOURS);
    expect(colours).toBeGreaterThan(8);
  });

  test('keys move, zoom and go back; the URL says where', async () => {
    await open('explore?v=1');
    await ready();
    await page.locator('.graph').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await selected()).toContain('runtime.goexit');
    await page.keyboard.press('Enter');
    await expect.poll(() => params().get('zoom')?.split('.').length).toBe(2);
    const link = page.url();
    await page.keyboard.press('Escape');
    await expect.poll(() => params().get('zoom')).toBe(null);
    await page.goBack();
    await expect.poll(() => page.url()).toBe(link);
    await page.locator('text=Reset zoom').waitFor();
    await page.reload();
    await page.locator('text=Reset zoom').waitFor();
    expect(await selected()).toContain('runtime.goexit');
  });

  test('a click on a frame zooms, a second one on it goes out again', async () => {
    await open('explore?v=1');
    await ready();
    const canvas = page.locator('.graph canvas');
    await canvas.click({ position: { x: 100, y: 30 } });
    await expect.poll(() => params().get('zoom')).toBeTruthy();
    expect(await selected()).toContain('checkout');
    await canvas.click({ position: { x: 100, y: 30 } });
    await expect.poll(() => params().get('zoom')).toBe(null);
  });

  test('the search states its share, in the table as well', async () => {
    await open('explore?v=1');
    await ready();
    await page.keyboard.press('/');
    await page.keyboard.type('^runtime\\.(gc|scan)');
    await expect
      .poll(() => page.locator('.found').textContent())
      .toMatch(/^3 functions, [\d.]+.% of CPU$/);
    await expect.poll(() => page.locator('.fns tbody tr[id]').count()).toBe(3);
    expect(fixture.requests.some((line) => line.includes('search=%28%3Fi%29'))).toBe(true);
  });

  test('a row selects the widest frame of its function', async () => {
    await open('explore?v=1');
    await ready();
    await page.locator('tr[title="runtime.scanobject"]').click();
    await expect.poll(selected).toContain('runtime.scanobject');
    await page.locator('.fns').focus();
    await page.keyboard.press('ArrowDown');
    await expect.poll(selected).not.toContain('runtime.scanobject');
    await page.keyboard.press('Enter');
    await expect.poll(() => params().get('zoom')).toBeTruthy();
  });

  test('a label is added, edited and removed', async () => {
    await open('explore?v=1');
    await ready();
    await page.getByRole('button', { name: 'Add label' }).click();
    await page.getByRole('combobox', { name: 'Label name' }).fill('service_name');
    await page.getByRole('combobox', { name: 'Value' }).fill('pric');
    await page.getByRole('option', { name: 'pricing' }).click();
    await expect.poll(() => params().get('query')).toContain('{service_name="pricing"}');
    expect(fixture.requests.some((line) => line.includes('prefix=pric'))).toBe(true);
    await page.locator('.chip').getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel('Comparison').selectOption('!=');
    await page.getByRole('button', { name: 'Apply' }).click();
    await expect.poll(() => params().get('query')).toContain('{service_name!="pricing"}');
    await page.getByRole('button', { name: 'Remove service_name' }).click();
    await expect.poll(() => params().get('query')).toMatch(/\{\}$/);
    await page.getByRole('button', { name: 'Only checkout' }).click();
    await expect.poll(() => params().get('query')).toContain('{service_name="checkout"}');
  });

  test('a part of the time is selected by dragging, moved by key and cleared', async () => {
    await open('explore?v=1');
    await ready();
    const box = await page.locator('.plot').boundingBox();
    if (box === null) throw new Error('no plot');
    await page.mouse.move(box.x + 300, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + 500, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => params().get('sel')).toMatch(/^\d+-\d+$/);
    const before = params().get('sel');
    await page.getByRole('slider', { name: 'End of the selection' }).press('ArrowRight');
    await expect.poll(() => params().get('sel')).not.toBe(before);
    await page.getByRole('button', { name: 'Clear selection' }).click();
    await expect.poll(() => params().get('sel')).toBe(null);
    expect(params().get('from')).toBe(null);
  });

  test('an empty server tells how to send profiles and shows the first', async () => {
    fixture.state = 'empty';
    await open('explore?v=1');
    await page.getByRole('heading', { name: 'No profiles yet' }).waitFor();
    expect(await page.locator('.ways code').first().textContent()).toBe(
      `everflame agent --server ${fixture.url}`,
    );
    fixture.state = 'ready';
    await page.locator('.fns tbody tr[id]').first().waitFor({ timeout: 15_000 });
  });

  test('a refused query shows where it is wrong', async () => {
    fixture.state = 'error';
    const query = '{namespace="shop",host=~"web-(a|b"}';
    await open(`explore?v=1&query=${encodeURIComponent(query)}`);
    await page.getByRole('heading', { name: 'The server refused this query' }).waitFor();
    expect(await page.locator('.chip.bad').textContent()).toContain('web-(a|b');
    const [text = '', caret = ''] = ((await page.locator('.cmdline').textContent()) ?? '').split(
      '\n',
    );
    expect(text[caret.indexOf('^')]).toBe('(');
    expect(await page.locator('.origin').textContent()).toContain('7f3a91c2');
  });

  test('nothing matches: each matcher can be given up', async () => {
    fixture.state = 'nomatch';
    await open(`explore?v=1&query=${encodeURIComponent('{host="web-91"}')}`);
    await page.getByRole('heading', { name: 'No profiles match' }).waitFor();
    await page.getByText('Without host = web-91').waitFor();
  });

  test('a long query can be given up', async () => {
    fixture.state = 'slow';
    await open('explore?v=1');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled').waitFor();
    fixture.state = 'ready';
    await page.getByRole('button', { name: 'Run it' }).click();
    await ready();
  });

  test('a failed refresh leaves the last answer and says so', async () => {
    await open('explore?v=1');
    await ready();
    fixture.state = 'down';
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByText('Not refreshed:').waitFor({ timeout: 15_000 });
    expect(await page.locator('.graph canvas').count()).toBe(1);
    fixture.state = 'ready';
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Not refreshed:').waitFor({ state: 'detached' });
  });

  test('a link from another version is not guessed at', async () => {
    await open('explore?v=9&find=x');
    await page.getByText('This link is from another version').waitFor();
  });

  test('compare shows what changed, filters by kind, swaps', async () => {
    await open('explore?v=1');
    await ready();
    await page.locator('.query').getByRole('link', { name: 'Compare' }).click();
    await ready();
    expect(params().get('v')).toBe('1');
    expect(await page.locator('.kinds tbody tr').count()).toBe(5);
    await page.locator('.kinds').getByRole('button', { name: 'Gone from B' }).click();
    await expect.poll(() => page.locator('.fns tbody tr[id]').count()).toBe(1);
    expect(await page.locator('.fns tbody tr[id]').textContent()).toContain('gone from B');
    await page.getByRole('button', { name: 'Swap' }).click();
    await expect.poll(() => params().get('from_a')).toBe('now-1h');
    await page.locator('.tool .dropdown button').click();
    await page.getByRole('menuitemradio', { name: 'CPU per second' }).click();
    await expect.poll(() => params().get('mode')).toBe('rate');
  });

  test('a comparison with an empty side offers others', async () => {
    fixture.state = 'nomatch';
    await open('compare?v=1');
    await page.getByText('Neither side has profiles').waitFor();
  });

  test('? lists the keys; the theme is kept', async () => {
    await open('explore?v=1');
    await ready();
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    const asked = fixture.requests.length;
    await page.keyboard.press('r');
    await expect.poll(() => fixture.requests.length).toBeGreaterThan(asked);
    await page.keyboard.press('g');
    await page.keyboard.press('c');
    await expect.poll(() => new URL(page.url()).pathname).toBe(`${PREFIX}/compare`);
    await page.goBack();
    await ready();
    await page.locator('.top .dropdown button').last().click();
    await page.getByRole('menuitemradio', { name: 'Dark' }).click();
    const scheme = () =>
      page.evaluate<string>('getComputedStyle(document.documentElement).colorScheme');
    expect(await scheme()).toBe('dark');
    await page.reload();
    await expect.poll(scheme).toBe('dark');
  });

  test('on a phone nothing is cut: panes are tabs', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of ['explore?v=1', 'compare?v=1', 'compare?v=1&pane=graph']) {
      await open(path);
      await page.locator('.tabs.views button').first().waitFor();
      await page.locator('.quality button').first().waitFor();
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect(wide, path).toBeLessThanOrEqual(390);
    }
    await page.getByRole('tab', { name: 'What changed' }).click();
    await expect.poll(() => page.locator('.tpane').isVisible()).toBe(true);
  });
});
