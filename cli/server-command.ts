/** `everflame server`: flags, the line with the URL, and the signals that end it. */

import { EverflameError } from '../profile/errors.ts';
import type { Command } from './command.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  'http-address': flag.text(
    '127.0.0.1:7070',
    'HOST:PORT',
    'where to listen; port 0 is any free one',
  ),
  'data-dir': flag.text('./data', 'DIR', 'where everything is stored'),
  'memory-limit': flag.bytes(null, "ceiling of the database's memory (default 1GiB)"),
  'debuginfo-bytes': flag.bytes(10e9, 'for symbol files; those not used for longest go first'),
  'path-prefix': flag.text('', '/PATH', 'where a proxy in front mounts this server'),
  insecure: flag.switch('listen on other than loopback addresses, without authentication'),
};

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
    const memoryLimitBytes = values['memory-limit'];
    const server = await startServer({
      httpAddress: values['http-address'],
      dataDir: values['data-dir'],
      debuginfoBytes: values['debuginfo-bytes'],
      pathPrefix: values['path-prefix'],
      insecure: values.insecure,
      log: (line) => output.err(line),
      ...(memoryLimitBytes === null ? {} : { memoryLimitBytes }),
    });
    const stopped = waitForSignal();
    output.out(`everflame: serving ${server.url} from ${values['data-dir']}\n`);
    await stopped;
    await server.close(DRAIN_MS);
    return 0;
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
