/** A page of the built UI in a real browser, against canned answers, anew for each test. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { CHROMIUM, CHROMIUM_ARGS } from './web-chromium.ts';
import { type Fixture, startFixture } from './web-fixture.ts';

const built = existsSync(join(import.meta.dirname, '../../dist/web/index.html'));

/** Why browser tests cannot run here; null where they can. */
export const missing = !existsSync(CHROMIUM)
  ? `${CHROMIUM} is not installed`
  : built
    ? null
    : 'dist/web is not built; npm run build:web';
if (missing !== null) console.warn(`browser tests of the pages are skipped: ${missing}`);

export const PREFIX = '/tools/flame';

export interface Session {
  page: Page;
  fixture: Fixture;
  open: (path: string) => Promise<void>;
  /** Parameters of the address that the browser shows. */
  params: () => URLSearchParams;
}

/** Sets up what `session` holds before each test, and fails a test whose page reported a fault. */
export function useSession(): Session {
  let browser: Browser;
  let faults: string[] = [];
  const session = {
    open: async (path: string) => {
      await session.page.goto(`${session.fixture.url}/${path}`);
    },
    params: () => new URL(session.page.url()).searchParams,
  } as Session;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
  });
  afterAll(async () => {
    await browser?.close();
  });
  beforeEach(async () => {
    session.fixture = await startFixture(PREFIX);
    session.page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    faults = [];
    session.page.on('pageerror', (error) => faults.push(error.message));
    session.page.on('console', (line) => {
      const text = line.text();
      // The browser itself reports answers that the test asked to fail.
      if (line.type() === 'error' && !text.startsWith('Failed to load resource')) faults.push(text);
    });
  });
  afterEach(async () => {
    await session.page.close();
    await session.fixture.close();
    expect(faults).toEqual([]);
  });
  return session;
}
