/** The parameters of the read endpoints as zod schemas, and what they mean to api/query. */
import { z } from 'zod';
import { EverflameError } from '../../profile/errors.ts';
import {
  MAX_FILTER_LENGTH,
  MAX_FILTERS,
  MAX_FLAME_DEPTH,
  MAX_FLAME_NODES,
  MAX_GROUP_LABELS,
  MAX_LABEL_NAME_BYTES,
  MAX_LISTED,
  MAX_SELECTOR_LENGTH,
  MAX_SERIES_LINES,
  MAX_STRING_BYTES,
} from '../../profile/limits.ts';
import { isRelative, parseRange } from '../../profile/select/time-range.ts';
import type { TimeRange } from '../../profile/units.ts';
import type { TreeParams } from '../query/params.ts';
import {
  DIFF_FORMATS,
  FUNCTION_NAMES,
  FUNCTION_SORTS,
  GRANULARITIES,
  MERGE_FORMATS,
  SANDWICH_FORMATS,
} from '../query/params.ts';

/** 16 hex digits, a dash and a time in milliseconds. */
const MAX_PROFILE_ID_LENGTH = 32;
const DEFAULT_LISTED = 1_000;
const DEFAULT_FUNCTIONS = 100;
const DEFAULT_SERIES_LINES = 20;

const selector = z
  .string()
  .max(MAX_SELECTOR_LENGTH)
  .describe('A selector: process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="checkout"}');
export const time = z
  .union([z.string().max(100), z.number()])
  .describe('Epoch milliseconds, RFC 3339, or now less a duration: now-1h.');
const from = time.optional();
const to = time.optional();
const profile = z
  .string()
  .max(MAX_PROFILE_ID_LENGTH)
  .optional()
  .describe('Only this profile, by its id in /api/v1/profiles; in place of from and to.');
const by = z
  .array(z.string().max(MAX_LABEL_NAME_BYTES).regex(/^\w+$/, 'this is not a label name'))
  .max(MAX_GROUP_LABELS)
  .default([])
  .describe('Labels to group by, separated by commas.')
  .meta({ explode: false });

const filter = z
  .array(z.string().max(MAX_FILTER_LENGTH))
  .max(MAX_FILTERS)
  .default([])
  .describe(
    'What becomes of each stack, one after the other (docs/query.md): ACTION:FIELD~EXPRESSION or ' +
      'ACTION:FIELD=VALUE, also !~ and !=. Actions: show, hide, hide-frames, show-from, pivot, ' +
      'collapse. Fields: function, file, binary, and label.NAME for show and hide; repeated.',
  );

/** As much of a tree as is wanted. */
const tree = {
  granularity: z.enum(GRANULARITIES).default('function').describe('What makes frames one node.'),
  max_nodes: z
    .int()
    .min(1)
    .max(MAX_FLAME_NODES)
    .optional()
    .describe('The heaviest ones. Of a call graph (dot), functions.'),
  min_fraction: z.number().min(0).max(1).optional().describe('Of the total, for each node.'),
  root: z
    .array(z.string().max(MAX_STRING_BYTES))
    .min(1)
    .max(MAX_FLAME_DEPTH)
    .optional()
    .describe('Names from below the root to the frame whose subtree is wanted; repeated.'),
  root_at: z
    .array(z.string().max(MAX_STRING_BYTES))
    .min(1)
    .max(MAX_FLAME_DEPTH)
    .optional()
    .describe('FILE, FILE:LINE or FILE:LINE@ADDRESS of each name in root, as granularity has it.'),
};

const listed = z.int().min(1).max(MAX_LISTED);

export const metaParameters = z.strictObject({ query: selector.optional(), from, to });

export const namesParameters = metaParameters.extend({
  prefix: z.string().max(MAX_STRING_BYTES).default('').describe('Only names that begin so.'),
  limit: listed.default(DEFAULT_LISTED),
});

export const agentsParameters = z.strictObject({ from, to });

/** CPU time, as agents send it. */
const CPU_TIME = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds{}';

export const debuginfoParameters = z.strictObject({
  query: selector.default(CPU_TIME).describe('The profiles whose weight each binary is told.'),
  from,
  to,
  search: z
    .string()
    .max(MAX_STRING_BYTES)
    .default('')
    .describe('Only binaries with this in their name or build id.'),
  limit: listed.default(MAX_LISTED),
});

export const seriesParameters = z.strictObject({
  query: selector,
  from: from.describe(
    'As elsewhere; now less a duration begins with its minute where steps are whole minutes.',
  ),
  to,
  step: z
    .union([z.string().max(100), z.number()])
    .optional()
    .describe('A duration such as 15s, or milliseconds; chosen by the range if absent.'),
  by,
  limit: z.int().min(1).max(MAX_SERIES_LINES).default(DEFAULT_SERIES_LINES),
});

export const estimateParameters = z.strictObject({ query: selector, from, to });

export const exportParameters = z.strictObject({ query: selector, from, to });

export const profilesParameters = z.strictObject({
  query: selector,
  from,
  to,
  limit: listed.default(DEFAULT_LISTED),
});

export const mergeParameters = z.strictObject({
  query: selector,
  from,
  to,
  profile,
  format: z.enum(MERGE_FORMATS).optional().describe('Else the Accept header decides.'),
  by,
  filter,
  ...tree,
});

export const functionsParameters = z.strictObject({
  query: selector,
  from,
  to,
  profile,
  sort: z.enum(FUNCTION_SORTS).default('self'),
  names: z
    .enum(FUNCTION_NAMES)
    .default('full')
    .describe('The names that `search` and the order go by: demangled, or the compiler’s own.'),
  search: z
    .string()
    .max(MAX_STRING_BYTES)
    .default('')
    .describe('A regular expression (RE2) somewhere in the name.'),
  filter,
  offset: z.int().min(0).default(0),
  limit: listed.default(DEFAULT_FUNCTIONS),
});

const name = z.string().max(MAX_STRING_BYTES);

export const sandwichParameters = z.strictObject({
  query: selector,
  from,
  to,
  profile,
  function: name.min(1).describe('Its name as shown, or its system name.'),
  binary: name.optional().describe('Only its frames of this binary.'),
  file: name.optional().describe('Only its frames of this source file.'),
  filter: filter.describe('As in merge; before the function is looked for.'),
  format: z.enum(SANDWICH_FORMATS).optional().describe('Else the Accept header decides.'),
  granularity: tree.granularity,
  max_nodes: tree.max_nodes.describe('Of each graph, the heaviest ones.'),
  min_fraction: tree.min_fraction,
});

export const diffParameters = z.strictObject({
  query_a: selector.describe('The base.'),
  from_a: from,
  to_a: to,
  query_b: selector.describe('What is compared with the base.'),
  from_b: from,
  to_b: to,
  mode: z.enum(['share', 'absolute', 'rate']).default('share').describe("The values' measure."),
  format: z.enum(DIFF_FORMATS).optional().describe('Else the Accept header decides.'),
  filter: filter.describe('As in merge, of both sides.'),
  ...tree,
});

type Time = string | number | undefined;

/** The range that two parameters name; the last hour where they are absent. */
export function rangeOf(
  from: Time,
  to: Time,
  nowMs: number,
  fields?: { from: string; to: string },
): TimeRange {
  const text = (time: Time) => (time === undefined ? undefined : String(time));
  return parseRange(text(from), text(to), nowMs, fields);
}

/** Whether `from` names no moment of its own: the caller does not mind where a minute begins. */
export function isFromRelative(from: Time): boolean {
  return from === undefined || isRelative(String(from));
}

/** The range, or the one profile in place of it. */
export function rangeOrProfile(
  { from, to, profile }: { from: Time; to: Time; profile: string | undefined },
  nowMs: number,
): { range: TimeRange; profile?: string } {
  if (profile === undefined) return { range: rangeOf(from, to, nowMs) };
  if (from !== undefined || to !== undefined) {
    throw new EverflameError('invalid', 'a profile has its own time', {
      field: 'profile',
      remedy: 'Give either from and to, or a profile.',
    });
  }
  return { range: rangeOf(undefined, undefined, nowMs), profile };
}

/** A range only where one was given: metadata of all times else. */
export function optionalRange(from: Time, to: Time, nowMs: number): { range?: TimeRange } {
  return from === undefined && to === undefined ? {} : { range: rangeOf(from, to, nowMs) };
}

/** The tree's parameters in api/query's words. */
export function treeParams(parameters: {
  granularity: TreeParams['granularity'];
  max_nodes?: number | undefined;
  min_fraction?: number | undefined;
  root?: string[] | undefined;
  root_at?: string[] | undefined;
}): TreeParams {
  const { granularity, max_nodes: maxNodes, min_fraction: minFraction, root } = parameters;
  const { root_at: rootAt } = parameters;
  if (rootAt !== undefined && (granularity === 'function' || rootAt.length !== root?.length)) {
    throw new EverflameError('invalid', 'root_at does not go with root and granularity', {
      field: 'root_at',
      remedy: 'Give one for each root, with granularity=file, line or address.',
    });
  }
  return {
    granularity,
    ...(maxNodes === undefined ? {} : { maxNodes }),
    ...(minFraction === undefined ? {} : { minFraction }),
    ...(root === undefined ? {} : { root }),
    ...(rootAt === undefined ? {} : { rootAt }),
  };
}
