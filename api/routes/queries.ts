/** The read endpoints of /api/v1 over api/query. */
import { accepts } from 'hono/accepts';
import { parseDurationMs } from '../../profile/duration.ts';
import { EverflameError } from '../../profile/errors.ts';
import { isLabelName } from '../../profile/select/labels.ts';
import type { BodyBudget } from '../body.ts';
import type { DiffFormat, MergeFormat, Queries } from '../query/params.ts';
import type { Answer } from './answer.ts';
import { gzipBytes } from './answer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import {
  agentsParameters,
  diffParameters,
  estimateParameters,
  functionsParameters,
  mergeParameters,
  metaParameters,
  namesParameters,
  optionalRange,
  profilesParameters,
  rangeOf,
  seriesParameters,
  treeParams,
} from './query-parameters.ts';
import { readEndpoints } from './read.ts';
import {
  agentsJson,
  estimateJson,
  functionsJson,
  mergeJson,
  namesJson,
  profilesJson,
  profileTypesJson,
  seriesJson,
} from './schemas.ts';

export interface QueryServices {
  queries: Queries;
  bodies: BodyBudget;
  /** Now, in epoch milliseconds; what `now` in a parameter means. */
  clock(): number;
}

const FG1 = 'application/vnd.everflame.fg1';
/** A pprof is gzipped, as its readers expect; the bytes are the file, not an encoding of it. */
const PPROF = 'application/octet-stream';
/** What an Accept header may ask for, and the format that it means. */
const MERGE_MEDIA: Record<string, MergeFormat> = {
  'application/json': 'json',
  [FG1]: 'fg1',
  [PPROF]: 'pprof',
  'text/plain': 'folded',
};
const DIFF_MEDIA: Record<string, DiffFormat> = { 'application/json': 'json', [FG1]: 'fg1' };

export function queryEndpoints(services: QueryServices): Endpoint[] {
  return [
    ...metaEndpoints(services),
    ...seriesEndpoints(services),
    ...treeEndpoints(services),
    ...functionsEndpoints(services),
  ];
}

function metaEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  const types = readEndpoints(
    {
      path: '/api/v1/profile_types',
      summary: 'The profile types stored.',
      parameters: metaParameters,
      answers: { 'application/json': profileTypesJson },
      read: ({ query, from, to }, _, caller) =>
        queries.profileTypes({ ...queryOf(query), ...optionalRange(from, to, clock()) }, caller),
    },
    bodies,
  );
  const names = readEndpoints(
    {
      path: '/api/v1/labels',
      summary: 'The names of labels.',
      parameters: namesParameters,
      answers: { 'application/json': namesJson },
      read: ({ query, from, to, prefix, limit }, _, caller) => {
        const range = optionalRange(from, to, clock());
        return queries.labels({ ...queryOf(query), ...range, prefix, limit }, caller);
      },
    },
    bodies,
  );
  const values = readEndpoints(
    {
      path: '/api/v1/labels/{name}/values',
      summary: 'The values of a label.',
      parameters: namesParameters,
      answers: { 'application/json': namesJson },
      read: ({ query, from, to, prefix, limit }, context, caller) => {
        const range = optionalRange(from, to, clock());
        const name = readLabelName(context.req.param('name') ?? '');
        return queries.labelValues({ ...queryOf(query), ...range, name, prefix, limit }, caller);
      },
    },
    bodies,
  );
  return [...types, ...names, ...values];
}

function seriesEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  const series = readEndpoints(
    {
      path: '/api/v1/series',
      summary: 'Totals over time, the largest groups on their own and the others as one.',
      parameters: seriesParameters,
      answers: { 'application/json': seriesJson },
      read: ({ query, from, to, step, by, limit }, _, caller) => {
        const stepMs = step === undefined ? {} : { stepMs: readStepMs(step) };
        const range = rangeOf(from, to, clock());
        return queries.series({ query, range, by, limit, ...stepMs }, caller);
      },
    },
    bodies,
  );
  const estimate = readEndpoints(
    {
      path: '/api/v1/estimate',
      summary: 'What a query over a selection would read, told from memory.',
      parameters: estimateParameters,
      answers: { 'application/json': estimateJson },
      read: ({ query, from, to }, _, caller) =>
        queries.estimate({ query, range: rangeOf(from, to, clock()) }, caller),
    },
    bodies,
  );
  const profiles = readEndpoints(
    {
      path: '/api/v1/profiles',
      summary: 'The single profiles of a selection.',
      parameters: profilesParameters,
      answers: { 'application/json': profilesJson },
      read: ({ query, from, to, limit }, _, caller) =>
        queries.profiles({ query, range: rangeOf(from, to, clock()), limit }, caller),
    },
    bodies,
  );
  const agents = readEndpoints(
    {
      path: '/api/v1/agents',
      summary: 'The agents that sent windows, with their counters.',
      parameters: agentsParameters,
      answers: { 'application/json': agentsJson },
      read: ({ from, to }, _, caller) =>
        queries.agents({ range: rangeOf(from, to, clock()) }, caller),
    },
    bodies,
  );
  return [...series, ...estimate, ...profiles, ...agents];
}

function treeEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  const merge = readEndpoints(
    {
      path: '/api/v1/merge',
      summary: 'All profiles of a selection as one flame graph.',
      parameters: mergeParameters,
      answers: {
        'application/json': mergeJson,
        [FG1]: null,
        [PPROF]: null,
        'text/plain': null,
      },
      read: async ({ query, from, to, format, by, ...tree }, context, caller) => {
        const range = rangeOf(from, to, clock());
        const wanted = format ?? acceptedFormat(context, MERGE_MEDIA);
        const merged = { query, range, by, format: wanted, ...treeParams(tree) };
        return asDownload(await queries.merge(merged, caller), wanted);
      },
    },
    bodies,
  );
  const diff = readEndpoints(
    {
      path: '/api/v1/diff',
      summary: 'Two selections as one flame graph that holds both sides of each node.',
      parameters: diffParameters,
      answers: { 'application/json': mergeJson, [FG1]: null },
      read: ({ format, mode, ...rest }, context, caller) => {
        const now = clock();
        const params = {
          queryA: rest.query_a,
          rangeA: rangeOf(rest.from_a, rest.to_a, now, { from: 'from_a', to: 'to_a' }),
          queryB: rest.query_b,
          rangeB: rangeOf(rest.from_b, rest.to_b, now, { from: 'from_b', to: 'to_b' }),
          mode,
          format: format ?? acceptedFormat(context, DIFF_MEDIA),
          ...treeParams(rest),
        };
        return queries.diff(params, caller);
      },
    },
    bodies,
  );
  return [...merge, ...diff];
}

function functionsEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  return readEndpoints(
    {
      path: '/api/v1/functions',
      summary: 'Exact own and total weight of each function.',
      parameters: functionsParameters,
      answers: { 'application/json': functionsJson },
      read: ({ from, to, ...rest }, _, caller) =>
        queries.functions({ ...rest, range: rangeOf(from, to, clock()) }, caller),
    },
    bodies,
  );
}

function queryOf(query: string | undefined): { query?: string } {
  return query === undefined ? {} : { query };
}

function acceptedFormat<F extends string>(context: AppContext, media: Record<string, F>): F {
  const supports = Object.keys(media);
  const chosen = accepts(context, { header: 'Accept', supports, default: 'application/json' });
  return media[chosen] ?? ('json' as F);
}

/** A pprof is opened in other programs: it comes as the file that those expect. */
async function asDownload(answer: Answer, format: MergeFormat): Promise<Answer> {
  if (format !== 'pprof') return answer;
  return {
    contentType: PPROF,
    body: await gzipBytes(answer.body),
    compressed: true,
    headers: { 'Content-Disposition': 'attachment; filename="profile.pb.gz"' },
  };
}

/** No label has another name: asking for one is a mistake, not a label without values. */
function readLabelName(name: string): string {
  if (isLabelName(name)) return name;
  throw new EverflameError('invalid', `${JSON.stringify(name.slice(0, 80))} is not a label name`, {
    field: 'name',
    remedy: 'Label names match [a-zA-Z_][a-zA-Z0-9_]*.',
  });
}

function readStepMs(step: string | number): number {
  const text = String(step);
  const ms = /^\d+$/.test(text) ? Number(text) : parseDurationMs(text);
  if (ms === null || ms <= 0) {
    throw new EverflameError('invalid', `"${text}" is not a step`, {
      field: 'step',
      remedy: 'Write a duration such as 15s, or milliseconds.',
    });
  }
  return ms;
}
