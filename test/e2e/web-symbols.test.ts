/** The page of symbols, and how names and their absence show on the others. */
import { describe, expect, test } from 'vitest';
import { decodeFg1, encodeFg1, FG1_MEDIA_TYPE } from '../../profile/flame/fg1.ts';
import { missing, PREFIX, useSession } from './web-session.ts';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

describe.skipIf(missing !== null)('symbols', () => {
  const session = useSession();
  const { open, params } = session;
  const rows = () => session.page.locator('.bins tbody tr[id]');
  const files = () => session.page.locator('.bins tbody tr[id] td:first-child').allInnerTexts();
  const details = () => session.page.locator('.binary');
  const openList = async (more = '') => {
    await open(`debuginfo?v=1${more}`);
    await rows().first().waitFor();
  };
  const openGraph = async (path: string) => {
    await open(path);
    await session.page.locator('.tscroll tbody tr[id]').first().waitFor();
    await session.page.locator('.graph canvas').first().waitFor({ state: 'attached' });
  };

  test('what weighs most without names comes first, and a click sorts anew', async () => {
    await openList();
    expect((await files()).slice(0, 3)).toEqual([
      'libvendor.so',
      'libprotobuf.so.32',
      'fraud-model',
    ]);
    expect(await session.page.locator('.summary').textContent()).toMatch(
      /^6.37.% of CPU without names, in 6 of 12 binaries$/,
    );
    await session.page.getByRole('button', { name: 'Self', exact: true }).click();
    await expect.poll(async () => (await files())[0]).toBe('checkout');
    expect(params().get('sort')).toBe('self');
    expect(await session.page.locator('.quality').textContent()).toContain('2.31 GB of 10 GB');
  });

  test('the list is narrowed by text, by state and by reason', async () => {
    await openList();
    await session.page.keyboard.press('/');
    await session.page.keyboard.type('debuginfod.debian');
    await expect.poll(files).toEqual(['node']);
    await session.page.keyboard.press('Escape');
    await session.page.getByRole('button', { name: 'Show: All binaries' }).click();
    await session.page.getByRole('menuitemradio', { name: 'Failed' }).click();
    await expect.poll(files).toEqual(['fraud-model', 'gate']);
    await session.page.getByRole('button', { name: 'Show: Failed' }).click();
    await session.page.getByRole('menuitemradio', { name: 'No function is there' }).click();
    await expect.poll(files).toEqual(['libssl.so.3', 'node']);
    expect([params().get('reason'), params().get('filter')]).toEqual(['not covered', null]);
    await session.page.getByRole('searchbox').fill('nothing like it');
    await session.page.getByRole('button', { name: 'Show all 12' }).click();
    await expect.poll(() => rows().count()).toBe(12);
  });

  test('with labels only what the query names is listed; the rest can be', async () => {
    const query = encodeURIComponent(`${TYPE}{service_name="checkout"}`);
    await openList(`&query=${query}`);
    await expect.poll(() => rows().count()).toBe(10);
    expect(await files()).not.toContain('gone-with-the-release');
    const summary = () => session.page.locator('.summary').textContent();
    expect(await summary()).toMatch(/in 6 of 10 binaries$/);
    await session.page.getByRole('button', { name: 'Show: Binaries of this query' }).click();
    await session.page.getByRole('menuitemradio', { name: 'All known binaries 12' }).click();
    await expect.poll(files).toContain('gone-with-the-release');
    expect([params().get('filter'), await summary()]).toEqual([
      'known',
      expect.stringMatching(/in 6 of 12 binaries$/),
    ]);
  });

  test('a binary without a build id says what helps, and offers nothing that does not', async () => {
    await openList('&reason=no+build+id');
    expect(await files()).toEqual(['legacy-report']);
    await rows().first().click();
    await details().getByText('No build id', { exact: true }).waitFor();
    await details().getByText('-Wl,--build-id').waitFor();
    expect(await details().getByRole('button').allInnerTexts()).toEqual(['×']);
    expect(await details().getByRole('region').allInnerTexts()).toHaveLength(1);
    expect(params().get('select')).toBe('file legacy-report');
  });

  test('of one known by its hash only that file can be sent; what failed can be deleted', async () => {
    await openList('&select=htl:5f0c9a7b11d2e3f4');
    const send = details().getByRole('region', { name: 'Send its symbols' });
    await send.getByText('Upload exactly the file that runs').waitFor();
    await details().getByRole('button', { name: 'Delete…' }).click();
    const dialog = session.page.getByRole('dialog', { name: 'Delete these symbols?' });
    await dialog.getByText('Everything that is here of gate. Its frames').waitFor();
  });

  test('what is ready and lacks something is marked', async () => {
    await openList('&filter=ready');
    const marked = session.page.locator('.bins tr[id]', { has: session.page.locator('.lacking') });
    expect(await marked.locator('td:first-child').allInnerTexts()).toEqual(['libssl.so.3']);
    expect(await marked.locator('.lacking').getAttribute('title')).toContain('stripped');
  });

  test('while the next answer is awaited the strip keeps the time of the last', async () => {
    await openList();
    const strip = session.page.getByText(/^Answered at /);
    const before = await strip.textContent();
    session.fixture.state = 'slow';
    await session.page.getByRole('button', { name: 'Last 1 hour' }).click();
    await session.page.getByRole('menuitemradio', { name: 'Last 3 hours' }).click();
    const asked = () => session.fixture.requests.filter((line) => line.startsWith('debuginfo?'));
    await expect.poll(() => asked().length).toBe(2);
    expect([before, await strip.textContent()]).toEqual([expect.stringMatching(/:/), before]);
  });

  test('by keys: a row, its details, and back', async () => {
    await openList();
    await session.page.locator('.bins').focus();
    await session.page.keyboard.press('ArrowDown');
    await details().getByText('Upload the unstripped library').waitFor();
    expect(params().get('select')).toBe(session.fixture.debuginfo.buildId('libvendor.so'));
    await session.page.keyboard.press('ArrowDown');
    await details().getByRole('heading', { name: 'libprotobuf.so.32' }).waitFor();
    await session.page.keyboard.press('Enter');
    await session.page.keyboard.press('Tab');
    await session.page.keyboard.press('Escape');
    await details().waitFor({ state: 'detached' });
    await expect
      .poll(() => session.page.evaluate('document.activeElement.className'))
      .toContain('bins');
  });

  test('a link opens the details, wherever the row is', async () => {
    session.fixture.debuginfo.more = 2000;
    await openList();
    const select = session.fixture.debuginfo.buildId('service-1500');
    await openList(`&select=${select}`);
    await details().getByRole('heading', { name: 'service-1500' }).waitFor();
    await session.page.locator('tr[aria-selected=true]').waitFor();
    expect(await rows().count()).toBeLessThan(100);
    expect(
      await session.page.evaluate('document.documentElement.scrollHeight - innerHeight'),
    ).toBeLessThanOrEqual(0);
    await details().getByRole('link', { name: 'Show in the flame graph' }).click();
    await expect.poll(() => new URL(session.page.url()).pathname).toBe(`${PREFIX}/explore`);
    expect(params().get('binary')).toBe('service-1500');
  });

  test('the details say which files were sent and what they lack', async () => {
    await openList('&find=pricing');
    await rows().first().click();
    const sources = details().getByRole('region', { name: 'Where its symbols are from' });
    await sources.getByText('pricing-engine.debug', { exact: true }).waitFor();
    expect(await sources.textContent()).toContain('Converted to 11.4 MB');
    const lacks = details().getByRole('region', { name: 'What they lack' });
    expect(await lacks.getByRole('listitem').allInnerTexts()).toEqual([
      'Units of DWARF that cannot be read to their end\n2',
      'Names that cannot be read\n17',
      'Ranges that something else describes, too\n3',
    ]);
    await openList('&find=left-pad');
    await rows().first().click();
    await details().waitFor();
    expect(await lacks.count()).toBe(0);
  });

  test('looking again is asked for and its progress shown', async () => {
    await openList();
    await rows().nth(2).click();
    await details().getByRole('button', { name: 'Try again' }).click();
    const status = details().locator('.verdict .status');
    await expect.poll(() => status.textContent()).toBe('Converting');
    const id = session.fixture.debuginfo.buildId('fraud-model');
    expect(session.fixture.debuginfo.commands).toEqual([`POST ${id}`]);
    session.fixture.debuginfo.refuse = true;
    await details().getByRole('button', { name: 'Start over' }).click();
    await details().getByRole('alert').waitFor();
  });

  test('deleting asks first; Esc keeps', async () => {
    await openList('&find=pricing');
    await rows().first().click();
    const dialog = session.page.getByRole('dialog', { name: 'Delete these symbols?' });
    await details().getByRole('button', { name: 'Delete…' }).click();
    await dialog.waitFor();
    await session.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(session.fixture.debuginfo.commands).toEqual([]);
    await details().getByRole('button', { name: 'Delete…' }).focus();
    await session.page.keyboard.press('Enter');
    await session.page.keyboard.press('Tab');
    await session.page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await details().getByText('Its symbols were deleted.').waitFor();
    expect(session.fixture.debuginfo.commands[0]).toMatch(/^DELETE [0-9a-f]{40}$/);
  });

  test('columns that are not wanted are left out, in the link as well', async () => {
    await openList();
    await session.page.getByRole('button', { name: 'Columns' }).click();
    await session.page.getByRole('checkbox', { name: 'Functions' }).uncheck();
    await session.page.getByRole('checkbox', { name: 'Source' }).uncheck();
    await expect.poll(() => params().get('hide')).toBe('source,functions');
    expect(await session.page.locator('.bins thead').textContent()).not.toContain('Functions');
  });

  test('nothing to list, no answer, a refused query, a failed refresh', async () => {
    session.fixture.state = 'nomatch';
    await open('debuginfo?v=1');
    await session.page.getByRole('heading', { name: 'No binaries' }).waitFor();
    session.fixture.state = 'slow';
    await open('debuginfo?v=1');
    await session.page.locator('.binaries .sk').first().waitFor();
    session.fixture.state = 'error';
    await open(`debuginfo?v=1&query=${encodeURIComponent('{host=~"web-(a|b"}')}`);
    await session.page.getByRole('heading', { name: 'The server refused this query' }).waitFor();
    session.fixture.state = 'ready';
    await openList();
    session.fixture.state = 'down';
    await session.page.getByRole('button', { name: 'Refresh' }).click();
    await session.page.getByText('Not refreshed:').waitFor({ timeout: 15_000 });
    expect(await rows().count()).toBe(12);
  });

  test('an empty server still shows the symbols it was sent', async () => {
    session.fixture.state = 'empty';
    await openList();
    expect(await session.page.getByRole('button', { name: 'Profile type' }).count()).toBe(0);
  });

  test('on a phone the details take the place of the list', async () => {
    await session.page.setViewportSize({ width: 390, height: 844 });
    await openList();
    const wide = () => session.page.evaluate('document.documentElement.scrollWidth');
    expect(await wide()).toBe(390);
    await rows().nth(2).click();
    await details().waitFor();
    expect(await rows().first().isVisible()).toBe(false);
    expect(await wide()).toBe(390);
    await details().getByRole('button', { name: 'All binaries' }).click();
    await expect.poll(() => rows().first().isVisible()).toBe(true);
  });

  test('the strip below a graph leads to the binaries that a reason concerns', async () => {
    await openGraph('explore?v=1&from=now-3h&to=now');
    await session.page.locator('.quality').getByRole('button', { name: 'unsymbolized' }).click();
    await session.page.getByRole('link', { name: 'No function is there' }).click();
    await rows().first().waitFor();
    expect(await files()).toEqual(['libssl.so.3', 'node']);
    expect([params().get('from'), params().get('reason')]).toEqual(['now-3h', 'not covered']);
    await session.page.keyboard.press('g');
    await session.page.keyboard.press('e');
    await expect.poll(() => new URL(session.page.url()).pathname).toBe(`${PREFIX}/explore`);
    expect(params().get('from')).toBe('now-3h');
  });

  test('names are short, full or raw, everywhere, and stay so', async () => {
    await openGraph('explore?v=1');
    const cell = session.page.locator('.fns tr[title*="Engine::Evaluate"] .fn');
    expect(await cell.textContent()).toBe('…pricing::Engine::Evaluate');
    await cell.click();
    const strip = session.page.locator('.detail .who');
    await expect
      .poll(() => strip.textContent())
      .toMatch(/^acme::pricing::Engine::Evaluate\(.*engine.cc:214.*_ZNK4acme7/);
    await session.page.getByRole('button', { name: 'Function names: ' }).click();
    await session.page.getByRole('menuitemradio', { name: 'Raw names' }).click();
    await expect.poll(() => cell.textContent()).toMatch(/^_ZNK4acme7.*…$/);
    await expect.poll(() => strip.textContent()).toMatch(/^_ZNK4acme7pricing6Engine8Evaluate/);
    await session.page.getByRole('searchbox').fill('^_ZNK');
    await expect.poll(() => session.page.locator('.found').textContent()).toMatch(/^1 function,/);
    await expect.poll(() => session.page.locator('.fns tbody tr[id]').count()).toBe(1);
    await openGraph('compare?v=1');
    await session.page.getByRole('button', { name: 'Function names: Raw names' }).click();
    await session.page.getByRole('menuitemradio', { name: 'Full names' }).click();
    await expect.poll(() => params().get('names')).toBe('full');
    await openGraph('explore?v=1');
    await session.page.getByRole('button', { name: 'Function names: Full names' }).waitFor();
    await openGraph('explore?v=1&names=short');
    await session.page.getByRole('button', { name: 'Function names: Short names' }).waitFor();
  });

  test('a zoom by line is asked for in full, by name and place', async () => {
    await session.page.route('**/api/v1/merge?*', async (route) => {
      const graph = decodeFg1(await (await route.fetch()).body());
      graph.folded.fill(1);
      await route.fulfill({ body: Buffer.from(encodeFg1(graph)), contentType: FG1_MEDIA_TYPE });
    });
    await openGraph('explore?v=1&lines=1');
    await session.page.locator('.graph').focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await session.page.keyboard.press(key);
    await expect.poll(() => params().get('zoom')).toBeTruthy();
    const asked = () =>
      session.fixture.requests
        .map((line) => new URLSearchParams(line.slice(line.indexOf('?'))))
        .filter((line) => line.has('root_at'))
        .map((line) => [line.get('granularity'), line.getAll('root'), line.getAll('root_at')]);
    await expect.poll(asked).toEqual([['line', expect.any(Array), expect.any(Array)]]);
    expect(asked()[0]?.[1]).toHaveLength(2);
    expect(asked()[0]?.[2]).toHaveLength(2);
    await session.page.unrouteAll({ behavior: 'wait' });
  });

  test('inlined frames are marked and explained', async () => {
    await openGraph('explore?v=1');
    await session.page.locator('.legend .marks').getByText('inlined').waitFor();
    await session.page.locator('tr[title^="std::__lower_bound"]').click();
    const strip = session.page.locator('.detail');
    await expect.poll(() => strip.textContent()).toContain('inlined into its caller');
    await strip.getByRole('link', { name: 'Symbols' }).click();
    await details().getByRole('heading', { name: 'pricing-engine' }).waitFor();
  });
});
