import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { SAMPLED, SENT, unaccounted } from '../profile/window-counters.ts';
import { decodeWriteRaw, type WriteRawRequest } from '../wire/write-raw.ts';
import { NamedFrames } from './frames.ts';
import { packWindow } from './parcel.ts';
import { SeriesProfile } from './series-profile.ts';
import { retryAfterMs, Shipper } from './shipper.ts';

const REPORTER = { agentId: 'a', agentVersion: '1', host: 'h', kernel: '6.1' };

let servers: Server[] = [];
afterEach(() => {
  for (const server of servers) server.close();
  servers = [];
});

interface Seen {
  answered: number;
  request: WriteRawRequest;
  bytes: Buffer;
}

/** A real server that answers in turn what the script says, then 200; `hang` never answers. */
async function startServer(script: (number | 'hang')[]) {
  const seen: Seen[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const bytes = await readAll(incoming);
    const status = script.shift() ?? 200;
    if (status === 'hang') return;
    seen.push({ answered: status, request: decodeWriteRaw(gunzipSync(bytes)), bytes });
    outgoing.writeHead(status, status === 429 ? { 'retry-after': '0' } : {}).end('{}');
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), seen };
}

async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const frames = new NamedFrames();

/** A window with one series of `samples` samples, or several of them. */
function makeWindow(seq: number, ...samples: number[]) {
  const total = samples.reduce((sum, n) => sum + n, 0);
  const counters = { [SAMPLED]: total + 1, [SENT]: total, lost_ring_full: 1 };
  const series = samples.map((count, i) => {
    const profile = new SeriesProfile();
    profile.add([frames.get('[jit]', 'f')], [], count);
    return { labels: { service_name: `s${i}` }, profile };
  });
  const report = { seq, startMs: 1_000 * seq, lengthMs: 1_000, frequencyHz: 19, counters };
  return { report, series, times: { startMs: 1_000 * seq, lengthMs: 1_000, periodNs: 1 } };
}

function pack(seq: number, samples: number[], maxBytes?: number) {
  const { report, series, times } = makeWindow(seq, ...samples);
  return packWindow(report, series, times, maxBytes);
}

function makeShipper(server: URL, spoolBytes = 1e6): Shipper {
  const quiet = () => undefined;
  return new Shipper({ server, reporter: REPORTER, spoolBytes, log: quiet, firstBackoffMs: 1 });
}

/** `status series=N: seq sent/lost...; ...` a request; windows in the order they were reported. */
function draw(seen: readonly Seen[]): string[] {
  return seen.map(({ answered, request }) => {
    const windows = (request.report?.windows ?? []).map(({ seq, counters }) => {
      expect(unaccounted(counters)).toBe(0);
      const lost = ['spool', 'rejected'].flatMap((reason) =>
        counters[`lost_${reason}`] ? [` ${reason}=${counters[`lost_${reason}`]}`] : [],
      );
      return `${seq} sent=${counters[SENT]}${lost.join('')}`;
    });
    return `${answered} series=${request.series.length}: ${windows.join('; ')}`.trim();
  });
}

test('one request per window, with its counters', async () => {
  const { url, seen } = await startServer([]);
  const shipper = makeShipper(url);
  shipper.enqueue(pack(1, [5, 3]));
  shipper.enqueue(pack(2, []));
  expect(await shipper.close(5_000)).toBe(0);
  expect(draw(seen)).toEqual(['200 series=2: 1 sent=8', '200 series=0: 2 sent=0']);
  expect(seen[0]?.request).toMatchObject({ normalized: true, report: REPORTER });
  expect(shipper.stats).toMatchObject({ sentParcels: 2, sentSamples: 8, retries: 0 });
  expect(shipper.spooledBytes).toBe(0);
});

test('a window over the limit is split; the last part carries the counters', async () => {
  const { url, seen } = await startServer([]);
  const shipper = makeShipper(url);
  shipper.enqueue(pack(1, [1, 2, 3], 1));
  await shipper.close(5_000);
  expect(draw(seen)).toEqual(['200 series=1:', '200 series=1:', '200 series=1: 1 sent=6']);
  expect(new Set(seen.map(({ request }) => request.report?.batchId)).size).toBe(3);
});

test.each([401, 403, 404, 429, 500, 503, 507])(
  '%i is tried again, the same bytes',
  async (code) => {
    const { url, seen } = await startServer([code, code]);
    const shipper = makeShipper(url);
    shipper.enqueue(pack(1, [5]));
    await shipper.close(5_000);
    expect(draw(seen)).toEqual([
      `${code} series=1: 1 sent=5`,
      `${code} series=1: 1 sent=5`,
      '200 series=1: 1 sent=5',
    ]);
    expect(seen[2]?.bytes.equals(seen[0]!.bytes)).toBe(true);
    expect(shipper.stats.retries).toBe(2);
  },
);

test.each([400, 413, 415, 422])('%i is final and reported with the next window', async (code) => {
  const { url, seen } = await startServer([code]);
  const shipper = makeShipper(url);
  shipper.enqueue(pack(1, [5]));
  shipper.enqueue(pack(2, [2]));
  shipper.enqueue(pack(3, [1]));
  await shipper.close(5_000);
  expect(draw(seen)).toEqual([
    `${code} series=1: 1 sent=5`,
    '200 series=1: 1 sent=0 rejected=5; 2 sent=2',
    '200 series=1: 3 sent=1',
  ]);
  expect(shipper.stats.lostSamples).toEqual({ spool: 0, rejected: 5 });
});

test('a part of a window that is refused is booked before its counters travel', async () => {
  const { url, seen } = await startServer([200, 422]);
  const shipper = makeShipper(url);
  shipper.enqueue(pack(1, [1, 2, 4], 1));
  await shipper.close(5_000);
  expect(draw(seen).at(-1)).toBe('200 series=1: 1 sent=5 rejected=2');
});

test('a report that is refused with its request is made again', async () => {
  const { url, seen } = await startServer([422, 422]);
  const shipper = makeShipper(url);
  for (const seq of [1, 2, 3]) shipper.enqueue(pack(seq, [seq]));
  await shipper.close(5_000);
  expect(draw(seen).at(-1)).toBe(
    '200 series=1: 1 sent=0 rejected=1; 2 sent=0 rejected=2; 3 sent=3',
  );
});

test('a full spool drops the oldest that was not tried yet, and says so later', async () => {
  const { url, seen } = await startServer([503, 503]);
  const one = pack(1, [1]);
  const shipper = makeShipper(url, one[0]!.series.length * 2.5);
  const rest = [pack(2, [2]), pack(3, [3]), pack(4, [4])];
  for (const parcels of [one, ...rest]) shipper.enqueue(parcels);
  await shipper.close(5_000);
  expect(draw(seen).filter((line) => line.startsWith('200'))).toEqual([
    '200 series=1: 1 sent=1',
    '200 series=1: 2 sent=0 spool=2; 3 sent=0 spool=3; 4 sent=4',
  ]);
  expect(shipper.stats.lostSamples).toEqual({ spool: 5, rejected: 0 });
});

test('closing gives up at its deadline and says what is left', async () => {
  const { url } = await startServer(['hang']);
  const shipper = makeShipper(url);
  shipper.enqueue(pack(1, [5]));
  shipper.enqueue(pack(2, [2]));
  expect(await shipper.close(50)).toBe(7);
});

test('a server that is not there is a reason to wait', async () => {
  const shipper = makeShipper(new URL('http://127.0.0.1:9/'));
  shipper.enqueue(pack(1, [5]));
  expect(await shipper.close(50)).toBe(5);
  expect(shipper.stats.retries).toBeGreaterThan(0);
});

test.each([
  [null, null],
  ['3', 3_000],
  [' 0 ', 0],
  ['86400', 300_000],
  ['Thu, 01 Jan 1970 00:00:12 GMT', 2_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['soon', null],
])('Retry-After: %s', (value, ms) => expect(retryAfterMs(value, 10_000)).toBe(ms));
