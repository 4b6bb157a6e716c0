import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Location, Mapping, Profile, Sample, StringTable, ValueType } from 'pprof-format';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DebuginfoJson } from '../wire/http.ts';
import { type RunningServer, startServer } from './server.ts';

let dir = '';
let server: RunningServer;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'debuginfo-absent-'));
  server = await startServer({
    httpAddress: '127.0.0.1:0',
    dataDir: join(dir, 'data'),
    debuginfoBytes: 1e9,
    debuginfoPaths: [join(dir, 'nothing')],
    pathPrefix: '',
    insecure: false,
    log: (line) => process.stderr.write(`${line}\n`),
  });
});
afterAll(async () => {
  await server.close(1_000);
  rmSync(dir, { recursive: true });
});

/** One sample of 500 ns at an address that its writer did not name. */
function unnamedProfile(buildId: string): Uint8Array<ArrayBuffer> {
  const texts = new StringTable();
  const cpu = () => new ValueType({ type: texts.dedup('cpu'), unit: texts.dedup('nanoseconds') });
  const mapping = new Mapping({
    id: 1,
    memoryStart: 0x1000,
    memoryLimit: 0x9000,
    filename: texts.dedup('/usr/bin/lost'),
    buildId: texts.dedup(buildId),
  });
  const profile = new Profile({
    stringTable: texts,
    sampleType: [cpu()],
    periodType: cpu(),
    period: 1,
    mapping: [mapping],
    location: [new Location({ id: 1, mappingId: 1, address: 0x2000, line: [] })],
    sample: [new Sample({ locationId: [1], value: [500] })],
  });
  return Uint8Array.from(profile.encode());
}

test('a binary that profiles name and nobody sent has a row that says what to do', async () => {
  const buildId = 'ab'.repeat(20);
  const nowS = Math.floor(Date.now() / 1000);
  const parameters = `name=svc&from=${nowS - 20}&until=${nowS - 10}&format=pprof`;
  const body = unnamedProfile(buildId);
  const pushed = await fetch(`${server.url}/ingest?${parameters}`, { method: 'POST', body });
  expect(pushed.status).toBe(200);
  const list = async (search = '') => {
    const response = await fetch(`${server.url}/api/v1/debuginfo?${search}`);
    return (await response.json()) as DebuginfoJson;
  };
  expect(await list()).toMatchObject({
    total: 500,
    omitted: 0,
    debuginfo: [
      {
        build_id: buildId,
        file: 'lost',
        state: 'absent',
        self: 500,
        unsymbolized: { 'no debug information': 500 },
        problem: 'Nobody has sent it.',
        remedy: expect.stringContaining('everflame debuginfo upload'),
      },
    ],
  });
  expect((await list('search=other')).debuginfo).toEqual([]);
  await fetch(`${server.url}/api/v1/debuginfo/${buildId}/retry`, { method: 'POST' });
  const problem = async () => (await list('search=lost')).debuginfo[0]?.problem;
  const told = `Nobody has sent it. It is not in ${join(dir, 'nothing')}.`;
  await expect.poll(problem, { timeout: 25_000 }).toBe(told);
});
