/** `everflame agent`: flags to a running agent, signals to its end. */
import { formatLine, type Log } from '../agent/log.ts';
import { EverflameError } from '../profile/errors.ts';
import { canonicalLabels } from '../profile/select/labels.ts';
import type { Command } from './command.ts';
import { type Environment, flag, parseFlags } from './flags.ts';
import { readVersion } from './version.ts';

/** Periods from 1 ms, where sampling would be a load, to 10 s. */
const FREQUENCY = { min: 1, max: 1_000 };
/** Shorter windows cost more than they show; longer ones outgrow a request. */
const MIN_WINDOW_MS = 1_000;
const MAX_WINDOW_MS = 600_000;
/** One request's worth: below, headers and round trips are most of it. */
const MIN_UPLOAD_BYTES = 65_536;
const METRICS_GRACE_MS = 1_000;

export const AGENT_FLAGS = {
  server: flag.text('http://127.0.0.1:7070', 'URL', 'where profiles are sent to'),
  frequency: flag.number(19, 'samples per second and CPU', FREQUENCY),
  window: flag.duration(10_000, 'time that one profile covers'),
  label: flag.pairs('NAME=VALUE', 'a label for every series; may be given several times'),
  'spool-bytes': flag.bytes(64e6, 'memory for what the server has not taken yet'),
  'upload-bytes': flag.bytes(32e6, 'of debug information, sent per --window at most; 0 sends none'),
  'metrics-address': flag.text(null, 'HOST:PORT', 'serve /metrics there'),
};

export const agentCommand: Command = {
  name: 'agent',
  operands: '',
  summary: 'profile this machine and send the profiles to a server',
  flags: AGENT_FLAGS,
  notes: 'Needs root, or CAP_BPF and CAP_PERFMON. SIGTERM sends the last window and ends it.',
  run: runAgentCommand,
};

export async function runAgentCommand(argv: readonly string[], env: Environment): Promise<number> {
  const { values, operands } = parseFlags(AGENT_FLAGS, argv, env);
  if (operands.length > 0) throw usageError(`agent takes no operand: ${operands[0]}`);
  const version = readVersion();
  const settings = {
    server: parseServer(values.server),
    frequencyHz: Math.round(values.frequency),
    windowMs: checkWindow(values.window),
    labels: canonicalLabels(values.label, '--label'),
    spoolBytes: values['spool-bytes'],
    uploadBytes: checkUploadBytes(values['upload-bytes']),
    version,
    log,
  };
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGTERM', onSignal);
  process.once('SIGINT', onSignal);
  const address = values['metrics-address'];
  const metrics = address === null ? null : await serveMetrics(address, version);
  try {
    // Loads libbpf, which the other commands neither need nor may have.
    const { runAgent } = await import('../agent/agent.ts');
    await runAgent({ ...settings, meter: metrics?.meter ?? null, signal: stop.signal });
    return 0;
  } finally {
    process.removeListener('SIGTERM', onSignal);
    process.removeListener('SIGINT', onSignal);
    await metrics?.close();
  }
}

const log: Log = (level, message, fields) => {
  process.stderr.write(`${formatLine(new Date(), level, message, fields)}\n`);
};

/** Loads what only this needs: it weighs 20 MB. */
async function serveMetrics(text: string, version: string) {
  const { createSelfMetrics } = await import('./self-metrics.ts');
  const { listen, parseSocketAddress } = await import('./listener.ts');
  const metrics = createSelfMetrics(version);
  const listener = await listen(
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname !== '/metrics') return new Response('not found\n', { status: 404 });
      const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
      return new Response(await metrics.render(), { headers });
    },
    parseSocketAddress(text, 'metrics-address'),
  );
  log('info', 'serving metrics', { url: `${listener.url}/metrics` });
  return {
    ...metrics,
    close: async () => {
      await listener.close(METRICS_GRACE_MS);
      await metrics.close();
    },
  };
}

function checkWindow(windowMs: number): number {
  if (windowMs >= MIN_WINDOW_MS && windowMs <= MAX_WINDOW_MS) return windowMs;
  throw usageError(`--window must be from ${MIN_WINDOW_MS / 1000}s to ${MAX_WINDOW_MS / 60_000}m`);
}

function checkUploadBytes(bytes: number): number {
  if (bytes === 0 || bytes >= MIN_UPLOAD_BYTES) return bytes;
  throw usageError(`--upload-bytes must be 0, or at least ${MIN_UPLOAD_BYTES}`);
}

function parseServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw usageError(`--server ${text}: is not an http or https URL`);
}

function usageError(message: string): EverflameError {
  return new EverflameError('invalid', message);
}
