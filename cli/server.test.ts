/** A whole server on loopback, and the commands that talk to it. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MAX_BODY_BYTES } from '../profile/limits.ts';
import { pprofFromText } from '../test/pprof-text.ts';
import type { FunctionsJson, MergeJson, SelfProfileJson } from '../wire/http.ts';
import { runMain } from './main.ts';
import type { RunningServer } from './server.ts';
import { startServer } from './server.ts';

const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const folder = mkdtempSync(join(tmpdir(), 'everflame-server-'));
const dataDir = join(folder, 'data');
const NOW = Date.now();
let server: RunningServer;

const options = (overrides = {}) => ({
  httpAddress: '127.0.0.1:0',
  dataDir,
  debuginfoBytes: 1e9,
  pathPrefix: '/flames/',
  insecure: false,
  log: (line: string) => process.stderr.write(`${line}\n`),
  ...overrides,
});

beforeAll(async () => {
  server = await startServer(options());
  for (const [version, folded] of [
    ['1', 'main;parse 5000\nmain;write 5000'],
    ['2', 'main;parse 7000\nmain;write 3000'],
  ] as const) {
    writeFileSync(
      join(folder, `v${version}.pb.gz`),
      pprofFromText(folded, { timeMs: NOW - 60_000 }),
    );
  }
});
afterAll(async () => {
  await server.close(1000);
  rmSync(folder, { recursive: true });
});

/** Runs the command line against the server of this test. */
async function everflame(...argv: string[]) {
  let out = '';
  let err = '';
  const code = await runMain(
    argv,
    { EVERFLAME_SERVER: server.url },
    {
      out: (text) => {
        out += typeof text === 'string' ? text : Buffer.from(text).toString();
      },
      err: (line) => {
        err += `${line}\n`;
      },
    },
  );
  return { code, out, err };
}

describe('commands', () => {
  const selector = (version: string) => `${TYPE}{service_name="shop",version="${version}"}`;
  const sides = ['--query-a', selector('1'), '--query-b', selector('2')];

  test('push', async () => {
    for (const version of ['1', '2']) {
      const file = join(folder, `v${version}.pb.gz`);
      const labels = ['--label', 'service_name=shop', '--label', `version=${version}`];
      expect(await everflame('push', file, ...labels)).toEqual({
        code: 0,
        out: `${file}: stored 1 profile with 2 samples\n`,
        err: '',
      });
    }
  });

  test('query', async () => {
    const folded = await everflame('query', '--query', selector('1'), '--format', 'folded');
    expect(folded).toEqual({ code: 0, out: 'main;parse 5000\nmain;write 5000\n', err: '' });
    const byLine = ['query', '--query', selector('1'), '--by-line', '--format'];
    expect((await everflame(...byLine, 'folded')).out).toBe(
      'main main.c:1;parse parse.c:1 5000\nmain main.c:1;write write.c:1 5000\n',
    );
    expect(await everflame(...byLine, 'table')).toEqual({
      code: 2,
      out: '',
      err: expect.stringContaining('Ask for --format folded or json.'),
    });
    const table = await everflame('query', '--query', selector('2'), '--limit', '1');
    expect(table.out).toMatch(
      /^total 10 µs, 1 of 3 functions\n.*\n7 µs {2}70.0 % .* parse {5}app\n$/,
    );
  });

  test('diff: green, red, and neither', async () => {
    const green = await everflame('diff', ...sides, '--fail-over', '25%');
    expect([green.code, green.err]).toEqual([0, '']);
    expect(green.out).toMatch(/50\.0 % {2}70\.0 % {2}\+20\.00 % .* grew .* parse/);
    const red = await everflame('diff', ...sides, '--fail-over', '10%');
    expect([red.code, red.err]).toEqual([
      1,
      'grew by more than 10.0 % of the whole: parse (+20.00 %)\n',
    ]);
    const empty = await everflame('diff', ...sides.slice(0, 3), selector('3'));
    expect([empty.code, empty.err]).toEqual([
      2,
      'everflame: no profiles match --query-b in the range\n',
    ]);
  });

  test('debuginfo upload', async () => {
    const first = await everflame('debuginfo', 'upload', '/bin/true');
    expect(first.out).toMatch(/^\/bin\/true: \w+: sent \d+ bytes\n/);
    expect(first.out).toMatch(/\n\/bin\/true: \w+: the server has names of .*functions/);
    const second = await everflame('debuginfo', 'upload', '/bin/true');
    expect(second.out).toMatch(/: not wanted: have /);
    // Debian's programs name a debug file with their lines, which is not on this machine.
    expect([first.code, second.code]).toEqual([1, 1]);
  });

  test.each([
    [['push'], 'push needs a pprof file'],
    [['push', 'x'], 'push needs --label service_name=NAME'],
    [['push', '/nonexistent', '--label', 'service_name=x'], 'ENOENT'],
    [['query', '--query', '{'], 'query: '],
    [['query', '--query', 'x', '--server', 'nowhere'], '--server nowhere: is not a URL'],
    [['diff', ...sides, '--fail-over', '5'], '--fail-over 5: is not a percentage such as 5%'],
    [['debuginfo', 'upload', '/etc/passwd'], 'ELF'],
    [['debuginfo', 'download'], 'there is no command debuginfo download'],
    [['qurey'], 'there is no command qurey (did you mean "query"?)'],
    [['query', '--form', 'now'], 'the flag --form is unknown (did you mean "from"?)'],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await everflame(...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err).toMatch(/^everflame: .*\n$/);
  });

  test('help and version', async () => {
    expect((await everflame('help')).out).toContain('debuginfo upload');
    expect((await everflame('server', '--help')).out).toContain('--http-address HOST:PORT');
    expect((await everflame('version')).out).toMatch(/^everflame \d+\.\d+\.\d+\n$/);
  });
});

test('store check: of a running server, and not of its directory', async () => {
  const { code, out } = await everflame('store', 'check');
  expect(code).toBe(0);
  expect(out).toMatch(/^nothing is damaged: \d+ rows, \d+ files of blocks with \d+ bytes\n$/);
  const { code: refused, err } = await everflame('store', 'check', '--data-dir', dataDir);
  expect([refused, err]).toEqual([2, expect.stringMatching(/in use by this process/)]);
});

test('store backup: a directory that another server starts on, with the same in it', async () => {
  const dir = join(folder, 'backup');
  const { code, out, err } = await everflame('store', 'backup', dir, '--quiet');
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/backup: \d+ bytes, \d+ rows\n$/);
  expect((await everflame('store', 'backup', dir)).err).toMatch(/is not empty/);
  const copy = await startServer(options({ dataDir: dir }));
  const answers = [server.url, copy.url].map(async (url) => {
    const parameters = new URLSearchParams({ query: `${TYPE}{}`, from: '0', to: 'now' });
    const answer = await fetch(`${url}/api/v1/functions?${parameters}`);
    return (await answer.json()) as FunctionsJson;
  });
  const [original, copied] = await Promise.all(answers);
  expect(copied?.functions).toEqual(original?.functions);
  expect(copied?.total).toBeGreaterThan(0);
  await copy.close(1000);
  // What was made for it does not stay in the server's own directory.
  await vi.waitFor(() => expect(readdirSync(join(dataDir, 'backup'))).toEqual([]));
});

test('store export: a selection as Parquet files', async () => {
  const dir = join(folder, 'export');
  const query = `${TYPE}{service_name="shop"}`;
  const { code, err } = await everflame('store', 'export', dir, '--query', query);
  expect([code, err]).toEqual([0, '']);
  const files = ['samples.parquet', 'series.parquet', 'stacks.parquet'];
  expect(readdirSync(dir).sort()).toEqual(files);
  await vi.waitFor(() => expect(readdirSync(join(dataDir, 'export'))).toEqual([]));
});

test('store delete: counts, and deletes when it is told to', async () => {
  await everflame('push', join(folder, 'v1.pb.gz'), '--label', 'service_name=gone');
  const args = ['store', 'delete', '--query', '{service_name="gone"}'];
  expect((await everflame(...args)).err).toMatch(/^everflame: from: the time to delete/);
  const times = ['--from', 'now-1d', '--to', 'now'];
  for (const [more, out] of [
    [['--all'], '1 profiles, 2 rows of samples: to be deleted by --yes\n'],
    [['--all', '--yes'], '1 profiles, 2 rows of samples: deleted\n'],
    [times, '0 profiles, 0 rows of samples: to be deleted by --yes\n'],
  ] as const) {
    expect(await everflame(...args, ...more)).toEqual({ code: 0, err: '', out });
  }
});

test('everything lies below the prefix', async () => {
  expect(new URL(server.url).pathname).toBe('/flames');
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  expect((await fetch(new URL('/readyz', server.url))).status).toBe(404);
});

test('the server profiles its own threads into its own store', async () => {
  const post = (seconds: string) =>
    fetch(`${server.url}/api/v1/self_profile?seconds=${seconds}`, { method: 'POST' });
  const [first, second] = await Promise.all([post('0.5'), post('0.1')]);
  // Which of the two came first is the network's choice.
  expect([first.status, second.status].sort()).toEqual([200, 409]);
  const recorded = (await (first.ok ? first : second).json()) as SelfProfileJson;
  // The loader of TypeScript has threads too; one that waits for them answers to nobody.
  const threads = recorded.threads.map(({ thread }) => thread);
  expect(threads).toContain('main');
  expect([...threads, ...recorded.missing_threads]).toContain('decode-worker');
  const { query, from_ms, to_ms } = recorded;
  const parameters = new URLSearchParams({ query, from: `${from_ms}`, to: `${to_ms}` });
  const answer = await fetch(`${server.url}/api/v1/merge?${parameters}&by=thread`);
  const { total } = (await answer.json()) as MergeJson;
  expect(total).toBe(recorded.threads.reduce((sum, { active_ns }) => sum + active_ns, 0));
  expect(total).toBeGreaterThan(0);
  expect((await post('61')).status).toBe(400);
});

test('who is still sending when a body is refused reads the refusal', async () => {
  const answer = await new Promise<{ status: number | undefined; text: string }>(
    (resolve, reject) => {
      const outgoing = request(`${server.url}/ingest?name=x`, { method: 'POST' }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, text }));
      });
      outgoing.on('error', reject);
      const chunk = Buffer.alloc(2 ** 20);
      for (let sent = 0; sent <= MAX_BODY_BYTES; sent += chunk.length) outgoing.write(chunk);
      outgoing.end();
    },
  );
  expect(answer.status).toBe(413);
  expect(answer.text).toContain(`MAX_BODY_BYTES = ${MAX_BODY_BYTES}`);
});

describe('what cannot be started is one line', () => {
  test.each([
    ['the data directory of another server', {}, /data/],
    ['a file as data directory', { dataDir: '/etc/passwd' }, /^--data-dir \/etc\/passwd: cannot/],
    ['an open address', { httpAddress: '0.0.0.0:0' }, /--insecure/],
    ['no address', { httpAddress: 'here' }, /^--http-address here: is not/],
    ['a prefix without a slash', { pathPrefix: 'x' }, /^--path-prefix x: is not/],
    ['a prefix that leads up', { pathPrefix: '/x/..' }, /^--path-prefix \/x\/\.\.: is not/],
  ])('%s', async (_, overrides, message) => {
    const error = await startServer(options(overrides)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
  });

  test('a port in use; the data directory is free again afterwards', async () => {
    const other = join(folder, 'other');
    const httpAddress = new URL(server.url).host;
    await expect(startServer(options({ dataDir: other, httpAddress }))).rejects.toThrow(
      'another program listens there',
    );
    const second = await startServer(options({ dataDir: other }));
    await second.close(1000);
  });
});

test('what was acknowledged is there after a restart', async () => {
  await server.close(1000);
  server = await startServer(options());
  const { out } = await everflame('query', '--query', `${TYPE}{version="1"}`, '--format', 'folded');
  expect(out).toBe('main;parse 5000\nmain;write 5000\n');
});
