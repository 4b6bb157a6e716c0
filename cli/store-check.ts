/** `everflame store check`: is everything that was stored still there, and as it was written? */
import { storeCheckJson } from '../api/store-check.ts';
import { EverflameError } from '../profile/errors.ts';
import type { StoreCheckJson } from '../wire/http.ts';
import { readAnswer, SERVER_FLAG, send } from './client.ts';
import type { Command } from './command.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  server: SERVER_FLAG,
  'data-dir': flag.text(null, 'DIR', 'check this directory, which no server has open'),
};

const EXIT_DAMAGED = 1;

export const storeCheckCommand: Command = {
  name: 'store check',
  operands: '',
  summary: 'read everything stored and say what is damaged',
  flags: FLAGS,
  notes:
    'Asks the server; with --data-dir, reads a directory that no server has open and changes\n' +
    'nothing in it. Ends with 1 where something is damaged.',
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    if (operands.length > 0) {
      throw new EverflameError('invalid', 'store check takes no operands');
    }
    const dataDir = values['data-dir'];
    const checked = dataDir === null ? await askServer(values.server) : await readDir(dataDir);
    const { files, bytes, rows, faults } = checked;
    for (const fault of faults) output.out(`${describeFault(fault)}\n`);
    const found = faults.length === 0 ? 'nothing is damaged' : `${faults.length} faults`;
    output.out(`${found}: ${rows} rows, ${files} files of blocks with ${bytes} bytes\n`);
    return faults.length === 0 ? 0 : EXIT_DAMAGED;
  },
};

async function askServer(server: string): Promise<StoreCheckJson> {
  const response = await send(server, { method: 'POST', path: '/api/v1/store/check' });
  return readAnswer<StoreCheckJson>(server, response, ({ faults }) => Array.isArray(faults));
}

async function readDir(dataDir: string): Promise<StoreCheckJson> {
  // Loaded here, so that asking a server needs no database.
  const { checkDataDir } = await import('../store/duckdb/inspect/check-data-dir.ts');
  return storeCheckJson(await checkDataDir(dataDir));
}

function describeFault({ place, what, from_ms, to_ms, samples }: StoreCheckJson['faults'][number]) {
  const text = what.startsWith(place) ? what : `${place}: ${what}`;
  if (from_ms === null || to_ms === null) return text;
  const [from, to] = [from_ms, to_ms].map((ms) => new Date(ms).toISOString());
  return `${text}; ${samples} samples from ${from} to ${to}`;
}
