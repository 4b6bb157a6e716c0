/** What all of a pprof's messages share: ids of any size, unknown fields, refusals by limit. */
import { EverflameError } from '../errors.ts';
import { MAX_LOCATIONS_PER_PROFILE } from '../limits.ts';
import { WireReader, WireType } from './protobuf.ts';

/**
 * Ids from here on are interned: the k-th distinct one becomes FIRST_WIDE_ID + k, so that ids of
 * 64 bits fit the columns and no two ids meet.
 */
const FIRST_WIDE_ID = 2 ** 31;

export class PprofWire extends WireReader {
  readonly #wideIds = new Map<bigint, number>();

  override reset(bytes: Uint8Array): void {
    super.reset(bytes);
    this.#wideIds.clear();
  }

  id(): number {
    const id = this.varint();
    return id >= 0 ? id : this.wideId();
  }

  /** The id that `varint` has just called WIDE. */
  wideId(): number {
    const id = (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
    const known = this.#wideIds.get(id);
    if (known !== undefined) return known;
    if (this.#wideIds.size >= MAX_LOCATIONS_PER_PROFILE) tooMany({ MAX_LOCATIONS_PER_PROFILE });
    const interned = FIRST_WIDE_ID + this.#wideIds.size;
    this.#wideIds.set(id, interned);
    return interned;
  }

  /** The line that `varint` has just called WIDE; negative and absurd ones count as unknown. */
  wideLine(): number {
    return this.high === 0 ? this.low >>> 0 : 0;
  }

  /** A 64-bit value into a column of interleaved halves. */
  halves(column: Int32Array, row: number): void {
    this.varint64();
    column[row * 2] = this.low;
    column[row * 2 + 1] = this.high;
  }

  expect(wireType: number, expected: number): void {
    if (wireType === expected) return;
    this.fail(`wire type ${wireType} stands where ${expected} is expected`);
  }

  /**
   * Passes over a field of a message whose own fields are 1 to `lastField`: one of those is here
   * only with a wire type that is not its own. `unused` are fields whose numbers nobody reads.
   */
  unknown(tag: number, lastField: number, end: number, unused: readonly number[] = []): void {
    const field = tag >>> 3;
    const wireType = tag & 7;
    if (field === 0) this.fail('field number 0 is not allowed');
    const isUnused = wireType === WireType.varint && unused.includes(field);
    if (field <= lastField && !isUnused) {
      this.fail(`field ${field} has wire type ${wireType}, which is not its own`);
    }
    this.skip(wireType, end);
  }

  /** Reads the field at `at` again, as an unknown one; returns where it ends. */
  unknownAt(at: number, lastField: number, end: number): number {
    this.pos = at;
    this.unknown(this.varint(), lastField, end);
    return this.pos;
  }
}

/** Refuses a profile over a limit, given as `{ NAME }`. */
export function tooMany(limit: Record<string, number>): never {
  const [name, max] = Object.entries(limit)[0] as [string, number];
  throw new EverflameError('too-large', `a profile may not have more than ${max} here`, {
    limit: `${name} = ${max}`,
    remedy: 'Send the profile in parts, or for a shorter time.',
  });
}
