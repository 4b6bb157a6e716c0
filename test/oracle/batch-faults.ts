/** What makes a batch unfit to be stored, looked for before anything of it is taken. */
import { EverflameError } from '../../profile/errors.ts';
import type { WriteBatch } from '../../store/store.ts';

/** Throws where a row refers to nothing, or a value, time or text is none. */
export function checkBatch(batch: WriteBatch, isKnownStack: (row: number) => boolean): void {
  const { samples, strings, functions, locations, stacks } = batch;
  const stringCount = strings.ids.length / 2;
  const locationCount = locations.ids.length / 2;
  checkRows('samples.profile', samples.profile, batch.profiles.length);
  checkRows('samples.type', samples.type, batch.types.length);
  checkRows('samples.labelset', samples.labelset, batch.labelsets.length);
  for (const profile of batch.profiles) {
    checkRows('profiles.series', [profile.series], batch.series.length);
    checkRows('profiles.types', profile.types, batch.types.length);
    if (!Number.isFinite(profile.tsMs)) refuse('profiles.tsMs');
  }
  if (!samples.tsMs.every(Number.isFinite)) refuse('samples.tsMs');
  const values = new BigInt64Array(samples.value.slice().buffer);
  if (values.some((value) => value <= 0n)) refuse('samples.value');
  for (const names of [functions.name, functions.systemName, functions.file]) {
    checkRows('functions', names, stringCount);
  }
  checkRows('locations', [...locations.binary, ...locations.buildId], stringCount);
  checkRows('locations.lineFunction', locations.lineFunction, functions.ids.length / 2);
  checkRows('stacks.locations', stacks.locations, locationCount);
  checkOffsets('strings.offsets', strings.offsets, stringCount, strings.bytes.length);
  checkOffsets('stacks.offsets', stacks.offsets, stacks.ids.length / 2, stacks.locations.length);
  const lineCount = locations.lineFunction.length;
  checkOffsets('locations.lineOffsets', locations.lineOffsets, locationCount, lineCount);
  checkTexts(batch);
  for (let sample = 0; sample < samples.count; sample++) {
    if (!isKnownStack(sample)) refuse('samples.stack');
  }
}

function checkRows(field: string, rows: ArrayLike<number>, count: number): void {
  if (Array.from(rows).some((row) => row >= count)) refuse(field);
}

function checkOffsets(field: string, offsets: Uint32Array, rows: number, end: number): void {
  const rise = offsets.every((offset, row) => row === 0 || offset >= (offsets[row - 1] as number));
  if (!rise || offsets.length !== rows + 1 || offsets[0] !== 0 || offsets[rows] !== end) {
    refuse(field);
  }
}

function checkTexts({ strings }: WriteBatch): void {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let row = 0; row < strings.ids.length / 2; row++) {
    try {
      decoder.decode(strings.bytes.subarray(strings.offsets[row], strings.offsets[row + 1]));
    } catch (cause) {
      refuse('strings.bytes', cause);
    }
  }
}

function refuse(field: string, cause?: unknown): never {
  throw new EverflameError('invalid', `${field} of the batch is out of bounds`, { field, cause });
}
