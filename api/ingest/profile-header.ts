/** What a decoded profile says about itself: its types, its period, its time. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_FUTURE_MS, MAX_TYPE_FIELD_LENGTH } from '../../profile/limits.ts';
import type { PprofColumns } from '../../profile/pprof/columns.ts';
import type { PprofValueType } from '../../profile/pprof/encode.ts';
import type { EpochMs } from '../../profile/units.ts';

/** The fields of a profile type are written with colons between them, before a selector's braces. */
const NOT_IN_TYPES = /[\s:{}"'`,=]/g;

/** Throws `unprocessable` where a type has no name. */
export function readSampleTypes(columns: PprofColumns): PprofValueType[] {
  return columns.sampleTypes.map(({ type, unit }, i) => {
    const name = columns.textAt(type);
    const field = `sample_type[${i}].type`;
    if (name === '') throw new EverflameError('unprocessable', `${field} is empty`, { field });
    return { type: typeText(name, field), unit: typeText(columns.textAt(unit), field) };
  });
}

/** Null where the profile has none; a type without a name is none. */
export function readPeriodType(columns: PprofColumns): PprofValueType | null {
  if (columns.periodType === null) return null;
  const type = typeText(columns.textAt(columns.periodType.type), 'period_type');
  const unit = typeText(columns.textAt(columns.periodType.unit), 'period_type');
  return type === '' ? null : { type, unit };
}

/** A text as a field of a profile type, so that a selector can name every type that is stored. */
export function typeText(text: string, field: string): string {
  if (text.length > MAX_TYPE_FIELD_LENGTH) {
    throw new EverflameError('unprocessable', `${field} has ${text.length} characters`, {
      field,
      limit: `MAX_TYPE_FIELD_LENGTH = ${MAX_TYPE_FIELD_LENGTH}`,
    });
  }
  return text.replaceAll(NOT_IN_TYPES, '_');
}

/** In the period type's unit; 0 where there is none. Throws `unprocessable` if negative. */
export function readPeriod(columns: PprofColumns): number {
  if (columns.period < 0n) {
    throw new EverflameError('unprocessable', 'the period is negative', { field: 'period' });
  }
  return readPeriodType(columns) === null ? 0 : Number(columns.period);
}

/** The profile's own start, else `fallbackMs`. Throws `unprocessable` for an impossible time. */
export function readProfileTime(
  columns: PprofColumns,
  fallbackMs: EpochMs,
  nowMs: EpochMs,
): EpochMs {
  if (columns.timeNanos === 0n) {
    checkNotFuture(fallbackMs, nowMs, 'from');
    return fallbackMs;
  }
  const timeMs = Number(columns.timeNanos / 1_000_000n) as EpochMs;
  if (timeMs < 0) {
    const field = 'time_nanos';
    throw new EverflameError('unprocessable', 'the time of the profile is negative', { field });
  }
  checkNotFuture(timeMs, nowMs, 'time_nanos');
  return timeMs;
}

/** Refuses times that only a wrong clock can have written. */
export function checkNotFuture(timeMs: number, nowMs: number, field: string): void {
  if (timeMs <= nowMs + MAX_FUTURE_MS) return;
  throw new EverflameError(
    'unprocessable',
    `${field} is ${isoTime(timeMs)}, and the server's clock says ${isoTime(nowMs)}`,
    {
      field,
      limit: `MAX_FUTURE_MS = ${MAX_FUTURE_MS}`,
      remedy: 'Set the clock of the sender or of the server.',
    },
  );
}

/** The largest time a Date can hold; a profile's may be later. */
const MAX_DATE_MS = 8.64e15;

function isoTime(timeMs: number): string {
  return timeMs > MAX_DATE_MS ? `${timeMs} ms` : new Date(timeMs).toISOString();
}
