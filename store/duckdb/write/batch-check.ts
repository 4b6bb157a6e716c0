/**
 * What the writer relies on: every row number of a batch lies inside the table it points to. The
 * decoders promise it; a batch that breaks the promise is refused alone, before it touches
 * anything.
 */
import { EverflameError } from '../../../profile/errors.ts';
import type { WriteBatch } from '../../store.ts';

/** A day of windows of 10 s: an agent that was cut off longer tells the rest in later requests. */
const MAX_WINDOWS_PER_BATCH = 10_000;

/** Counters and sequence numbers are stored as BIGINT and travel as float64. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isLength(value: number): boolean {
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

export function checkBatch(batch: WriteBatch): void {
  check(batch.batchId !== '', 'batchId', 'is empty');
  checkDictionaries(batch);
  checkProfiles(batch);
  const { samples, types, profiles, labelsets } = batch;
  const { count } = samples;
  checkColumn('samples.type', samples.type, count, types.length);
  checkColumn('samples.profile', samples.profile, count, profiles.length);
  checkColumn('samples.labelset', samples.labelset, count, labelsets.length);
  check(samples.tsMs.length >= count, 'samples.tsMs', 'is too short');
  check(samples.stack.length >= 2 * count, 'samples.stack', 'is too short');
  check(samples.value.length >= 2 * count, 'samples.value', 'is too short');
  for (let row = 0; row < count; row++) {
    const high = samples.value[2 * row + 1] as number;
    if (high < 0) {
      throw new EverflameError('unprocessable', `the value of sample ${row} is negative`, {
        field: `samples.value[${row}]`,
        remedy: 'Push deltas or gauges, both of which are never negative.',
      });
    }
    if (!isCount(samples.tsMs[row] as number)) {
      check(false, 'samples.tsMs', `of row ${row} is no time`);
    }
  }
  check(labelsets.length > 0 && labelsets[0]?.length === 0, 'labelsets[0]', 'is not the empty set');
  check(batch.labelsetIds.length >= 2 * labelsets.length, 'labelsetIds', 'is too short');
}

function checkProfiles({ profiles, series, types, windows, agent }: WriteBatch): void {
  for (const [row, profile] of profiles.entries()) {
    const field = `profiles[${row}]`;
    check(isCount(profile.series) && profile.series < series.length, field, 'has no series');
    check(isCount(profile.tsMs), field, 'has no time');
    check(isLength(profile.durationMs), field, 'has no duration');
    check(profile.seq === null || isCount(profile.seq), field, 'has no sequence number');
    check(
      profile.types.every((type) => isCount(type) && type < types.length),
      field,
      'has a type beyond the table',
    );
  }
  for (const [row, { period }] of series.entries()) {
    check(period >= 0 && Number.isFinite(period), `series[${row}]`, 'has no period');
  }
  if (windows.length > MAX_WINDOWS_PER_BATCH) {
    throw new EverflameError('too-large', `a request reports ${windows.length} windows`, {
      field: 'windows',
      limit: `MAX_WINDOWS_PER_BATCH = ${MAX_WINDOWS_PER_BATCH}`,
      remedy: 'Report the rest in the next requests.',
    });
  }
  check(windows.length === 0 || agent !== null, 'agent', 'is missing beside windows');
  for (const [row, window] of windows.entries()) {
    const field = `windows[${row}]`;
    check(isCount(window.seq) && isCount(window.startMs), field, 'has no time or sequence number');
    check(isLength(window.lengthMs), field, 'has no length');
    check(
      window.frequencyHz >= 0 && Number.isFinite(window.frequencyHz),
      field,
      'has no frequency',
    );
    check(Object.values(window.counters).every(isCount), field, 'has a counter that is no count');
  }
}

function checkDictionaries({ strings, functions, locations, stacks }: WriteBatch): void {
  const stringCount = strings.ids.length / 2;
  checkOffsets('strings.offsets', strings.offsets, stringCount, strings.bytes.length);
  const functionCount = functions.ids.length / 2;
  checkColumn('functions.name', functions.name, functionCount, stringCount);
  checkColumn('functions.systemName', functions.systemName, functionCount, stringCount);
  checkColumn('functions.file', functions.file, functionCount, stringCount);
  checkColumn('functions.startLine', functions.startLine, functionCount, 2 ** 32);
  const locationCount = locations.ids.length / 2;
  checkColumn('locations.binary', locations.binary, locationCount, stringCount);
  checkColumn('locations.buildId', locations.buildId, locationCount, stringCount);
  for (const name of ['space', 'kind', 'flags'] as const) {
    checkColumn(`locations.${name}`, locations[name], locationCount, 256);
  }
  check(locations.address.length >= 2 * locationCount, 'locations.address', 'is too short');
  const lines = checkOffsets(
    'locations.lineOffsets',
    locations.lineOffsets,
    locationCount,
    locations.lineFunction.length,
  );
  checkColumn('locations.lineFunction', locations.lineFunction, lines, functionCount);
  checkColumn('locations.lineNumber', locations.lineNumber, lines, 2 ** 32);
  checkColumn('locations.lineColumn', locations.lineColumn, lines, 2 ** 32);
  const stackCount = stacks.ids.length / 2;
  const depth = checkOffsets('stacks.offsets', stacks.offsets, stackCount, stacks.locations.length);
  checkColumn('stacks.locations', stacks.locations, depth, locationCount);
}

/** Each of the first `count` rows is below `limit`. */
function checkColumn(
  field: string,
  column: Uint8Array | Uint16Array | Uint32Array,
  count: number,
  limit: number,
): void {
  check(Number.isInteger(count) && column.length >= count, field, 'is too short');
  if (limit >= 2 ** (8 * column.BYTES_PER_ELEMENT)) return;
  for (let row = 0; row < count; row++) {
    if ((column[row] as number) >= limit) check(false, field, `points beyond its table at ${row}`);
  }
}

/** Offsets ascend from 0 within `length`. Returns the last one. */
function checkOffsets(field: string, offsets: Uint32Array, rows: number, length: number): number {
  if (rows === 0) return 0;
  check(Number.isInteger(rows) && offsets.length > rows, field, 'is too short');
  let before = 0;
  for (let row = 0; row <= rows; row++) {
    const offset = offsets[row] as number;
    if (offset < before || offset > length) check(false, field, `is out of order at ${row}`);
    before = offset;
  }
  return before;
}

function check(holds: boolean, field: string, fault: string): void {
  if (!holds) throw new EverflameError('invalid', `${field} ${fault}`, { field });
}
