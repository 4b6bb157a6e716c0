/** gzip and zlib with a budget: what a request may become, all its parts together. */
import { gunzipSync, inflateSync } from 'node:zlib';
import { EverflameError } from '../../profile/errors.ts';
import { MAX_DECOMPRESSED_BYTES } from '../../profile/limits.ts';

/** Bytes that one request may still take up, its nested gzips included. */
export class ByteBudget {
  used = 0;
  readonly max: number;

  constructor(max: number = MAX_DECOMPRESSED_BYTES) {
    this.max = max;
  }

  take(bytes: number, field: string): void {
    this.used += bytes;
    if (this.used > this.max) throw tooLarge(field);
  }
}

/** deflate expands 1,032 times at most, so a trailer that claims more is not worth believing. */
const MAX_EXPANSION = 1032;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** All members of a gzip, joined. Throws `invalid`, or `too-large` over the budget. */
export function gunzip(bytes: Uint8Array, budget: ByteBudget, field: string): Uint8Array {
  const left = budget.max - budget.used;
  const claimed = trailerSize(bytes);
  if (claimed > left && bytes.length * MAX_EXPANSION > left) throw tooLarge(field);
  try {
    const output = gunzipSync(bytes, {
      chunkSize: chunkSizeFor(bytes.length, claimed),
      maxOutputLength: Math.max(1, left),
    });
    budget.take(output.length, field);
    return plainBytes(output);
  } catch (error) {
    throw asRefusal(error, field);
  }
}

/** Views of a Buffer are Buffers, which take several times as long to make as plain ones. */
function plainBytes(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * One chunk that holds the whole output saves a copy; where the trailer is forged or speaks of the
 * last of several members, chunks must not be so small that their number costs.
 */
function chunkSizeFor(length: number, claimed: number): number {
  const size = Math.min(claimed, length * MAX_EXPANSION);
  return Math.max(64, size + 1, Math.min(length * 4, 65_536));
}
/** `Content-Encoding: deflate` is a zlib stream. */
export function inflate(bytes: Uint8Array, budget: ByteBudget, field: string): Uint8Array {
  try {
    const output = inflateSync(bytes, {
      maxOutputLength: Math.max(1, budget.max - budget.used),
    });
    budget.take(output.length, field);
    return plainBytes(output);
  } catch (error) {
    throw asRefusal(error, field);
  }
}

/** The last member's size modulo 2^32, as its writer says. */
function trailerSize(bytes: Uint8Array): number {
  if (bytes.length < 18) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
}

function asRefusal(error: unknown, field: string): unknown {
  if (error instanceof EverflameError || !(error instanceof Error)) return error;
  if ('code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(field);
  return new EverflameError('invalid', `${field} cannot be decompressed: ${error.message}`, {
    field,
    cause: error,
  });
}

function tooLarge(field: string): EverflameError {
  return new EverflameError('too-large', `${field} is too large after decompression`, {
    field,
    limit: `MAX_DECOMPRESSED_BYTES = ${MAX_DECOMPRESSED_BYTES}`,
    remedy: 'Send profiles of a shorter time, or fewer in one request.',
  });
}
