/** `everflame store export`: a selection as Parquet files. */
import { resolve } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import { SERVER_FLAG } from './client.ts';
import type { Command } from './command.ts';
import { downloadFolder } from './download-folder.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  server: SERVER_FLAG,
  query: flag.text(null, 'SELECTOR', 'what to export, with its profile type'),
  from: flag.text('now-1h', 'TIME', 'epoch ms, RFC 3339, or now-1h'),
  to: flag.text('now', 'TIME', 'the first moment after the range'),
  quiet: flag.switch('say nothing while it goes on'),
};

export const storeExportCommand: Command = {
  name: 'store export',
  operands: 'DIR',
  summary: 'write a selection as Parquet: samples, series and stacks',
  flags: FLAGS,
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    const { server, query, from, to, quiet } = values;
    const [operand, ...others] = operands;
    if (query === null || operand === undefined || others.length > 0) {
      throw new EverflameError('invalid', 'store export needs --query SELECTOR and one directory');
    }
    const dir = resolve(operand);
    const parameters = { query, from, to };
    const request = { method: 'GET', path: '/api/v1/export', parameters } as const;
    const bytes = await downloadFolder(server, request, dir, quiet ? null : output);
    output.out(`${dir}: ${bytes} bytes\n`);
    return 0;
  },
};
