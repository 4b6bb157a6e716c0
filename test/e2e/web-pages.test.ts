/** The built pages in a real browser against canned answers: every state, by pointer and by key. */
import { describe, expect, test } from 'vitest';
import { missing, PREFIX, useSession } from './web-session.ts';

/** Runs in the page: distinct colours on the upper part of the canvas. */
const COUNT_COLOURS = `(() => {
  const context = document.querySelector('.graph canvas').getContext('2d');
  const pixels = new Uint32Array(context.getImageData(0, 0, 800, 200).data.buffer);
  return new Set(pixels).size;
})()`;

describe.skipIf(missing !== null)('pages', () => {
  const session = useSession();
  const { open, params } = session;
  /** The selected tree item: what a screen reader is told. */
  const selected = () => session.page.locator('[role=treeitem][aria-selected=true]').textContent();
  const ready = async () => {
    await session.page.locator('.tscroll tbody tr[id]').first().waitFor();
    await session.page.locator('.graph canvas').first().waitFor({ state: 'attached' });
  };

  test('explore draws the graph, the table and the quality of the answer', async () => {
    await open('');
    await ready();
    expect(await session.page.locator('.fns tbody tr[id]').count()).toBeGreaterThan(20);
    expect(await session.page.locator('.quality').textContent()).toContain('18.7 of 19 Hz');
    expect(await session.page.locator('.labels tbody tr').count()).toBe(4);
    const colours = await session.page.evaluate<number>(COUNT_COLOURS);
    expect(colours).toBeGreaterThan(8);
  });

  test('keys move, zoom and go back; the URL says where', async () => {
    await open('explore?v=1');
    await ready();
    await session.page.locator('.graph').focus();
    await session.page.keyboard.press('ArrowDown');
    await session.page.keyboard.press('ArrowDown');
    expect(await selected()).toContain('runtime.goexit');
    await session.page.keyboard.press('Enter');
    await expect.poll(() => params().get('zoom')?.split('.').length).toBe(2);
    const link = session.page.url();
    await session.page.keyboard.press('Escape');
    await expect.poll(() => params().get('zoom')).toBe(null);
    await session.page.goBack();
    await expect.poll(() => session.page.url()).toBe(link);
    await session.page.locator('text=Reset zoom').waitFor();
    await session.page.reload();
    await session.page.locator('text=Reset zoom').waitFor();
    expect(await selected()).toContain('runtime.goexit');
  });

  test('a click on a frame zooms, a second one on it goes out again', async () => {
    await open('explore?v=1');
    await ready();
    const canvas = session.page.locator('.graph canvas');
    await canvas.click({ position: { x: 100, y: 30 } });
    await expect.poll(() => params().get('zoom')).toBeTruthy();
    expect(await selected()).toContain('checkout');
    await canvas.click({ position: { x: 100, y: 30 } });
    await expect.poll(() => params().get('zoom')).toBe(null);
  });

  test('the search states its share, in the table as well', async () => {
    await open('explore?v=1');
    await ready();
    await session.page.keyboard.press('/');
    await session.page.keyboard.type('^runtime\\.(gc|scan)');
    await expect
      .poll(() => session.page.locator('.found').textContent())
      .toMatch(/^3 functions, [\d.]+.% of CPU$/);
    await expect.poll(() => session.page.locator('.fns tbody tr[id]').count()).toBe(3);
    expect(session.fixture.requests.some((line) => line.includes('search=%28%3Fi%29'))).toBe(true);
  });

  test('a row selects the widest frame of its function', async () => {
    await open('explore?v=1');
    await ready();
    await session.page.locator('tr[title="runtime.scanobject"]').click();
    await expect.poll(selected).toContain('runtime.scanobject');
    await session.page.locator('.fns').focus();
    await session.page.keyboard.press('ArrowDown');
    await expect.poll(selected).not.toContain('runtime.scanobject');
    await session.page.keyboard.press('Enter');
    await expect.poll(() => params().get('zoom')).toBeTruthy();
  });

  test('a label is added, edited and removed', async () => {
    await open('explore?v=1');
    await ready();
    await session.page.getByRole('button', { name: 'Add label' }).click();
    await session.page.getByRole('combobox', { name: 'Label name' }).fill('service_name');
    await session.page.getByRole('combobox', { name: 'Value' }).fill('pric');
    await session.page.getByRole('option', { name: 'pricing' }).click();
    await expect.poll(() => params().get('query')).toContain('{service_name="pricing"}');
    expect(session.fixture.requests.some((line) => line.includes('prefix=pric'))).toBe(true);
    await session.page.locator('.chip').getByRole('button', { name: 'Edit' }).click();
    await session.page.getByLabel('Comparison').selectOption('!=');
    await session.page.getByRole('button', { name: 'Apply' }).click();
    await expect.poll(() => params().get('query')).toContain('{service_name!="pricing"}');
    await session.page.getByRole('button', { name: 'Remove service_name' }).click();
    await expect.poll(() => params().get('query')).toMatch(/\{\}$/);
    await session.page.getByRole('button', { name: 'Only checkout' }).click();
    await expect.poll(() => params().get('query')).toContain('{service_name="checkout"}');
  });

  test('a part of the time is selected by dragging, moved by key and cleared', async () => {
    await open('explore?v=1');
    await ready();
    const box = await session.page.locator('.plot').boundingBox();
    if (box === null) throw new Error('no plot');
    await session.page.mouse.move(box.x + 300, box.y + 40);
    await session.page.mouse.down();
    await session.page.mouse.move(box.x + 500, box.y + 40, { steps: 4 });
    await session.page.mouse.up();
    await expect.poll(() => params().get('sel')).toMatch(/^\d+-\d+$/);
    const before = params().get('sel');
    await session.page.getByRole('slider', { name: 'End of the selection' }).press('ArrowRight');
    await expect.poll(() => params().get('sel')).not.toBe(before);
    await session.page.getByRole('button', { name: 'Clear selection' }).click();
    await expect.poll(() => params().get('sel')).toBe(null);
    expect(params().get('from')).toBe(null);
  });

  test('an empty server tells how to send profiles and shows the first', async () => {
    session.fixture.state = 'empty';
    await open('explore?v=1');
    await session.page.getByRole('heading', { name: 'No profiles yet' }).waitFor();
    expect(await session.page.locator('.ways code').first().textContent()).toBe(
      `everflame agent --server ${session.fixture.url}`,
    );
    session.fixture.state = 'ready';
    await session.page.locator('.fns tbody tr[id]').first().waitFor({ timeout: 15_000 });
  });

  test('a refused query shows where it is wrong', async () => {
    session.fixture.state = 'error';
    const query = '{namespace="shop",host=~"web-(a|b"}';
    await open(`explore?v=1&query=${encodeURIComponent(query)}`);
    await session.page.getByRole('heading', { name: 'The server refused this query' }).waitFor();
    expect(await session.page.locator('.chip.bad').textContent()).toContain('web-(a|b');
    const [text = '', caret = ''] = (
      (await session.page.locator('.cmdline').textContent()) ?? ''
    ).split('\n');
    expect(text[caret.indexOf('^')]).toBe('(');
    expect(await session.page.locator('.origin').textContent()).toContain('7f3a91c2');
  });

  test('nothing matches: each matcher can be given up', async () => {
    session.fixture.state = 'nomatch';
    await open(`explore?v=1&query=${encodeURIComponent('{host="web-91"}')}`);
    await session.page.getByRole('heading', { name: 'No profiles match' }).waitFor();
    await session.page.getByText('Without host = web-91').waitFor();
  });

  test('a long query can be given up', async () => {
    session.fixture.state = 'slow';
    await open('explore?v=1');
    await session.page.getByRole('button', { name: 'Cancel' }).click();
    await session.page.getByText('Cancelled').waitFor();
    session.fixture.state = 'ready';
    await session.page.getByRole('button', { name: 'Run it' }).click();
    await ready();
  });

  test('a failed refresh leaves the last answer and says so', async () => {
    await open('explore?v=1');
    await ready();
    session.fixture.state = 'down';
    await session.page.getByRole('button', { name: 'Refresh' }).click();
    await session.page.getByText('Not refreshed:').waitFor({ timeout: 15_000 });
    expect(await session.page.locator('.graph canvas').count()).toBe(1);
    session.fixture.state = 'ready';
    await session.page.getByRole('button', { name: 'Try again' }).click();
    await session.page.getByText('Not refreshed:').waitFor({ state: 'detached' });
  });

  test('a link from another version is not guessed at', async () => {
    await open('explore?v=9&find=x');
    await session.page.getByText('This link is from another version').waitFor();
  });

  test('compare shows what changed, filters by kind, swaps', async () => {
    await open('explore?v=1');
    await ready();
    await session.page.locator('.query').getByRole('link', { name: 'Compare' }).click();
    await ready();
    expect(params().get('v')).toBe('1');
    expect(await session.page.locator('.kinds tbody tr').count()).toBe(5);
    await session.page.locator('.kinds').getByRole('button', { name: 'Gone from B' }).click();
    await expect.poll(() => session.page.locator('.fns tbody tr[id]').count()).toBe(1);
    expect(await session.page.locator('.fns tbody tr[id]').textContent()).toContain('gone from B');
    await session.page.getByRole('button', { name: 'Swap' }).click();
    await expect.poll(() => params().get('from_a')).toBe('now-1h');
    await session.page.getByRole('button', { name: 'Compare share of CPU' }).click();
    await session.page.getByRole('menuitemradio', { name: 'CPU per second' }).click();
    await expect.poll(() => params().get('mode')).toBe('rate');
  });

  test('a comparison with an empty side offers others', async () => {
    session.fixture.state = 'nomatch';
    await open('compare?v=1');
    await session.page.getByText('Neither side has profiles').waitFor();
  });

  test('? lists the keys; the theme is kept', async () => {
    await open('explore?v=1');
    await ready();
    await session.page.keyboard.press('?');
    await session.page.getByRole('heading', { name: 'Keys' }).waitFor();
    await session.page.keyboard.press('Escape');
    const asked = session.fixture.requests.length;
    await session.page.keyboard.press('r');
    await expect.poll(() => session.fixture.requests.length).toBeGreaterThan(asked);
    await session.page.keyboard.press('g');
    await session.page.keyboard.press('c');
    await expect.poll(() => new URL(session.page.url()).pathname).toBe(`${PREFIX}/compare`);
    await session.page.goBack();
    await ready();
    await session.page.locator('.top .dropdown button').last().click();
    await session.page.getByRole('menuitemradio', { name: 'Dark' }).click();
    const scheme = () =>
      session.page.evaluate<string>('getComputedStyle(document.documentElement).colorScheme');
    expect(await scheme()).toBe('dark');
    await session.page.reload();
    await expect.poll(scheme).toBe('dark');
  });

  test('on a phone nothing is cut: panes are tabs', async () => {
    await session.page.setViewportSize({ width: 390, height: 844 });
    for (const path of ['explore?v=1', 'compare?v=1', 'compare?v=1&pane=graph']) {
      await open(path);
      await session.page.locator('.tabs.views button').first().waitFor();
      await session.page.locator('.quality button').first().waitFor();
      const wide = await session.page.evaluate<number>('document.documentElement.scrollWidth');
      expect(wide, path).toBeLessThanOrEqual(390);
    }
    await session.page.getByRole('tab', { name: 'What changed' }).click();
    await expect.poll(() => session.page.locator('.tpane').isVisible()).toBe(true);
  });
});
