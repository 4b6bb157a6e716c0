/** SQL through a whole server: the page's examples, the forms of answers, and attacks. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shareMemory } from '../../cli/memory-limit.ts';
import type { RunningServer } from '../../cli/server.ts';
import { startServer } from '../../cli/server.ts';
import type { EpochMs } from '../../profile/units.ts';
import { openDuckStore } from '../../store/duckdb/open-store.ts';
import { drawBatch } from '../conformance/drawn-batch.ts';
import { pprofFromText } from '../pprof-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'everflame-sql-'));
const dataDir = join(folder, 'data');
const NOW = Date.now();
let server: RunningServer;
const logged: string[] = [];

/** Profiles and a window in a block, and a profile that is pushed to the server. */
beforeAll(async () => {
  const store = await openDuckStore({ dataDir });
  const counters = { sampled: 9, sent: 7, lost_ring_full: 2 };
  const type =
    'process_cpu:samples:count:cpu:nanoseconds=>process_cpu:cpu:nanoseconds:cpu:nanoseconds';
  await store.write(
    drawBatch(store.idKey, {
      id: 'sealed',
      agent: { id: 'agent-1', host: 'web-1', version: '1', kernel: '6.1' },
      windows: [{ seq: 1, startMs: NOW as EpochMs, lengthMs: 1e4, frequencyHz: 19, counters }],
      profiles: ['web-1', 'web-2'].map((host, at) => ({
        labels: { service_name: 'shop', host },
        tsMs: NOW - 60_000 * at,
        period: 1e7,
        types: { [type]: 'main;parse 5\nmain;write 2' },
      })),
    }),
  );
  await store.seal();
  await store.close();
  server = await startServer({
    httpAddress: '127.0.0.1:0',
    dataDir,
    debuginfoBytes: 1e9,
    pathPrefix: '',
    insecure: false,
    log: (line) => logged.push(line),
  });
  const body = pprofFromText('main;query 1000000', { timeMs: NOW - 1000 });
  const pushed = await fetch(`${server.url}/ingest?name=db%7Bhost%3Ddb-1%7D&format=pprof`, {
    method: 'POST',
    body: body as Uint8Array<ArrayBuffer>,
  });
  expect(pushed.status).toBe(200);
});
afterAll(async () => {
  await server.close(1000);
  rmSync(folder, { recursive: true });
});

function post(body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}/api/v1/sql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

async function csv(sql: string): Promise<string[]> {
  const response = await post({ sql, format: 'csv' });
  const text = await response.text();
  return response.ok ? text.trim().split('\r\n') : [text];
}

const page = readFileSync(new URL('../../docs/sql.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/([^\n]*):\n\n```sql\n([\s\S]*?)\n```/g)];

describe('every example of docs/sql.md', () => {
  test('there are some', () => expect(examples.length).toBeGreaterThan(5));

  test.each(examples.map(([, title, sql]) => [title ?? '', sql ?? '']))('%s', async (_, sql) => {
    const lines = await csv(sql);
    expect(lines[0]).not.toContain('urn:everflame');
    expect(lines.length).toBeGreaterThan(1);
  });

  test('the columns on the page are those of the views', async () => {
    for (const [, view = '', table = ''] of page.matchAll(/### (\w+)\n([\s\S]*?)(?=\n##)/g)) {
      const named = [...table.matchAll(/^\| (`[^|]*)\|/gm)];
      const columns = named.flatMap(([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)]);
      const [head] = await csv(`SELECT * FROM ${view} LIMIT 0`);
      expect(head?.split(',')).toEqual(columns.map(([, name]) => name));
    }
  });
});

test('rows of blocks and rows that are in none', async () => {
  expect(
    await csv(`SELECT service_name, labels['host'] AS host, leaf, value
      FROM samples JOIN series USING (series) JOIN stacks USING (stack)
      WHERE type LIKE '%:cpu:nanoseconds:cpu:%' ORDER BY 2, 3`),
  ).toEqual([
    'service_name,host,leaf,value',
    'db,db-1,query,1000000',
    'shop,web-1,parse,50000000',
    'shop,web-1,write,20000000',
    'shop,web-2,parse,50000000',
    'shop,web-2,write,20000000',
  ]);
});

describe('forms', () => {
  const sql = 'SELECT 1 AS a UNION ALL SELECT 2 ORDER BY a';

  test.each([
    [{}, {}, 'application/json'],
    [{ format: 'csv' }, {}, 'text/csv; charset=utf-8; header=present'],
    [{}, { Accept: 'text/csv' }, 'text/csv; charset=utf-8; header=present'],
    [{ format: 'arrow' }, {}, 'application/vnd.apache.arrow.stream'],
    [{}, { Accept: 'application/vnd.apache.arrow.stream' }, 'application/vnd.apache.arrow.stream'],
    [{ format: 'json' }, { Accept: 'text/csv' }, 'application/json'],
  ])('%o with %o is %s', async (wanted, headers, contentType) => {
    const response = await post({ sql, ...wanted }, headers);
    expect(response.headers.get('content-type')).toBe(contentType);
    expect(response.headers.get('x-everflame-rows')).toBe('2');
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(5);
  });

  test('JSON says what it is and what is missing', async () => {
    const response = await post({ sql, limit: 1 });
    expect(response.headers.get('x-everflame-truncated')).toBe('limit = 1');
    expect(await response.json()).toEqual({
      columns: [{ name: 'a', type: 'INTEGER' }],
      rows: [[1]],
      truncated: 'limit = 1',
      damaged: null,
      hot_age_ms: expect.any(Number),
      elapsed_ms: expect.any(Number),
    });
  });

  test.each([
    ['two statements', 'sql', { sql: 'SELECT 1; SELECT 2' }],
    ['nothing', 'sql', { sql: '' }],
    ['a very long text', 'sql', { sql: 'x'.repeat(65_537) }],
    ['no rows', 'limit', { sql: 'SELECT 1', limit: 0 }],
    ['another format', 'format', { sql: 'SELECT 1', format: 'xml' }],
    ['another parameter', 'settings', { sql: 'SELECT 1', settings: 'x' }],
    ['no statement', 'sql', {}],
  ])('%s is refused, and %s is named', async (_, parameter, body) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ parameter });
  });

  test('a web page of another origin is refused, and so are parameters in the URL', async () => {
    expect((await post({ sql }, { Origin: 'https://evil.example' })).status).toBe(403);
    const url = `${server.url}/api/v1/sql`;
    expect((await fetch(`${url}?sql=SELECT+1`, { method: 'POST', body: '{}' })).status).toBe(400);
    expect((await fetch(`${url}?sql=SELECT+1`)).status).toBe(405);
  });
});

describe('statements that want too much', () => {
  test.each([
    ['memory of lists', 'SELECT list(i) FROM range(1000000000) t(i)'],
    ['memory of one text', "SELECT repeat('x', 4000000000)"],
    ['memory of many texts', "SELECT list(repeat('x', 1000000) || i) FROM range(5000) t(i)"],
    [
      'memory of a join',
      'SELECT * FROM range(10000000) a(i), range(1000000) b(i) ORDER BY hash(a.i)',
    ],
  ])('%s', async (_, sql) => {
    const response = await post({ sql });
    expect(await response.json()).toMatchObject({
      status: 413,
      limit: expect.stringMatching(/^a part of --memory-limit = \d+$/),
    });
  });

  test('bytes of the answer', async () => {
    const sql = "SELECT repeat('x', 1000000) FROM range(100)";
    const response = await post({ sql, format: 'csv' });
    expect(response.headers.get('x-everflame-truncated')).toBe('MAX_SQL_ANSWER_BYTES = 33554432');
    expect(response.headers.get('x-everflame-rows')).toBe('33');
    expect((await response.arrayBuffer()).byteLength).toBeLessThanOrEqual(32 * 2 ** 20 + 100);
  });

  test('nesting deeper than a stack', async () => {
    for (const sql of [
      `SELECT ${'('.repeat(30_000)}1${')'.repeat(30_000)}`,
      `SELECT ${'-'.repeat(1)}${'- '.repeat(30_000)}1`,
      `SELECT 1${' + 1'.repeat(15_000)}`,
      `SELECT ${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    ]) {
      const response = await post({ sql });
      expect([200, 400, 413, 503]).toContain(response.status);
    }
    expect(await csv('SELECT 1 AS a')).toEqual(['a', '1']);
  });

  test('a client that goes away takes its statement with it', async () => {
    const abort = new AbortController();
    const asked = fetch(`${server.url}/api/v1/sql`, {
      method: 'POST',
      body: JSON.stringify({ sql: 'SELECT count(*) FROM range(1000000000000)' }),
      signal: abort.signal,
    });
    await expect.poll(running, { timeout: 20_000 }).toBe(1);
    abort.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(running, { timeout: 20_000 }).toBe(0);
  });
});

/** The processes of statements, as the kernel sees them. */
function sqlProcesses(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    const isOurs = Number(statFields(pid)[1]) === process.pid;
    return isOurs && read(pid, 'cmdline').includes('sandbox-child');
  });
}

/** Of /proc/PID/stat, from the state on. */
function statFields(pid: string): string[] {
  return read(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
}

/** Empty where the process is gone. */
function read(pid: string, name: string): string {
  const path = `/proc/${pid}/${name}`;
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

describe('the process of a statement', () => {
  test('has no privileges, no network, no secrets, limits, and runs behind the server', async () => {
    process.env.EVERFLAME_TEST_SECRET = 'hunter2';
    const abort = new AbortController();
    const sql = 'SELECT count(*) FROM range(1000000000000)';
    const asked = fetch(`${server.url}/api/v1/sql`, {
      method: 'POST',
      body: JSON.stringify({ sql }),
      signal: abort.signal,
    });
    await expect.poll(running, { timeout: 20_000 }).toBe(1);
    const nice = () => sqlProcesses().map((pid) => statFields(pid)[16]);
    await expect.poll(nice, { timeout: 20_000 }).toContain('10');
    const data = shareMemory(totalmem()).sqlProcessBytes;
    for (const pid of sqlProcesses()) {
      const status = read(pid, 'status');
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(read(pid, 'environ')).not.toContain('hunter2');
      expect(read(pid, 'limits')).toMatch(/^Max file size +0 +0 /m);
      expect(read(pid, 'limits')).toMatch(new RegExp(`^Max data size +${data} +${data} `, 'm'));
      if (process.getuid?.() !== 0) continue;
      expect(readlinkSync(`/proc/${pid}/ns/net`)).not.toBe(readlinkSync('/proc/self/ns/net'));
      if (logged.length === 0) expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    }
    delete process.env.EVERFLAME_TEST_SECRET;
    abort.abort();
    await expect(asked).rejects.toThrow();
  });
});

async function running(): Promise<number> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^everflame_sql_running (\d+)$/m.exec(metrics)?.[1]);
}

describe('what is left', () => {
  test('no file was written', () => {
    expect(existsSync(join(dataDir, 'tmp'))).toBe(false);
    expect(readdirSync(dataDir).filter((name) => /tmp|csv/.test(name))).toEqual([]);
  });

  test('the copies go when nobody reads them any more', async () => {
    await csv('SELECT 1');
    expect(readdirSync(join(dataDir, 'sql')).length).toBeLessThanOrEqual(2);
    await expect.poll(() => readdirSync(join(dataDir, 'sql')), { timeout: 10_000 }).toEqual([]);
  });
});
