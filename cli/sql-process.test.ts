/** The third barrier, without the others: what a process could do that a statement took over. */
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRestricted } from '../symbolizer/debuginfo/restricted-process.ts';
import { createSqlProcesses } from './sql-process.ts';

const PROCESS_BYTES = 2 ** 30;
const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'sql-process-'));
const block = join(folder, 'block.parquet');
const secret = join(folder, 'secret');
const logged: string[] = [];
let server: Server;
let command: string[];

beforeAll(async () => {
  chmodSync(folder, 0o755);
  writeFileSync(block, 'rows', { mode: 0o444 });
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const child = await createSqlProcesses(folder, PROCESS_BYTES, (line) => logged.push(line))();
  command = child.spawnargs;
  child.stdin?.end();
  await once(child, 'close');
  // Not for nobody, so it must not be there when the process is tried.
  writeFileSync(secret, 'secret', { mode: 0o600 });
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** The command of a statement's process, with code of ours in the place of its module. */
async function run(code: string): Promise<string> {
  const node = command.slice(0, command.indexOf(process.execPath) + 2);
  const child = startRestricted([...node, '--input-type=module', '-e', code]);
  let out = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stdin?.end();
  const [status, signal] = await once(child, 'close');
  return out === '' ? String(signal ?? status) : out.trim();
}

const attempt = (code: string) =>
  `import * as fs from 'node:fs'; import * as net from 'node:net';
  try { console.log(${code}); } catch (error) { console.log(error.code); }`;

test('a statement that does nothing ends by itself', async () => {
  expect(await run(attempt('1 + 1'))).toBe('2');
});

test('what it has to read it can read', async () => {
  expect(await run(attempt(`fs.readFileSync(${JSON.stringify(block)}, 'utf8')`))).toBe('rows');
});

test('a block is neither written nor cut', async () => {
  for (const flags of ['w', 'a', 'r+']) {
    const open = `fs.openSync(${JSON.stringify(block)}, '${flags}')`;
    expect(await run(attempt(open))).toBe('EACCES');
  }
  expect(readFileSync(block, 'utf8')).toBe('rows');
});

test('no file gets a byte', async () => {
  const path = join(folder, 'new');
  const write = `fs.writeFileSync(${JSON.stringify(path)}, 'x')`;
  expect(['EACCES', 'EFBIG', 'SIGXFSZ']).toContain(await run(attempt(write)));
});

test('memory ends at its limit', async () => {
  const code = 'const all = []; for (;;) all.push(Buffer.alloc(2 ** 26, 1));';
  expect(await run(code)).not.toBe('0');
});

test('there is no network', async (ctx) => {
  if (logged.some((line) => line.includes('network'))) ctx.skip('no network namespace here');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  expect(
    await run(`import { connect } from 'node:net';
      connect(${port}, '127.0.0.1').on('error', (error) => console.log(error.code))
        .on('connect', () => { console.log('connected'); process.exit(); });`),
  ).toMatch(/^E(CONNREFUSED|NETUNREACH)$/);
});

test('under root it is nobody, who cannot read what others may not', async (ctx) => {
  if (!isRoot || logged.length > 0) ctx.skip('only root can become nobody');
  expect(await run(attempt('process.getuid()'))).toBe('65534');
  expect(await run(attempt(`fs.readFileSync(${JSON.stringify(secret)})`))).toBe('EACCES');
  expect(await run(attempt("fs.readdirSync('/root')"))).toMatch(/^(EACCES|ENOENT|\[)/);
  expect(await run(attempt(`process.kill(${process.pid}, 0)`))).toBe('EPERM');
});

test('a data directory that nobody may read is read as this user', async () => {
  chmodSync(folder, 0o700);
  const lines: string[] = [];
  const child = await createSqlProcesses(folder, PROCESS_BYTES, (line) => lines.push(line))();
  child.stdin?.end();
  await once(child, 'close');
  chmodSync(folder, 0o755);
  if (isRoot) expect(lines).toEqual([expect.stringContaining("this server's own user")]);
  expect(child.spawnargs.includes('--reuid=65534')).toBe(false);
});
