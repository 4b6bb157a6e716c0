/** Senders of /ingest: as fast as answers come, or by a schedule. */
import { percentile } from './process-usage.ts';

/** Connections, and so requests under way at one time. */
export const CLIENTS = 64;

export interface Push {
  service: string;
  host: string;
  startMs: number;
  endMs: number;
  body: Uint8Array<ArrayBuffer>;
}

export interface Pushed {
  latenciesMs: number[];
  seconds: number;
}

/**
 * Sends `count` pushes. With a rate they are due at even distances whatever the server does, and
 * each one's latency counts from when it was due; so a server that falls behind shows it.
 */
export async function pushAll(
  url: string,
  count: number,
  pushAt: (i: number) => Push,
  perSecond = Infinity,
): Promise<Pushed> {
  const latenciesMs: number[] = [];
  let next = 0;
  const start = performance.now();
  const client = async () => {
    while (next < count) {
      const i = next++;
      const dueMs = start + (i / perSecond) * 1000;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((done) => setTimeout(done, waitMs));
      const from = perSecond === Infinity ? performance.now() : dueMs;
      await send(url, pushAt(i));
      latenciesMs.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return { latenciesMs, seconds: (performance.now() - start) / 1000 };
}

async function send(url: string, { service, host, startMs, endMs, body }: Push): Promise<void> {
  const name = `${service}{host="${host}"}`;
  const from = String(startMs / 1000);
  const query = new URLSearchParams({ name, from, until: String(endMs / 1000) });
  const response = await fetch(`${url}/ingest?${query}`, { method: 'POST', body });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

/** `116 / 183 / 538`: p50, p95 and p99 in ms. */
export function drawLatencies(latenciesMs: number[]): string {
  return [0.5, 0.95, 0.99].map((p) => percentile(latenciesMs, p).toFixed(0)).join(' / ');
}
