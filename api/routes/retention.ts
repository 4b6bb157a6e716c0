/** What is kept and what is deleted. */
import { z } from 'zod';
import { EverflameError } from '../../profile/errors.ts';
import { MAX_SELECTOR_LENGTH } from '../../profile/limits.ts';
import { formatProfileType } from '../../profile/select/profile-type.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type { StoreUpkeep } from '../../store/store.ts';
import type { DeletedJson } from '../../wire/http.ts';
import type { BodyBudget } from '../body.ts';
import { readUrlParameters } from '../parameters.ts';
import { readMetaSelection } from '../query/selection.ts';
import { sendJson } from './answer.ts';
import type { Endpoint } from './endpoint.ts';
import { rangeOf, time } from './query-parameters.ts';
import { readJsonParameters, searchOf } from './read.ts';

export interface RetentionServices {
  upkeep: StoreUpkeep;
  bodies: BodyBudget;
  /** Now, in epoch milliseconds. */
  clock(): number;
}

const count = z.int().min(0);
const noParameters = z.strictObject({});

const statusJson = z.object({
  bytes: z.number().describe('On disk, everything counted.'),
  blocks: count,
  retention: z.object({
    age_ms: z.number().nullable().describe('Null: no such limit.'),
    bytes: z.number().nullable().describe('Null: no such limit.'),
    oldest_ms: z.number().nullable().describe('Time of the oldest profile; null without any.'),
    limited_by: z
      .enum(['age', 'bytes', 'nothing'])
      .describe('What has removed older ones since the start.'),
  }),
  damaged: z
    .array(z.object({ from_ms: z.number(), to_ms: z.number(), samples: count, reason: z.string() }))
    .describe('Files that answers leave out, by the time that they cover.'),
});

const deleteParameters = z.strictObject({
  query: z.string().max(MAX_SELECTOR_LENGTH).describe('A selector without a type: {pod="x"}'),
  from: time.optional().describe('With `to`, unless `all`.'),
  to: time.optional(),
  all: z.boolean().default(false).describe('Of all times, in place of from and to.'),
  dry_run: z.boolean().default(false).describe('Counts, and deletes nothing.'),
});

const deletedJson = z.object({
  profiles: count,
  samples: count.describe('Rows of samples.'),
  blocks: count.describe('Blocks that were written anew or dropped.'),
  dry_run: z.boolean(),
}) satisfies z.ZodType<DeletedJson>;

const ALWAYS: TimeRange = { from: 0 as EpochMs, to: Number.MAX_SAFE_INTEGER as EpochMs };

export function retentionEndpoints({ upkeep, bodies, clock }: RetentionServices): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/store',
      summary: 'How much is stored, how far back it goes and why no further, and what is damaged.',
      parameters: noParameters,
      answers: { 'application/json': statusJson },
      handle: async (context) => {
        readUrlParameters(noParameters, searchOf(context));
        const status = await upkeep.status();
        const answer: z.output<typeof statusJson> = {
          bytes: status.bytesOnDisk,
          blocks: status.blocks,
          retention: {
            age_ms: status.retentionAgeMs,
            bytes: status.retentionBytes,
            oldest_ms: status.oldestMs,
            limited_by: status.limitedBy,
          },
          damaged: status.damaged.map(({ fromMs, toMs, samples, reason }) => ({
            from_ms: fromMs,
            to_ms: toMs,
            samples,
            reason,
          })),
        };
        return sendJson(context, answer);
      },
    },
    {
      method: 'POST',
      path: '/api/v1/delete',
      summary: 'Deletes the profiles of a selection for good, and answers how many.',
      body: { 'application/json': deleteParameters },
      answers: { 'application/json': deletedJson },
      handle: async (context) => {
        const parameters = await readJsonParameters(context, deleteParameters, bodies);
        const selection = selectionToDelete(parameters, clock());
        const deleted = await upkeep.deleteProfiles(selection, parameters.dry_run);
        return sendJson(context, { ...deleted, dry_run: parameters.dry_run });
      },
    },
  ];
}

/** Everything of a time, or a selection of all times: neither is meant by what was left out. */
function selectionToDelete(
  { query, from, to, all }: z.output<typeof deleteParameters>,
  nowMs: number,
) {
  const { type, matchers } = readMetaSelection(query, undefined);
  if (type !== undefined) {
    throw new EverflameError('unprocessable', 'whole profiles are deleted, with all their types', {
      field: 'query',
      remedy: `Leave out ${formatProfileType(type)}.`,
    });
  }
  const isRange = from !== undefined && to !== undefined;
  if (all ? from !== undefined || to !== undefined : !isRange) {
    throw new EverflameError('invalid', 'the time to delete is not given', {
      field: 'from',
      remedy: 'Give from and to, or all=true.',
    });
  }
  return { matchers, range: all ? ALWAYS : rangeOf(from, to, nowMs) };
}
