/** `everflame store backup`: a running server's data as a directory that a server starts on. */
import { resolve } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import { SERVER_FLAG } from './client.ts';
import type { Command } from './command.ts';
import { downloadFolder } from './download-folder.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  server: SERVER_FLAG,
  quiet: flag.switch('say nothing while it goes on'),
};

const EXIT_DAMAGED = 1;

export const storeBackupCommand: Command = {
  name: 'store backup',
  operands: 'DIR',
  summary: "copy a running server's data to a new directory",
  flags: FLAGS,
  notes:
    'The server goes on meanwhile; the copy is as of one moment and is checked when it is there.\n' +
    'To go back to it: everflame server --data-dir DIR. Ends with 1 where the copy is damaged.',
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    const [operand, ...others] = operands;
    if (operand === undefined || others.length > 0) {
      throw new EverflameError('invalid', 'store backup needs one directory');
    }
    const dir = resolve(operand);
    const request = { method: 'GET', path: '/api/v1/store/backup' } as const;
    const bytes = await downloadFolder(values.server, request, dir, values.quiet ? null : output);
    const { checkDataDir } = await import('../store/duckdb/inspect/check-data-dir.ts');
    const { rows, faults } = await checkDataDir(dir);
    for (const { place, what } of faults) output.err(`everflame: ${place}: ${what}`);
    output.out(`${dir}: ${bytes} bytes, ${rows} rows\n`);
    return faults.length === 0 ? 0 : EXIT_DAMAGED;
  },
};
