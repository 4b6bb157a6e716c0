/** The read endpoints of /api/v1 that answer with trees and functions of stacks. */
import { accepts } from 'hono/accepts';
import type { DiffFormat, MergeFormat, SandwichFormat } from '../query/params.ts';
import type { Answer } from './answer.ts';
import { gzipBytes } from './answer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import {
  diffParameters,
  functionsParameters,
  mergeParameters,
  rangeOf,
  rangeOrProfile,
  sandwichParameters,
  treeParams,
} from './query-parameters.ts';
import type { QueryServices } from './query-services.ts';
import { readEndpoints } from './read.ts';
import { functionsJson, mergeJson, sandwichJson } from './schemas.ts';

const FG1 = 'application/vnd.everflame.fg1';
const FG1_PAIR = 'application/vnd.everflame.fg1-pair';
/** A pprof is gzipped, as its readers expect; the bytes are the file, not an encoding of it. */
export const PPROF = 'application/octet-stream';
/** What an Accept header may ask for, and the format that it means. */
const MERGE_MEDIA: Record<string, MergeFormat> = {
  'application/json': 'json',
  [FG1]: 'fg1',
  [PPROF]: 'pprof',
  'text/plain': 'folded',
  'application/x-speedscope+json': 'speedscope',
  'image/svg+xml': 'svg',
  'text/vnd.graphviz': 'dot',
};
const DIFF_MEDIA: Record<string, DiffFormat> = { 'application/json': 'json', [FG1]: 'fg1' };
const SANDWICH_MEDIA: Record<string, SandwichFormat> = {
  'application/json': 'json',
  [FG1_PAIR]: 'fg1',
};

export function treeEndpoints(services: QueryServices): Endpoint[] {
  return [
    ...mergeEndpoints(services),
    ...diffEndpoints(services),
    ...functionsEndpoints(services),
    ...sandwichEndpoints(services),
  ];
}

function mergeEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  const others = Object.keys(MERGE_MEDIA).filter((media) => media !== 'application/json');
  return readEndpoints(
    {
      path: '/api/v1/merge',
      summary: 'All profiles of a selection as one flame graph.',
      parameters: mergeParameters,
      answers: {
        'application/json': mergeJson,
        ...Object.fromEntries(others.map((media) => [media, null])),
      },
      read: async ({ query, from, to, profile, ...rest }, context, caller) => {
        const { format, by, filter: filters, ...tree } = rest;
        const times = rangeOrProfile({ from, to, profile }, clock());
        const wanted = format ?? acceptedFormat(context, MERGE_MEDIA);
        const chosen = { query, ...times, by, filters, format: wanted };
        return asFile(await queries.merge({ ...chosen, ...treeParams(tree) }, caller), wanted);
      },
    },
    bodies,
  );
}

function diffEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  return readEndpoints(
    {
      path: '/api/v1/diff',
      summary: 'Two selections as one flame graph that holds both sides of each node.',
      parameters: diffParameters,
      answers: { 'application/json': mergeJson, [FG1]: null },
      read: ({ format, mode, filter, ...rest }, context, caller) => {
        const now = clock();
        const params = {
          queryA: rest.query_a,
          rangeA: rangeOf(rest.from_a, rest.to_a, now, { from: 'from_a', to: 'to_a' }),
          queryB: rest.query_b,
          rangeB: rangeOf(rest.from_b, rest.to_b, now, { from: 'from_b', to: 'to_b' }),
          filters: filter,
          mode,
          format: format ?? acceptedFormat(context, DIFF_MEDIA),
          ...treeParams(rest),
        };
        return queries.diff(params, caller);
      },
    },
    bodies,
  );
}

function functionsEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  return readEndpoints(
    {
      path: '/api/v1/functions',
      summary: 'Exact own and total weight of each function.',
      parameters: functionsParameters,
      answers: { 'application/json': functionsJson },
      read: ({ from, to, profile, filter: filters, ...rest }, _, caller) => {
        const times = rangeOrProfile({ from, to, profile }, clock());
        return queries.functions({ ...rest, filters, ...times }, caller);
      },
    },
    bodies,
  );
}

function sandwichEndpoints({ queries, bodies, clock }: QueryServices): Endpoint[] {
  return readEndpoints(
    {
      path: '/api/v1/sandwich',
      summary: 'Callers and callees of one function, as two flame graphs that begin with it.',
      parameters: sandwichParameters,
      answers: { 'application/json': sandwichJson, [FG1_PAIR]: null },
      read: ({ query, from, to, profile, format, filter, ...rest }, context, caller) => {
        const params = {
          query,
          ...rangeOrProfile({ from, to, profile }, clock()),
          name: rest.function,
          ...(rest.binary === undefined ? {} : { binary: rest.binary }),
          ...(rest.file === undefined ? {} : { file: rest.file }),
          filters: filter,
          format: format ?? acceptedFormat(context, SANDWICH_MEDIA),
          ...treeParams(rest),
        };
        return queries.sandwich(params, caller);
      },
    },
    bodies,
  );
}

function acceptedFormat<F extends string>(context: AppContext, media: Record<string, F>): F {
  const supports = Object.keys(media);
  const chosen = accepts(context, { header: 'Accept', supports, default: 'application/json' });
  return media[chosen] ?? ('json' as F);
}

/** What other programs open comes as the file that those expect; a picture is shown at once. */
export async function asFile(answer: Answer, format: MergeFormat): Promise<Answer> {
  switch (format) {
    case 'pprof': {
      const body = await gzipBytes(answer.body);
      const headers = attachment('profile.pb.gz');
      return { contentType: PPROF, body, compressed: true, headers };
    }
    case 'speedscope':
      return { ...answer, headers: attachment('profile.speedscope.json') };
    case 'dot':
      return { ...answer, headers: attachment('profile.gv') };
    case 'svg':
      return {
        ...answer,
        headers: {
          'Content-Disposition': 'inline; filename="profile.svg"',
          // Names in it are strangers' texts: even if one were markup, nothing would run.
          'Content-Security-Policy': "default-src 'none'; sandbox",
        },
      };
    default:
      return answer;
  }
}

function attachment(name: string): Record<string, string> {
  return { 'Content-Disposition': `attachment; filename="${name}"` };
}
