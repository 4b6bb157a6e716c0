import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Database } from '../store/duckdb/sql/database.ts';
import { pprofFromText } from '../test/pprof-text.ts';
import type { MergeJson } from '../wire/http.ts';
import { AppKeeper } from './app-keeper.ts';

const NOW = Date.now();
const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';

function ask(keeper: AppKeeper, path: string, init?: RequestInit) {
  return keeper.fetch(new Request(`http://127.0.0.1/prefix${path}`, init));
}

/** Makes the database of the store that was opened last fail for good, as a full disk does. */
async function endDatabase(database: Database): Promise<void> {
  const connection = await database.connect();
  await duckdb.query(connection, "SET GLOBAL debug_checkpoint_abort = 'before_header'");
  await duckdb.query(connection, "UPDATE meta SET value = '1' WHERE name = 'probed_ms'");
  await expect(duckdb.query(connection, 'CHECKPOINT')).rejects.toThrow('FATAL');
  duckdb.disconnect_sync(connection);
}

test('what ends is opened again with all that was acknowledged, but not for ever', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'everflame-keeper-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const connect = vi.spyOn(Database.prototype, 'connect');
  onTestFinished(() => connect.mockRestore());
  const lines: string[] = [];
  const keeper = await AppKeeper.open({
    dataDir,
    debuginfoBytes: 1e9,
    pathPrefix: '/prefix',
    insecure: false,
    log: (line) => lines.push(line),
  });
  for (const round of [1, 2, 3]) {
    const body = pprofFromText('main;a 1', { timeMs: NOW - round }) as Uint8Array<ArrayBuffer>;
    const pushed = await ask(keeper, '/ingest?name=kept', { method: 'POST', body });
    expect(pushed.status).toBe(200);
    const total = new URLSearchParams({ query: QUERY, from: `${NOW - 9}`, to: `${NOW + 1}` });
    const merged = (await (await ask(keeper, `/api/v1/merge?${total}`)).json()) as MergeJson;
    expect(merged.total).toBe(round);
    await endDatabase(connect.mock.contexts.at(-1) as unknown as Database);
    expect((await ask(keeper, '/readyz')).status).toBe(503);
    expect((await ask(keeper, '/healthz')).status).toBe(200);
    if (round === 3) continue;
    await vi.waitFor(async () => expect((await ask(keeper, '/readyz')).status).toBe(200), 30_000);
    const metrics = await (await ask(keeper, '/metrics')).text();
    expect(metrics).toContain(`\neverflame_store_restarts_total ${round}\n`);
  }
  expect((await keeper.failed).message).toMatch(
    /^the database failed: Failed to create checkpoint/,
  );
  const refused = await ask(keeper, '/ingest?name=kept', { method: 'POST', body: 'x' });
  expect(refused.headers.get('retry-after')).toBe('5');
  expect(await refused.json()).toMatchObject({
    status: 503,
    detail: expect.stringMatching(/^the database failed: /),
  });
  await keeper.close();
  const ended = expect.stringMatching(/^the store has ended and is opened again: /);
  expect(lines).toEqual([
    ended,
    'the store is open again',
    ended,
    'the store is open again',
    ended,
  ]);
});
