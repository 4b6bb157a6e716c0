/** Profile types: `name:sample_type:sample_unit:period_type:period_unit`, and how they add up. */
import { EverflameError } from '../errors.ts';

export interface ProfileType {
  name: string;
  sampleType: string;
  sampleUnit: string;
  /** Empty together with `periodUnit` where the profile has no period. */
  periodType: string;
  periodUnit: string;
}

/** Deltas are summed; a gauge holds from one profile to the next and is averaged over time. */
export type Aggregation = 'delta' | 'gauge';

const GAUGE_SAMPLE_TYPES = new Set(['goroutine', 'goroutines', 'objects', 'space']);

export function aggregationOf(type: ProfileType): Aggregation {
  const sampleType = type.sampleType;
  return sampleType.startsWith('inuse_') || GAUGE_SAMPLE_TYPES.has(sampleType) ? 'gauge' : 'delta';
}

export function formatProfileType(type: ProfileType): string {
  return [type.name, type.sampleType, type.sampleUnit, type.periodType, type.periodUnit].join(':');
}

/** Parses the five fields; a trailing `:delta`, as Parca writes it, is accepted. */
export function parseProfileType(text: string): ProfileType {
  const parts = text.split(':');
  if (parts.length === 6 && parts[5] === 'delta') parts.pop();
  const [name, sampleType, sampleUnit, periodType, periodUnit] = parts;
  if (parts.length !== 5 || !name || !sampleType) {
    throw new EverflameError('invalid', `"${text}" is not a profile type`, {
      field: 'query',
      remedy:
        'Write name:sample_type:sample_unit:period_type:period_unit, for example ' +
        'process_cpu:cpu:nanoseconds:cpu:nanoseconds; /api/v1/profile_types lists those stored.',
    });
  }
  return {
    name,
    sampleType,
    sampleUnit: sampleUnit ?? '',
    periodType: periodType ?? '',
    periodUnit: periodUnit ?? '',
  };
}

/** Whether the type counts events, so that its values are samples. */
export function isCountType(type: ProfileType): boolean {
  return type.sampleUnit === 'count' && type.sampleType !== 'objects';
}
