/** The thread that is the fleet's agents: makes requests and sends them, so many at a time. */
import { parentPort } from 'node:worker_threads';
import { sendRequest } from '../agent/http-request.ts';
import { assert } from '../profile/errors.ts';
import { createFleet, HOSTS, WINDOWS_PER_HOUR } from './fleet.ts';
import type { FleetJob, FleetMessage, FleetSums } from './fleet-push.ts';
import { FleetEncoder } from './fleet-request.ts';

const TIMEOUT_MS = 60_000;
const REPORT_MS = 250;
const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

assert(parentPort !== null, 'fleet-sender runs as a worker thread');
const port = parentPort;
const fleet = createFleet();
let isStopped = false;

async function run(job: FleetJob): Promise<void> {
  const encoder = new FleetEncoder(fleet, job.run, job.startMs);
  const sums: FleetSums = {
    requests: 0,
    refused: 0,
    tooOld: 0,
    rows: 0,
    profiles: 0,
    cpuSamples: 0,
    offCpuNs: 0,
    bytes: 0,
    endWindow: job.fromWindow,
    latenciesMs: [],
  };
  const url = new URL('/api/profiles/writeraw', job.url);
  const start = performance.now();
  let next = job.fromWindow * HOSTS;
  const client = async () => {
    while (next < job.toWindow * HOSTS) {
      // Whole windows, so that what was sent is told by the number of the last.
      if (isStopped && next % HOSTS === 0) return;
      const number = next++;
      if (job.requestsPerSecond > 0) {
        const due = start + ((number - job.fromWindow * HOSTS) * 1_000) / job.requestsPerSecond;
        await sleep(Math.max(0, due - performance.now()));
      }
      const window = Math.floor(number / HOSTS);
      await send(encoder, url, number % HOSTS, window, sums);
      if ((number + 1) % (HOSTS * WINDOWS_PER_HOUR) === 0) {
        port.postMessage({ kind: 'hour', rows: sums.rows } satisfies FleetMessage);
      }
    }
  };
  const report = () =>
    port.postMessage({ kind: 'sent', requests: sums.requests } satisfies FleetMessage);
  const reports = setInterval(report, REPORT_MS);
  await Promise.all(Array.from({ length: job.clients }, client));
  clearInterval(reports);
  sums.endWindow = Math.ceil(next / HOSTS);
  port.postMessage({ kind: 'done', sums } satisfies FleetMessage);
}

/** Until it is taken; what the server refuses for a while is sent again when it says. */
async function send(
  encoder: FleetEncoder,
  url: URL,
  host: number,
  window: number,
  sums: FleetSums,
): Promise<void> {
  const { body, rows, profiles, cpuSamples, offCpuNs } = encoder.encode(host, window);
  for (;;) {
    const sent = performance.now();
    const answer = await sendRequest(url, {
      method: 'POST',
      headers: HEADERS,
      body,
      timeoutMs: TIMEOUT_MS,
      signal: new AbortController().signal,
    });
    if (answer.status === 200) {
      sums.latenciesMs.push(performance.now() - sent);
      break;
    }
    if (answer.status === 422 && answer.text.includes('--retention-age')) {
      sums.tooOld++;
      return;
    }
    if (answer.status !== 429 && answer.status !== 503) {
      throw new Error(`${answer.status} ${answer.text}`);
    }
    sums.refused++;
    await sleep(1_000 * Number(answer.retryAfter ?? 1));
  }
  sums.requests++;
  sums.rows += rows;
  sums.profiles += profiles;
  sums.cpuSamples += cpuSamples;
  sums.offCpuNs += offCpuNs;
  sums.bytes += body.length;
}

port.on('message', (message: FleetJob | 'stop') => {
  if (message === 'stop') isStopped = true;
  else void run(message);
});
