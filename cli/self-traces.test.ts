/** Spans of a real server, as a collector receives them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
}

/** A collector of OTLP over HTTP in JSON. */
async function startCollector() {
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    for (const { scopeSpans } of (await readJson(request)).resourceSpans) {
      for (const scope of scopeSpans) spans.push(...scope.spans);
    }
    response.end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { spans, server, url: `http://127.0.0.1:${port}` };
}

interface Export {
  resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
}

async function readJson(request: IncomingMessage): Promise<Export> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

test("a request's span is the sender's child, and the store's is the request's", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'everflame-traces-'));
  const collector = await startCollector();
  const args = ['server', '--http-address', '127.0.0.1:0', '--data-dir', dataDir];
  const child = spawn(process.execPath, ['--import', 'tsx', 'cli/main.ts', ...args], {
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
    if (output.includes('serving')) break;
  }
  const url = /http:\S+/.exec(output)?.[0];
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const parent = 'b7ad6b7169203331';
  const query = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';
  const parameters = new URLSearchParams({ query, from: '0', to: '1000' });
  await fetch(`${url}/api/v1/profiles?${parameters}`, {
    headers: { traceparent: `00-${traceId}-${parent}-01` },
  });
  child.kill('SIGTERM');
  await once(child, 'exit');
  const spans = collector.spans.filter((span) => span.traceId === traceId);
  const request = spans.find(({ name }) => name === 'GET /api/v1/profiles');
  expect(request?.parentSpanId).toBe(parent);
  const inStore = spans.find(({ name }) => name === 'store.profiles');
  expect(inStore?.parentSpanId).toBe(request?.spanId);
  collector.server.close();
  rmSync(dataDir, { recursive: true });
}, 60_000);
