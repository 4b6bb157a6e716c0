/** docs/ci.md is run as it stands: once for a build that is fine, once for one that grew. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pprofFromText } from '../pprof-text.ts';
import { EVERFLAME, type ServerProcess, startServerProcess } from './server-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'everflame-ci-'));
const script = /```sh\n([\s\S]*?)```/.exec(readFileSync('docs/ci.md', 'utf8'))?.[1] ?? '';
let server: ServerProcess;

beforeAll(async () => {
  server = await startServerProcess(join(folder, 'data'));
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function runStep(version: string, base: string, folded: string, shell = 'sh') {
  const profile = join(folder, `${version}.pb.gz`);
  writeFileSync(
    profile,
    pprofFromText(folded, { timeMs: Date.now() - 60_000, period: 10_000_000 }),
  );
  const env = {
    ...process.env,
    PATH: `${dirname(EVERFLAME)}${delimiter}${process.env.PATH}`,
    EVERFLAME_SERVER: server.url,
    SERVICE: 'checkout',
    VERSION: version,
    BASE: base,
    PROFILE: profile,
    LIMIT: '5%',
  };
  try {
    const { stdout } = await promisify(execFile)(shell, ['-c', script], { env });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

const seconds = (n: number) => n * 1_000_000_000;
const profileOf = (parse: number, render: number) =>
  `main;handle;parse ${seconds(parse)}\nmain;handle;render ${seconds(render)}`;

test('the first version has no base: exit code 2 says so', async () => {
  const { code, output } = await runStep('v1', 'v0', profileOf(60, 40));
  expect([code, output]).toEqual([2, expect.stringContaining('--query-a')]);
});

test('green: the same split within noise', async () => {
  const { code, output } = await runStep('v2', 'v1', profileOf(60.5, 40));
  expect(output).toContain('"name":"parse"');
  expect(code, output).toBe(0);
});

test('red, in bash: render grew from 40 % to 60 %', async () => {
  const { code, output } = await runStep('v3', 'v1', profileOf(40, 60), 'bash');
  expect(code, output).toBe(1);
  expect(output).toMatch(/grew by more than 5.*render/);
});
