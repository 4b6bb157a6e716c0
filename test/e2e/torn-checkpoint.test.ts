/** Servers that are killed in the middle of each write to the database file. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FunctionsJson } from '../../wire/http.ts';
import { pprofFromText } from '../pprof-text.ts';
import { getJson, runEverflame, startServerProcess, withFolder } from './server-process.ts';

const QUERY = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="torn"}';
const NOW = Date.now();
/** More than a checkpoint of a small store has. */
const MAX_WRITES = 60;

/** Preloaded, it kills the server in a write. */
function buildLibrary(folder: string): string {
  const library = join(folder, 'torn-write.so');
  const source = 'test/fixtures/torn-write.c';
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
  return library;
}

async function push(url: string, number: number): Promise<void> {
  const body = pprofFromText(`main;number_${number} 1`, { timeMs: NOW - 60_000 + number });
  const answer = await fetch(`${url}/ingest?name=torn`, { method: 'POST', body });
  expect(answer.status).toBe(200);
}

async function readNames(url: string): Promise<string[]> {
  const query = { query: QUERY, limit: '1000', search: '^number_' };
  const { functions } = await getJson<FunctionsJson>(url, '/api/v1/functions', query);
  return functions.map(({ name }) => name).sort();
}

test('killed in any write of a checkpoint, it starts with everything', async () => {
  await withFolder(async (folder) => {
    const library = buildLibrary(folder);
    const dataDir = join(folder, 'data');
    // A file with metadata in it, to which the checkpoints to come add theirs.
    const first = await startServerProcess(dataDir);
    await push(first.url, 0);
    expect(await first.stop()).toBe(0);
    const pushed = ['number_0'];
    let takenBack = 0;
    for (let write = 1; write <= MAX_WRITES; write++) {
      const env = { LD_PRELOAD: library, TORN_WRITE: String(write) };
      const server = await startServerProcess(dataDir, '127.0.0.1:0', { env });
      if (server.output().includes('is taken back')) takenBack++;
      expect(await readNames(server.url)).toEqual([...pushed].sort());
      await push(server.url, write);
      pushed.push(`number_${write}`);
      // A clean stop makes a checkpoint, unless that kills it.
      if ((await server.stop()) === 0) break;
    }
    console.log(`killed in ${pushed.length - 2} writes; ${takenBack} checkpoints taken back`);
    expect(pushed.length).toBeLessThan(MAX_WRITES);
    expect(takenBack).toBeGreaterThan(0);
    const { code } = await runEverflame(['store', 'check', '--data-dir', dataDir]);
    expect(code).toBe(0);
  });
}, 240_000);

test('killed when the file is made, it is made by the next start', async () => {
  await withFolder(async (folder) => {
    const library = buildLibrary(folder);
    for (const write of ['1', '2', '3']) {
      const dataDir = join(folder, write);
      const env = { LD_PRELOAD: library, TORN_WRITE: write };
      const flags = ['--http-address', '127.0.0.1:0', '--data-dir', dataDir];
      expect((await runEverflame(['server', ...flags], env)).code).toBe(null);
      const server = await startServerProcess(dataDir);
      await push(server.url, 1);
      expect(await readNames(server.url)).toEqual(['number_1']);
      expect(await server.stop()).toBe(0);
    }
  });
});
