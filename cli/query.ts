/** `everflame query`: a selection as a table of functions, or in a form for other programs. */
import { writeFile } from 'node:fs/promises';
import { EverflameError } from '../profile/errors.ts';
import { formatShare, formatValue } from '../profile/format-value.ts';
import type { FunctionsJson } from '../wire/http.ts';
import { type ClientRequest, readAnswer, SERVER_FLAG, send } from './client.ts';
import type { Command } from './command.ts';
import { flag, parseFlags } from './flags.ts';
import { formatTable } from './table.ts';

const FLAGS = {
  server: SERVER_FLAG,
  query: flag.text(
    null,
    'SELECTOR',
    'e.g. \'process_cpu:cpu:nanoseconds:cpu:nanoseconds{host="a"}\'',
  ),
  from: flag.text('now-1h', 'TIME', 'epoch ms, RFC 3339, or now-1h'),
  to: flag.text('now', 'TIME', 'the first moment after the range'),
  format: flag.choice(
    ['table', 'folded', 'pprof', 'json', 'speedscope', 'svg', 'dot'],
    'table',
    'form of the answer',
  ),
  filter: flag.texts(
    'FILTER',
    "e.g. 'hide:function~^runtime' or 'show-from:binary=app'; repeated, one after the other",
  ),
  sort: flag.choice(['self', 'total', 'name'], 'self', 'order of the table'),
  'by-line': flag.switch('a frame per line of a function, in all but tables; pprof has its lines'),
  limit: flag.number(30, 'lines of the table', { min: 1, max: 10_000 }),
  output: flag.text(null, 'FILE', 'where to write instead of standard output'),
};

export const queryCommand: Command = {
  name: 'query',
  operands: '',
  summary: 'print what a selection of profiles spent its time on',
  flags: FLAGS,
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    if (values.query === null || operands.length > 0) {
      throw new EverflameError('invalid', 'query needs --query SELECTOR and no operands');
    }
    const { query, from, to, filter, format, 'by-line': byLine } = values;
    if (byLine && format === 'table') {
      throw new EverflameError('invalid', 'a table of functions has no lines', {
        field: '--by-line',
        remedy: 'Ask for --format folded or json.',
      });
    }
    const selection = { query, from, to, filter };
    const granularity = byLine && format !== 'pprof' ? 'line' : 'function';
    const answer =
      format === 'table'
        ? await queryTable(values.server, selection, values.sort, values.limit)
        : await queryMerge(values.server, { ...selection, format, granularity });
    if (values.output === null) output.out(answer);
    else await writeFile(values.output, answer);
    return 0;
  },
};

type Parameters = NonNullable<ClientRequest['parameters']>;

async function queryMerge(server: string, parameters: Parameters): Promise<Uint8Array> {
  const response = await send(server, { method: 'GET', path: '/api/v1/merge', parameters });
  return new Uint8Array(await response.arrayBuffer());
}

async function queryTable(
  server: string,
  selection: Parameters,
  sort: string,
  limit: number,
): Promise<string> {
  const parameters = { ...selection, sort, limit: String(limit) };
  const response = await send(server, { method: 'GET', path: '/api/v1/functions', parameters });
  const answer = await readAnswer<FunctionsJson>(server, response, (fields) =>
    Array.isArray(fields.functions),
  );
  return formatFunctions(answer);
}

/** The function table as text. */
export function formatFunctions(answer: FunctionsJson): string {
  const { total, total_before_filters: before, unit, count, functions } = answer;
  const share = (value: number) => formatShare(total > 0 ? value / total : 0);
  const rows = functions.map((row) => [
    formatValue(row.self, unit),
    share(row.self),
    formatValue(row.total, unit),
    share(row.total),
    row.name,
    row.binary,
  ]);
  const table = formatTable(['self', '', 'total', '', 'function', 'binary'], rows, 4);
  const shown = functions.length < count ? `, ${functions.length} of ${count} functions` : '';
  const kept = total === before ? '' : ` of ${formatValue(before, unit)} before filters`;
  return `total ${formatValue(total, unit)}${kept}${shown}\n${table}`;
}
