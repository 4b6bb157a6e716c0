import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BuildId, EpochMs } from '../profile/units.ts';
import { openSymbolizer } from '../symbolizer/debuginfo/debuginfo-store.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../symbolizer/elf/elf.ts';
import type { DebuginfoKind, QualityName, Symbolizer } from '../symbolizer/symbolizer.ts';
import { buildElf, stripped } from '../test/fixtures/elf-builds.ts';
import { ByteBudget } from './debuginfo-budget.ts';
import { type BinaryOffer, createDebuginfoUploader } from './debuginfo-uploader.ts';

let directory = '';
let symbolizer: Symbolizer;
let server: Server;
let running: Promise<void> = Promise.resolve();
let stop: AbortController;
/** Method, path and outcome of each request. */
let requests: string[] = [];
/** Answers with this status instead of doing the work, while it returns one. */
let refuse: (method: string, url: string) => number | null = () => null;
/** Parts that are being answered, and what each waits for. */
let openPuts = 0;
let gate: Promise<void> = Promise.resolve();

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'uploader-'));
  const dir = join(directory, 'server');
  const clock = () => Date.now() as EpochMs;
  symbolizer = openSymbolizer({
    dir,
    maxBytes: 2 ** 30,
    leaseMs: 60_000,
    answerMs: 60_000,
    localPaths: [],
    debuginfodUrls: [],
    clock,
  });
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = new AbortController();
  requests = [];
  refuse = () => null;
  gate = Promise.resolve();
});
afterEach(async () => {
  stop.abort();
  await running;
  server.closeAllConnections();
  server.close();
  await symbolizer.close();
  rmSync(directory, { recursive: true });
});

/** The two endpoints over the real store. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://server');
  const refused = refuse(request.method ?? '', url.pathname);
  const [status, body] = refused === null ? await handle(request, url) : [refused, {}];
  requests.push(`${request.method} ${basename(url.pathname).slice(0, 6)} ${status}`);
  response.writeHead(status).end(JSON.stringify(body));
}

async function handle(request: IncomingMessage, url: URL): Promise<[number, unknown]> {
  if (request.method === 'POST') {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const questions = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, never>[];
    const asked = questions.map((row) => ({
      buildId: row.build_id as unknown as BuildId,
      kind: row.kind as unknown as DebuginfoKind,
      file: String(row.file),
      sizeBytes: Number(row.size),
      quality: row.quality as unknown as QualityName,
    }));
    const answers = await symbolizer.wanted(asked, String(request.headers['x-everflame-agent']));
    return [
      200,
      { wanted: answers.map(({ buildId, ...rest }) => ({ build_id: buildId, ...rest })) },
    ];
  }
  openPuts++;
  await gate;
  openPuts--;
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(request.headers['content-range'] ?? '') ?? [];
  const answered = await symbolizer.upload({
    buildId: decodeURIComponent(url.pathname.split('/').at(-1) ?? '') as BuildId,
    kind: url.searchParams.get('kind') as DebuginfoKind,
    file: url.searchParams.get('file') ?? '',
    lease: url.searchParams.get('lease') ?? '',
    from: 'agent-1',
    offset: Number(range[1]),
    totalBytes: Number(range[2]),
    body: request,
  });
  return [200, { received_bytes: answered.receivedBytes, complete: answered.complete }];
}

function poll<T>(read: () => T) {
  return expect.poll(read, { timeout: 25_000 });
}

function offerOf(path: string): BinaryOffer {
  const source = openByteSource(path);
  const { buildId } = readElfIdentity(source);
  const offer = { buildId, paths: [path], file: basename(path), sizeBytes: source.size };
  source.close();
  return offer;
}

function startUploader() {
  const { port } = server.address() as AddressInfo;
  const uploader = createDebuginfoUploader({
    server: new URL(`http://127.0.0.1:${port}`),
    agentId: 'agent-1',
    host: 'host-1',
    budgetBytes: 2 ** 30,
    windowMs: 1_000,
    log: () => undefined,
  });
  running = uploader.run(stop.signal);
  return uploader;
}

test('what the server wants is sent, once', async () => {
  const uploader = startUploader();
  const names = ['exec', 'library', 'no-build-id'];
  const offers = names.map((name) => offerOf(buildElf(directory, name)));
  for (const offer of [...offers, ...offers]) uploader.offer(offer);
  await poll(() => symbolizer.symbolFiles().length).toBe(3);
  await poll(() => uploader.stats.uploadedFiles).toBe(3);
  for (const offer of offers) uploader.offer(offer);
  expect(uploader.stats).toMatchObject({ offered: 3, retries: 0, refused: 0, notWanted: 0 });
  expect(requests.filter((line) => line.startsWith('POST'))).toEqual(['POST wanted 200']);
  const status = symbolizer.status();
  expect(status.map((row) => row.file).sort()).toEqual([...names].sort());
});

test('each offer that is not sent has its counter', async () => {
  const uploader = startUploader();
  const path = buildElf(directory, 'pie');
  uploader.offer({ ...offerOf(path), paths: [join(directory, 'gone')] });
  uploader.offer(offerOf(stripped(buildElf(directory, 'static'))));
  await poll(() => uploader.stats.vanished + uploader.stats.withoutSymbols).toBe(2);
  expect(uploader.stats).toMatchObject({ vanished: 1, withoutSymbols: 1, requests: 0 });
  // Another process has the file under another path.
  uploader.offer(offerOf(path));
  await poll(() => uploader.stats.uploadedFiles).toBe(1);
});

test('another file in its place is not sent', async () => {
  const uploader = startUploader();
  const path = buildElf(directory, 'exec');
  const offer = offerOf(path);
  copyFileSync(stripped(buildElf(directory, 'static')), path);
  uploader.offer(offer);
  await poll(() => uploader.stats.vanished).toBe(1);
  expect(requests).toEqual([]);
});

test('a file that cannot be read is looked at once', async () => {
  const uploader = startUploader();
  const path = buildElf(directory, 'exec');
  const offer = offerOf(path);
  const bytes = readFileSync(path);
  // The offset of the section headers, far behind the end.
  bytes.writeUInt32LE(0x7fffffff, 0x28);
  writeFileSync(path, bytes);
  uploader.offer(offer);
  await poll(() => uploader.stats.unusable).toBe(1);
  uploader.offer(offer);
  expect(uploader.stats).toMatchObject({ offered: 1, unusable: 1, requests: 0 });
});

test('where one path leads nowhere or elsewhere, the next one is tried', async () => {
  const uploader = startUploader();
  const offer = offerOf(buildElf(directory, 'exec'));
  const others = [join(directory, 'gone'), buildElf(directory, 'pie')];
  uploader.offer({ ...offer, paths: [...others, ...offer.paths] });
  await poll(() => uploader.stats.uploadedFiles).toBe(1);
  expect(symbolizer.status().map(({ buildId }) => buildId)).toEqual([offer.buildId]);
});

test('a large file goes in parts and is resumed after a failure', async () => {
  let puts = 0;
  refuse = (method) => (method === 'PUT' && ++puts === 2 ? 503 : null);
  const uploader = startUploader();
  uploader.offer(offerOf(process.execPath));
  await poll(() => uploader.stats.uploadedFiles).toBe(1);
  const [, , again, ...rest] = requests;
  expect(requests[0]).toBe('POST wanted 200');
  expect(again).toMatch(/^PUT .* 503$/);
  expect(rest[0]).toBe('POST wanted 200');
  expect(rest.slice(1).every((line) => /^PUT .* 200$/.test(line))).toBe(true);
  // Nothing was sent twice.
  const [row] = symbolizer.status();
  expect(uploader.stats.uploadedBytes).toBe(row?.sources[0]?.sizeBytes);
});

test('a final refusal is not repeated', async () => {
  refuse = (method) => (method === 'PUT' ? 422 : null);
  const uploader = startUploader();
  const offer = offerOf(buildElf(directory, 'exec'));
  uploader.offer(offer);
  await poll(() => uploader.stats.refused).toBe(1);
  uploader.offer(offer);
  expect(uploader.stats).toMatchObject({ offered: 1, refused: 1, retries: 0 });
});

test('a file that always fails does not hold up those that come later', async () => {
  const failing = offerOf(buildElf(directory, 'exec'));
  const later = offerOf(buildElf(directory, 'pie'));
  refuse = (_, url) => (url.includes(failing.buildId) ? 503 : null);
  const uploader = startUploader();
  uploader.offer(failing);
  // From now on it waits for two seconds or more.
  await poll(() => uploader.stats.retries).toBe(3);
  uploader.offer(later);
  await poll(() => uploader.stats.uploadedFiles).toBe(1);
  const puts = requests.filter((line) => line.startsWith('PUT'));
  expect(puts.slice(0, 4).map((line) => line.slice(-3))).toEqual(['503', '503', '503', '200']);
});

test('a server that is down is not asked sooner because of new binaries', async () => {
  refuse = () => 503;
  const later = offerOf(buildElf(directory, 'pie'));
  const uploader = startUploader();
  uploader.offer(offerOf(buildElf(directory, 'exec')));
  await poll(() => uploader.stats.retries).toBe(3);
  uploader.offer(later);
  await sleep(1_500);
  expect(uploader.stats.requests).toBe(3);
});

test('two files at a time', async () => {
  let open = () => {};
  gate = new Promise((resolve) => {
    open = resolve;
  });
  const uploader = startUploader();
  const names = ['exec', 'library', 'pie', 'no-build-id'];
  for (const name of names) uploader.offer(offerOf(buildElf(directory, name)));
  await poll(() => openPuts).toBe(2);
  await sleep(200);
  expect(openPuts).toBe(2);
  open();
  await poll(() => uploader.stats.uploadedFiles).toBe(4);
});

test('the budget lets through one window at a time', async () => {
  const budget = new ByteBudget(100, 50);
  const started = performance.now();
  await budget.take(60, stop.signal);
  await budget.take(40, stop.signal);
  await budget.take(1, stop.signal);
  expect(performance.now() - started).toBeGreaterThanOrEqual(49);
  stop.abort();
  await expect(budget.take(100, stop.signal)).rejects.toThrow(/abort/i);
});
