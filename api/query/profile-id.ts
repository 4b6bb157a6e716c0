/** Ids of single profiles: the series' 64-bit id in hex, a dash, and the time in milliseconds. */
import { EverflameError } from '../../profile/errors.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { ProfileId, Store } from '../../store/store.ts';
import type { TypedSelection } from './selection.ts';

export function formatProfileId({ series: [low, high], tsMs }: ProfileId): string {
  return `${hex(high)}${hex(low)}-${tsMs}`;
}

/** `field`: the parameter that it came in. */
export function parseProfileId(text: string, field: string): ProfileId {
  const match = /^([0-9a-f]{8})([0-9a-f]{8})-(\d{1,15})$/.exec(text);
  if (match === null) {
    throw new EverflameError('invalid', `${JSON.stringify(text.slice(0, 80))} is no profile's id`, {
      field,
      remedy: 'Take one of those that /api/v1/profiles lists.',
    });
  }
  const [, high = '', low = '', tsMs] = match;
  const series: [number, number] = [Number.parseInt(low, 16) | 0, Number.parseInt(high, 16) | 0];
  return { series, tsMs: Number(tsMs) as EpochMs };
}

/** The part of a selection that is one profile: its series, from its time to its last sample's. */
export async function selectProfile(
  store: Store,
  selection: TypedSelection,
  text: string,
  signal: AbortSignal,
): Promise<TypedSelection> {
  const { series, tsMs } = parseProfileId(text, 'profile');
  const range = { from: tsMs, to: (tsMs + 1) as EpochMs };
  const [found] = await store.profiles({ ...selection, series, range }, 1, { signal });
  if (found === undefined) throw noProfile(text);
  return {
    ...selection,
    series,
    range: { from: tsMs, to: (found.lastMs + 1) as EpochMs },
    shown: { from: tsMs, to: (tsMs + Math.max(1, found.durationMs)) as EpochMs },
  };
}

export function noProfile(id: string): EverflameError {
  return new EverflameError('not-found', `the selection has no profile ${id}`, {
    field: 'profile',
    remedy: '/api/v1/profiles lists the profiles of a selection.',
  });
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
