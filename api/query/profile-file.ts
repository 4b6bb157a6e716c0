/** A single profile as it was pushed: all of its types, samples with their labels, and comments. */
import type { ProfileContent, RowType, Store } from '../../store/store.ts';
import type { Answer } from './params.ts';
import { noProfile, parseProfileId } from './profile-id.ts';
import type { ProfileJob } from './tree-messages.ts';
import type { TreePool } from './tree-pool.ts';

export async function profileFile(
  store: Store,
  pool: TreePool,
  id: string,
  signal: AbortSignal,
): Promise<Answer> {
  const profile = parseProfileId(id, 'id');
  const content = await store.profile(profile, { signal });
  if (content === null) throw noProfile(id);
  const { durationMs, comments, period, labelsets, type, stack, labelset, value } = content;
  const job: ProfileJob = {
    kind: 'profile',
    tsMs: profile.tsMs,
    durationMs,
    comments,
    period,
    periodType: periodTypeOf(content.types),
    values: content.types.flatMap((row, at) => valuesOf(row, at, period)),
    labelsets,
    type,
    weights: { groups: [], group: labelset, stack, value, multiplier: 1 },
  };
  return pool.run(job, signal);
}

/** Where time is the count times the period, only the count is stored, and both are told. */
function valuesOf({ type, derived }: RowType, row: number, period: number): ProfileJob['values'] {
  const own = { type: type.sampleType, unit: type.sampleUnit, row, factor: 1 };
  if (derived === null) return [own];
  return [own, { type: derived.sampleType, unit: derived.sampleUnit, row, factor: period }];
}

/** All types of one pprof have the same one. */
function periodTypeOf(types: ProfileContent['types']): ProfileJob['periodType'] {
  const first = types.find(({ type }) => type.periodType !== '')?.type;
  return first === undefined ? null : { type: first.periodType, unit: first.periodUnit };
}
