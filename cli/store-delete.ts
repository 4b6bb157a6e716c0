/** `everflame store delete`: removes a selection for good, once it is said so. */
import { EverflameError } from '../profile/errors.ts';
import type { DeletedJson } from '../wire/http.ts';
import { readAnswer, SERVER_FLAG, send } from './client.ts';
import type { Command } from './command.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  server: SERVER_FLAG,
  query: flag.text(null, 'SELECTOR', 'what to delete, without a profile type: {pod="x"}'),
  from: flag.text(null, 'TIME', 'epoch ms, RFC 3339, or now-1h'),
  to: flag.text(null, 'TIME', 'the first moment after the range'),
  all: flag.switch('of all times, in place of --from and --to'),
  yes: flag.switch('delete it; without this it is only counted'),
};

export const storeDeleteCommand: Command = {
  name: 'store delete',
  operands: '',
  summary: 'count, or delete for good, the profiles of a selection',
  flags: FLAGS,
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    const { server, query, from, to, all, yes } = values;
    if (query === null || operands.length > 0) {
      throw new EverflameError('invalid', 'store delete needs --query SELECTOR and no operands');
    }
    const times = { ...(from === null ? {} : { from }), ...(to === null ? {} : { to }) };
    const response = await send(server, {
      method: 'POST',
      path: '/api/v1/delete',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query, ...times, all, dry_run: !yes }),
    });
    const isAnswer = (fields: { profiles?: unknown }) => typeof fields.profiles === 'number';
    const { profiles, samples } = await readAnswer<DeletedJson>(server, response, isAnswer);
    const done = yes ? 'deleted' : 'to be deleted by --yes';
    output.out(`${profiles} profiles, ${samples} rows of samples: ${done}\n`);
    return 0;
  },
};
