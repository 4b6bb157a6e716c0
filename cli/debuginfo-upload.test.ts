import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DebuginfoStateJson } from '../wire/http.ts';
import { runMain } from './main.ts';
import { type RunningServer, startServer } from './server.ts';

/** Enough of equal types that dwz finds something to share. */
const HEADER = Array.from(
  { length: 40 },
  (_, i) =>
    `struct record_${i} { int first_member_${i}; long second_member_${i}; struct record_${i} *next; };`,
).join('\n');
const source = (name: string) => `#include "records.h"
static inline int square(int x) { return x * x + (int)sizeof(struct record_1); }
__attribute__((noinline)) int ${name}(struct record_2 *r) { return square(r->first_member_2); }
int main(int count, char **words) { struct record_2 r = {count, 0, 0}; return ${name}(&r) + !words; }
`;

let root = '';
let dir = '';
let server: RunningServer;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'debuginfo-upload-'));
  server = await startServer({
    httpAddress: '127.0.0.1:0',
    dataDir: join(root, 'data'),
    debuginfoBytes: 1e9,
    pathPrefix: '',
    insecure: false,
    log: (line) => process.stderr.write(`${line}\n`),
  });
});
afterAll(async () => {
  await server.close(1_000);
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  dir = mkdtempSync(join(root, 'builds-'));
  writeFileSync(join(dir, 'records.h'), HEADER);
});

function run(tool: string, ...args: string[]): void {
  execFileSync(tool, args, { cwd: dir, stdio: 'pipe' });
}

/** Each build has another build id: the folder's name is in it. */
function build(name: string, ...options: string[]): string {
  writeFileSync(join(dir, `${name}.c`), source(name));
  run('gcc', '-O1', '-g', ...options, '-o', name, `${name}.c`);
  return join(dir, name);
}

function readBuildId(path: string): string {
  return /Build ID: (\w+)/.exec(execFileSync('readelf', ['-n', path]).toString())?.[1] ?? '';
}

/** Where a section's bytes are in a file. */
function sectionOf(path: string, name: string): { offset: number; size: number } {
  const table = execFileSync('readelf', ['-SW', path]).toString();
  const row = table.split('\n').find((line) => line.includes(` ${name} `)) ?? '';
  const [, offset = '', size = ''] = /\w+ +[0-9a-f]{16} ([0-9a-f]+) ([0-9a-f]+)/.exec(row) ?? [];
  return { offset: Number.parseInt(offset, 16), size: Number.parseInt(size, 16) };
}

/** The exit code, and per line of output what is left without paths, ids and figures. */
async function upload(...argv: string[]) {
  let text = '';
  const output = {
    out: (chunk: string | Uint8Array) => {
      text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    },
    err: (line: string) => {
      text += `${line}\n`;
    },
  };
  const to = argv.includes('--server') ? [] : ['--server', server.url];
  const code = await runMain(['debuginfo', 'upload', ...argv, ...to], {}, output);
  const plain = text.replaceAll(`${dir}/`, '').replaceAll(/: [0-9a-f]{40}/g, '');
  return { code, lines: plain.replaceAll(/\d+/g, 'N').trim().split('\n') };
}

const HAS_LINES = 'the server has names, lines and inlined calls (N functions, N inlined calls).';

test('a program with its lines in it', async () => {
  const path = build('plain');
  expect(await upload(path)).toEqual({
    code: 0,
    lines: ['plain: sent N bytes', `plain: ${HAS_LINES}`],
  });
  expect((await upload(path)).lines[0]).toBe('plain: not wanted: have lines');
});

test('it does not wait for an agent that has the lease', async () => {
  const path = build('leased');
  const question = { build_id: readBuildId(path), kind: 'debuginfo', file: 'leased', size: 99 };
  const asked = await fetch(`${server.url}/api/v1/debuginfo/wanted`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Everflame-Agent': 'gone' },
    body: JSON.stringify([question]),
  });
  expect(await asked.json()).toMatchObject({ wanted: [{ wanted: 'debuginfo' }] });
  expect(await upload(path)).toEqual({
    code: 0,
    lines: ['leased: sent N bytes', `leased: ${HAS_LINES}`],
  });
});

test('who sent it is its host, or what the sender calls itself', async () => {
  const path = build('sent');
  const buildId = readBuildId(path);
  const url = `${server.url}/api/v1/debuginfo/${buildId}`;
  const sender = async () => {
    const { sources } = (await (await fetch(url)).json()) as DebuginfoStateJson;
    return sources.map(({ from }) => from);
  };
  const body = readFileSync(path);
  const headers = { 'User-Agent': 'curl/7.88.1' };
  expect((await fetch(`${url}?kind=debuginfo`, { method: 'PUT', body, headers })).status).toBe(200);
  expect(await sender()).toEqual(['curl/7.88.1']);
  await fetch(url, { method: 'DELETE' });
  await upload(path);
  expect(await sender()).toEqual([hostname()]);
});

test('a stripped program brings its debug file', async () => {
  const path = build('linked');
  run('objcopy', '--only-keep-debug', 'linked', 'linked.debug');
  run('strip', 'linked');
  run('objcopy', '--add-gnu-debuglink=linked.debug', 'linked');
  expect(await upload(path)).toEqual({
    code: 0,
    lines: ['linked: sent N bytes', 'linked.debug: sent N bytes', `linked: ${HAS_LINES}`],
  });
});

describe('a stripped program whose lines are elsewhere', () => {
  test.each([
    ['of another build', /its lines are in a.debug .*, and the file .* is of another build$/],
    ['not there', /its lines are in a.debug .*, which is neither beside it, nor /],
  ])('its debug file is %s: 1, until the server has lines', async (what, words) => {
    const path = build('a');
    run('cp', 'a', 'whole');
    run('objcopy', '--only-keep-debug', 'a', 'a.debug');
    run('strip', 'a');
    run('objcopy', '--add-gnu-debuglink=a.debug', 'a');
    if (what === 'not there') rmSync(join(dir, 'a.debug'));
    else writeFileSync(join(dir, 'a.debug'), 'something else');
    const { code, lines } = await upload(path);
    expect([code, lines.length]).toEqual([1, 3]);
    expect(lines[1]).toMatch(/^a: the server has names of exported functions .* Run `everflame/);
    expect(lines[2]).toMatch(words);
    await upload(join(dir, 'whole'));
    expect(await upload(path)).toEqual({
      code: 0,
      lines: ['a: not wanted: have lines', `a: ${HAS_LINES}`],
    });
  });

  test('nothing says where: 0, and a warning', async () => {
    const path = build('bare');
    run('strip', 'bare');
    const { code, lines } = await upload(path);
    expect([code, lines.length]).toEqual([0, 3]);
    expect(lines[2]).toMatch(/^everflame: bare: it is stripped, and names no debug file: /);
  });
});

test('what came damaged is sent again, also where it has the same size', async () => {
  const path = build('damaged', '-Wl,-z,separate-code');
  const good = readFileSync(path);
  const { offset, size } = sectionOf(path, '.debug_info');
  writeFileSync(path, Buffer.from(good).fill(0xff, offset + (size >> 1), offset + size));
  const first = await upload(path);
  expect([first.code, first.lines[1]]).toEqual([1, expect.stringContaining('is not damaged')]);
  writeFileSync(path, good);
  expect(await upload(path)).toEqual({
    code: 0,
    lines: ['damaged: sent N bytes', `damaged: ${HAS_LINES}`],
  });
  expect((await upload(path)).lines[0]).toBe('damaged: not wanted: have lines');
});

test.each(['dwo', 'dwp'])('a .%s alone is refused: its program brings it', async (form) => {
  build('split', '-gsplit-dwarf', '-gdwarf-4');
  if (form === 'dwp') run('dwp', '-e', 'split', '-o', 'split.dwp');
  const name = readdirSync(dir).find((file) => file.endsWith(form)) ?? '';
  const { code, lines } = await upload(join(dir, name));
  expect([code, lines.length]).toEqual([2, 1]);
  expect(lines[0]).toMatch(/ is split DWARF, which names no addresses\. Upload its program/);
});

test.each(['{}', '[]', '{"wanted":[]}', '<html>'])('%s is no answer of a server', async (body) => {
  const path = build('plain');
  const other = createServer((_, response) => response.end(body));
  await once(other.listen(0, '127.0.0.1'), 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, lines } = await upload(path, '--server', `http://127.0.0.1:${port}`);
  other.close();
  expect([code, lines]).toEqual([
    2,
    [expect.stringMatching(/^everflame: http:.* does not answer as an everflame server/)],
  ]);
});

test('a program brings the file that dwz moved a part of it to', async () => {
  const path = build('shared');
  build('another');
  run('dwz', '-m', 'common.dwz', 'shared', 'another');
  expect(await upload(path)).toEqual({
    code: 0,
    lines: ['common.dwz: sent N bytes', 'shared: sent N bytes', `shared: ${HAS_LINES}`],
  });
});

test('what dwz moved may come later', async () => {
  const path = build('shared');
  build('another');
  run('dwz', '-m', 'common.dwz', 'shared', 'another');
  mkdirSync(join(dir, 'away'));
  run('mv', 'common.dwz', 'away/common.dwz');
  const first = await upload(path);
  expect([first.code, first.lines[1]]).toEqual([
    1,
    expect.stringContaining('common.dwz (build id'),
  ]);
  const second = await upload(join(dir, 'away/common.dwz'));
  expect(second).toEqual({
    code: 0,
    lines: ['away/common.dwz: sent N bytes', expect.stringContaining('the server has no names')],
  });
  const again = async () => (await upload(path)).lines.at(-1);
  await expect.poll(again, { timeout: 25_000 }).toBe(`shared: ${HAS_LINES}`);
});

test.each(['dwo', 'dwp'])('a program brings its split units: .%s', async (form) => {
  // binutils' dwp knows no DWARF 5.
  const path = build('split', '-gsplit-dwarf', form === 'dwp' ? '-gdwarf-4' : '-gdwarf-5');
  if (form === 'dwp') {
    run('dwp', '-e', 'split', '-o', 'split.dwp');
    run('sh', '-c', 'rm *.dwo');
  }
  const name = form === 'dwp' ? 'split.dwp' : 'N .dwo files';
  expect(await upload(path)).toEqual({
    code: 0,
    lines: ['split: sent N bytes', `${name}: sent N bytes`, `split: ${HAS_LINES}`],
  });
});

test('what is no ELF file does not keep the others back', async () => {
  const path = build('good');
  const { code, lines } = await upload(join(dir, 'good.c'), path);
  expect([code, lines[0]]).toEqual([
    2,
    'everflame: good.c: the file does not begin with the ELF magic',
  ]);
  expect(lines.at(-1)).toBe(`good: ${HAS_LINES}`);
});

describe('without a build id', () => {
  const fail = (line: string) => expect.fail(line);
  const make = (name: string) => build(name, '-Wl,--build-id=none');

  test('a stripped program brings the debug file that its link names by checksum', async () => {
    const path = make('unknown');
    run('objcopy', '--only-keep-debug', 'unknown', 'unknown.debug');
    run('strip', 'unknown');
    run('objcopy', '--add-gnu-debuglink=unknown.debug', 'unknown');
    const { code, lines } = await upload(path);
    expect([code, lines.map((line) => line.replace(/htl:[0-9a-fN]+/, 'ID'))]).toEqual([
      0,
      ['unknown: ID: sent N bytes', 'unknown.debug: ID: sent N bytes', `unknown: ID: ${HAS_LINES}`],
    ]);
    const symbols = execFileSync('nm', [join(dir, 'unknown.debug')]).toString();
    const address = /^(\S+) T unknown$/m.exec(symbols)?.[1] ?? '';
    const found: string[] = [];
    const output = { out: (chunk: string | Uint8Array) => found.push(String(chunk)), err: fail };
    expect(await runMain(['debuginfo', 'lookup', path, address], {}, output)).toBe(0);
    expect(found.join('')).toMatch(/^unknown\n.*unknown\.c:3\n/);
  });

  test('one alone is told to name exactly itself', async () => {
    const path = make('alone');
    expect((await upload(path)).lines[0]).toMatch(/^everflame: alone: it has no build id, so it/);
    run('strip', 'alone');
    const { lines } = await upload(path);
    expect(lines.at(-1)).toMatch(/It has no build id: .* Run .* with exactly this file, beside/);
  });
});
