/** The read endpoints of /api/v1 over api/query. */
import { z } from 'zod';
import { parseDurationMs } from '../../profile/duration.ts';
import { EverflameError } from '../../profile/errors.ts';
import { isLabelName } from '../../profile/select/labels.ts';
import type { Endpoint } from './endpoint.ts';
import {
  agentsParameters,
  estimateParameters,
  isFromRelative,
  metaParameters,
  namesParameters,
  optionalRange,
  profilesParameters,
  rangeOf,
  seriesParameters,
} from './query-parameters.ts';
import type { QueryServices } from './query-services.ts';
import { readEndpoints } from './read.ts';
import {
  agentsJson,
  estimateJson,
  namesJson,
  profilesJson,
  profileTypesJson,
  seriesJson,
} from './schemas.ts';
import { asFile, PPROF, treeEndpoints } from './tree-queries.ts';

export function queryEndpoints(services: QueryServices): Endpoint[] {
  return [...metaEndpoints(services), ...seriesEndpoints(services), ...treeEndpoints(services)];
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
        const mayAlign = isFromRelative(from);
        return queries.series({ query, range, mayAlign, by, limit, ...stepMs }, caller);
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
  const profile = readEndpoints(
    {
      path: '/api/v1/profiles/{id}',
      summary: 'One profile as a gzipped pprof: its types, samples and their labels as pushed.',
      parameters: z.strictObject({}),
      answers: { [PPROF]: null },
      read: async (_, context, caller) =>
        asFile(await queries.profile(context.req.param('id') ?? '', caller), 'pprof'),
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
  return [...series, ...estimate, ...profiles, ...profile, ...agents];
}

function queryOf(query: string | undefined): { query?: string } {
  return query === undefined ? {} : { query };
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
