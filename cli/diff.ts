/** `everflame diff`: what changed between two selections, function by function; a check for CI. */

import { EverflameError } from '../profile/errors.ts';
import type { Change, FunctionChange } from '../profile/flame/diff.ts';
import { compareFunctions, sidesOf } from '../profile/flame/diff.ts';
import { decodeFg1, FG1_MEDIA_TYPE } from '../profile/flame/fg1.ts';
import type { FlameGraph } from '../profile/flame/flame-graph.ts';
import { frameAt } from '../profile/flame/frame-table.ts';
import { formatChange, formatShare } from '../profile/format-value.ts';
import { stringReader } from '../profile/strings.ts';
import { SERVER_FLAG, send } from './client.ts';
import type { Command } from './command.ts';
import { flag, parseFlags } from './flags.ts';
import { formatTable } from './table.ts';

const FLAGS = {
  server: SERVER_FLAG,
  'query-a': flag.text(null, 'SELECTOR', 'the base'),
  'query-b': flag.text(null, 'SELECTOR', 'what is compared with it'),
  'from-a': flag.text('now-1h', 'TIME', 'epoch ms, RFC 3339, or now-1h'),
  'to-a': flag.text('now', 'TIME', 'the first moment after the range of A'),
  'from-b': flag.text('now-1h', 'TIME', 'as --from-a, for B'),
  'to-b': flag.text('now', 'TIME', 'as --to-a, for B'),
  limit: flag.number(30, 'lines of the table', { min: 1, max: 10_000 }),
  'fail-over': flag.text(
    null,
    'N%',
    "exit with 1 if a function's own or total share grew by more than N % of the whole",
  ),
};

export const diffCommand: Command = {
  name: 'diff',
  operands: '',
  summary: 'compare two selections as shares of their totals, function by function',
  flags: FLAGS,
  notes:
    'Changes within the noise of the sample counts are marked "same" and never fail.\n' +
    'Exit codes: 0 fine, 1 a function grew over --fail-over, 2 the comparison was not possible.',
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    if (values['query-a'] === null || values['query-b'] === null || operands.length > 0) {
      throw new EverflameError('invalid', 'diff needs --query-a and --query-b and no operands');
    }
    const limit = values['fail-over'] === null ? null : parsePercent(values['fail-over']);
    const response = await send(values.server, {
      method: 'GET',
      path: '/api/v1/diff',
      headers: { Accept: FG1_MEDIA_TYPE },
      parameters: {
        query_a: values['query-a'],
        from_a: values['from-a'],
        to_a: values['to-a'],
        query_b: values['query-b'],
        from_b: values['from-b'],
        to_b: values['to-b'],
        format: 'fg1',
      },
    });
    const graph = decodeFg1(new Uint8Array(await response.arrayBuffer()));
    requireBothSides(graph);
    const changes = compareFunctions(graph, 'share');
    output.out(formatChanges(graph, changes.slice(0, values.limit)));
    if (limit === null) return 0;
    const verdict = describeGrown(graph, changes, limit);
    if (verdict === null) return 0;
    output.err(verdict);
    return 1;
  },
};

/** Names in the closing line; the table has the others. */
const NAMED_FUNCTIONS = 5;

/** `5%` or `0.5 %` as a share of 1. */
function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text);
  if (match === null) {
    throw new EverflameError('invalid', `--fail-over ${text}: is not a percentage such as 5%`);
  }
  return Number(match[1]) / 100;
}

/** A check on nothing would always pass. */
function requireBothSides(graph: FlameGraph): void {
  const sides = sidesOf(graph);
  const empty = [
    ...(sides.a.total === 0 ? ['--query-a'] : []),
    ...(sides.b.total === 0 ? ['--query-b'] : []),
  ];
  if (empty.length === 0) return;
  throw new EverflameError('not-found', `no profiles match ${empty.join(' and ')} in the range`);
}

function grewOver({ self, total }: FunctionChange, limit: number): boolean {
  const over = ({ kind, delta }: Change) => (kind === 'grew' || kind === 'new') && delta > limit;
  return over(self) || over(total);
}

/** The sentence about what grew over the limit, a share of 1; null where nothing did. */
export function describeGrown(
  graph: FlameGraph,
  changes: readonly FunctionChange[],
  limit: number,
): string | null {
  const grown = changes.filter((change) => grewOver(change, limit));
  if (grown.length === 0) return null;
  const text = stringReader(graph.strings);
  const named = grown.slice(0, NAMED_FUNCTIONS).map(({ frame, self, total }) => {
    const change = self.delta > limit ? self : total;
    return `${frameAt(graph.frames, text, frame).name} (${percentPoints(change.delta)})`;
  });
  const more = grown.length > named.length ? ` and ${grown.length - named.length} more` : '';
  return `grew by more than ${formatShare(limit)} of the whole: ${named.join(', ')}${more}`;
}

function percentPoints(delta: number): string {
  return `${formatChange(delta * 100)} %`;
}

/** The changes as text: own share on both sides, its change with the 95 % interval, total. */
export function formatChanges(graph: FlameGraph, changes: readonly FunctionChange[]): string {
  const text = stringReader(graph.strings);
  const rows = changes.map(({ frame, self, total }) => {
    const { name, binary } = frameAt(graph.frames, text, frame);
    const interval = self.interval === null ? '' : `\u00b1${(self.interval * 100).toFixed(2)}`;
    return [
      formatShare(self.a),
      formatShare(self.b),
      percentPoints(self.delta),
      interval,
      percentPoints(total.delta),
      self.kind === 'same' ? total.kind : self.kind,
      name,
      binary,
    ];
  });
  const header = ['self A', 'self B', 'change', '95 %', 'total', '', 'function', 'binary'];
  return formatTable(header, rows, 5);
}
