/** Profiles with one thing wrong, and bodies that are none, for tests of what is refused. */
import { gzipSync } from 'node:zlib';
import { Location, Function as PprofFunction, Profile, Sample, ValueType } from 'pprof-format';

export interface Fault {
  values?: bigint[];
  locationIds?: number[];
  functionId?: number;
  /** Row of the string table that is the sample type's name. */
  typeRow?: number;
  timeMs?: number;
}

/** One sample of one function, with one thing wrong; not gzipped. */
export function faultyPprof(fault: Fault): Uint8Array {
  const { values = [1n], locationIds = [1], functionId = 1, timeMs = Date.now() - 60_000 } = fault;
  const profile = new Profile({ timeNanos: BigInt(timeMs) * 1_000_000n });
  const text = (value: string) => profile.stringTable.dedup(value);
  const type = fault.typeRow ?? text('cpu');
  profile.sampleType = [new ValueType({ type, unit: text('nanoseconds') })];
  profile.function = [new PprofFunction({ id: 1, name: text('main') })];
  profile.location = [new Location({ id: 1, line: [{ functionId, line: 1 }] })];
  profile.sample = [new Sample({ locationId: locationIds, value: values })];
  return profile.encode();
}

/** 64 gzip members that are 1 GiB of zeros together, in 1 MB. */
export function gzipBomb(): Uint8Array {
  const member = gzipSync(Buffer.alloc(16 * 2 ** 20));
  return Buffer.concat(Array.from({ length: 64 }, () => member));
}

/** Bytes of no format, the same each time. */
export function noise(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7919 + 13) % 251);
}
