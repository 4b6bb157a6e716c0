/** `everflame server`: flags, the line with the URL, and the signals that end it. */
import { resolve } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import type { Command } from './command.ts';
import { flag, parseFlags } from './flags.ts';
import { chooseMemoryLimit, readContainerLimit } from './memory-limit.ts';

const DAY_MS = 86_400_000;

const FLAGS = {
  'http-address': flag.text(
    '127.0.0.1:7070',
    'HOST:PORT',
    'where to listen; port 0 is any free one',
  ),
  'data-dir': flag.text('./data', 'DIR', 'where everything is stored'),
  'memory-limit': flag.bytes(
    null,
    "ceiling of the server's memory, SQL included (default 1GB, in a container no more than fits)",
  ),
  'retention-age': flag.duration(30 * DAY_MS, 'profiles older than this are removed, 0: none'),
  'retention-bytes': flag.bytes(
    null,
    'the oldest profiles go where all that is stored takes more than this, 0: none (the default)',
  ),
  'debuginfo-bytes': flag.bytes(10e9, 'for symbol files; those not used for longest go first'),
  'debuginfo-path': flag.list(
    ['/usr/lib/debug'],
    'DIR',
    "where to look for debug information on this machine's disk; repeated",
  ),
  'debuginfod-urls': flag.list(
    [],
    'URL',
    'debuginfod servers to ask for debug information; repeated',
    readServerUrl,
  ),
  'path-prefix': flag.text('', '/PATH', 'where a proxy in front mounts this server'),
  insecure: flag.switch('listen on other than loopback addresses, without authentication'),
};

function readServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error('is not the URL of a server; write for example https://debuginfod.example.org');
  }
  // They would be shown on the page of debug information.
  if (url.username !== '' || url.password !== '') throw new Error('has a password in it');
  return text.replace(/\/+$/, '');
}

/** The server was running, and could not go on. */
const EXIT_FAILED = 1;
/** Open requests get this long to end; then their connections are closed. */
const DRAIN_MS = 10_000;

export const serverCommand: Command = {
  name: 'server',
  operands: '',
  summary: 'store profiles, answer questions about them and show the web UI',
  flags: FLAGS,
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    if (operands.length > 0) {
      throw new EverflameError('invalid', `server takes no operands: ${operands.join(' ')}`);
    }
    // Loaded here, so that `everflame push` needs no database.
    const { startServer } = await import('./server.ts');
    const { startSelfTraces } = await import('./self-traces.ts');
    const traces = await startSelfTraces('everflame-server', env);
    const retentionAgeMs = values['retention-age'];
    const retentionBytes = values['retention-bytes'];
    const memoryLimitBytes = chooseMemoryLimit(values['memory-limit'], readContainerLimit());
    const server = await startServer({
      httpAddress: values['http-address'],
      dataDir: values['data-dir'],
      debuginfoBytes: values['debuginfo-bytes'],
      debuginfoPaths: values['debuginfo-path'].map((path) => resolve(path)),
      debuginfodUrls: values['debuginfod-urls'],
      pathPrefix: values['path-prefix'],
      insecure: values.insecure,
      isTraced: traces !== null,
      log: (line) => output.err(line),
      memoryLimitBytes,
      ...(retentionAgeMs === 0 ? {} : { retentionAgeMs }),
      ...(retentionBytes === null || retentionBytes === 0 ? {} : { retentionBytes }),
    });
    const stopped = waitForSignal();
    output.out(`everflame: serving ${server.url} from ${values['data-dir']}\n`);
    const failure = await Promise.race([stopped, server.failed]);
    if (failure !== undefined) {
      output.err(`everflame: the store cannot be kept open, the server ends: ${failure.message}`);
      // What does not close would keep the process.
      setTimeout(() => process.exit(EXIT_FAILED), DRAIN_MS).unref();
    }
    await server.close(failure === undefined ? DRAIN_MS : 0);
    await traces?.close();
    return failure === undefined ? 0 : EXIT_FAILED;
  },
};

/** A second signal ends the process at once, as if there were no handler. */
function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = () => {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
      resolve();
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}
