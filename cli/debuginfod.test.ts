import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../symbolizer/elf/elf.ts';
import { buildElf } from '../test/fixtures/elf-builds.ts';
import { runMain } from './main.ts';
import { type RunningServer, startServer } from './server.ts';

let dir = '';
let program = '';
let buildId = '';
let server: RunningServer;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'debuginfod-'));
  program = buildElf(dir, 'library', ['-g']);
  const source = openByteSource(program);
  buildId = readElfIdentity(source).buildId;
  source.close();
  server = await startServer({
    httpAddress: '127.0.0.1:0',
    dataDir: join(dir, 'data'),
    debuginfoBytes: 1e9,
    pathPrefix: '/flames',
    insecure: false,
    log: () => undefined,
  });
  const output = { out: () => undefined, err: () => undefined };
  await runMain(['debuginfo', 'upload', program, '--server', server.url], {}, output);
});
afterAll(async () => {
  await server.close(1_000);
  rmSync(dir, { recursive: true });
});

function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  return fetch(`${server.url}/buildid/${path}`, { method, headers });
}

test('a debug file comes whole, with its size and name', async () => {
  const response = await get(`${buildId}/debuginfo`);
  const body = Buffer.from(await response.arrayBuffer());
  expect(response.status).toBe(200);
  expect(response.headers.get('x-debuginfod-size')).toBe(String(body.length));
  expect(response.headers.get('x-debuginfod-file')).toBe('library-g');
  const head = await get(`${buildId}/debuginfo`, {}, 'HEAD');
  expect(head.headers.get('content-length')).toBe(String(body.length));
  expect((await head.arrayBuffer()).byteLength).toBe(0);
});

test.each([
  ['bytes=0-3', 206, '\x7fELF'],
  ['bytes=1-3', 206, 'ELF'],
  ['bytes=99999999-', 416, ''],
  ['bytes=3-1', 200, null],
  ['bytes=0-1,3-4', 200, null],
  ['lines=0-1', 200, null],
])('Range: %s', async (range, status, text) => {
  const response = await get(`${buildId}/debuginfo`, { range });
  const body = Buffer.from(await response.arrayBuffer());
  expect(response.status).toBe(status);
  if (status === 206) expect(body.toString('latin1')).toBe(text);
  if (status === 200) expect(body.length).toBe(Number(response.headers.get('x-debuginfod-size')));
});

test.each([
  [`${'ab'.repeat(20)}/debuginfo`, 404],
  // What was uploaded is an extraction.
  ['ID/executable', 404],
  ['ID/source/etc/passwd', 404],
  // It has no code either.
  ['ID/section/.text', 404],
  ['ID/section/.nothing', 404],
  ['ID/section/.debug', 404],
  ['ID/section/', 404],
  [`${'ab'.repeat(20)}/section/.debug_info`, 404],
  ['ID/section/.debug_info', 200],
  ['..%2f..%2fetc%2fpasswd/debuginfo', 404],
  ['go:abcdefghijklmnopqrstuvwxyz/debuginfo', 404],
])('%s: %d', async (path, status) => {
  expect((await get(path.replace('ID', buildId))).status).toBe(status);
});

test('a section comes as it lies in the file', async () => {
  const dump = `--dump-section=.debug_str=${program}.str`;
  execFileSync('objcopy', [dump, program, `${program}.copy`]);
  const section = readFileSync(`${program}.str`);
  const response = await get(`${buildId}/section/.debug_str`);
  expect(response.headers.get('x-debuginfod-size')).toBe(String(section.length));
  expect(Buffer.from(await response.arrayBuffer()).equals(section)).toBe(true);
  const part = await get(`${buildId}/section/.debug_str`, { range: 'bytes=3-9' });
  expect(part.headers.get('content-range')).toBe(`bytes 3-9/${section.length}`);
  expect(Buffer.from(await part.arrayBuffer()).equals(section.subarray(3, 10))).toBe(true);
});

test('a file over what the client takes is not sent', async () => {
  const response = await get(`${buildId}/debuginfo`, { 'x-debuginfod-maxsize': '100' });
  expect(response.status).toBe(406);
  await response.body?.cancel();
});

test('debuginfod-find and gdb take it', async () => {
  const env = { PATH: process.env.PATH ?? '', HOME: dir, DEBUGINFOD_URLS: server.url };
  const run = async (tool: string, args: string[]) =>
    (await promisify(execFile)(tool, args, { env })).stdout;
  const found = (await run('debuginfod-find', ['debuginfo', buildId])).trim();
  const served = Buffer.from(await (await get(`${buildId}/debuginfo`)).arrayBuffer());
  expect(readFileSync(found).equals(served)).toBe(true);
  for (const name of ['.debug_info', '.symtab']) {
    const section = (await run('debuginfod-find', ['section', buildId, name])).trim();
    const whole = Buffer.from(await (await get(`${buildId}/section/${name}`)).arrayBuffer());
    expect(whole.length).toBeGreaterThan(0);
    expect(readFileSync(section).equals(whole)).toBe(true);
  }
  await expect(run('debuginfod-find', ['section', buildId, '.text'])).rejects.toThrow(/No such/);
  execFileSync('strip', [program]);
  const commands = ['-iex', 'set debuginfod enabled on', '-ex', 'info line global_function'];
  const gdb = await promisify(execFile)('gdb', ['-batch', '-nx', ...commands, program], { env });
  expect(gdb.stdout).toMatch(/Line \d+ of .*functions\.c/);
  expect(gdb.stderr).not.toContain('warning');
});
