/** Which texts are build ids. They come from strangers and end up in file names and URLs. */
import { createHash } from 'node:crypto';
import { MAX_BUILD_ID_LENGTH } from '../../profile/limits.ts';
import type { BuildId } from '../../profile/units.ts';
import type { ByteSource } from './byte-reader.ts';

/** Bytes hashed at each end of a file that carries no id of its own. */
const HASHED_END_BYTES = 4096;

/** Fewer bytes than these are a constant that a linker script put there, not an id. */
const MIN_GNU_BYTES = 4;

const GNU = /^(?:[0-9a-f]{2})+$/;
const GO = /^go:[A-Za-z0-9_/-]{20,}$/;
const HASH = /^htl:[0-9a-f]{32}$/;

/** Whether a text has the form of a build id that this program makes or takes. */
export function isBuildId(text: string): text is BuildId {
  if (text.length > MAX_BUILD_ID_LENGTH || text.length < MIN_GNU_BYTES * 2) return false;
  return (GNU.test(text) && !/^0+$/.test(text)) || GO.test(text) || HASH.test(text);
}

/** A GNU note's descriptor as an id; null where it does not tell files apart. */
export function gnuBuildId(descriptor: Uint8Array): BuildId | null {
  const text = Buffer.from(descriptor).toString('hex');
  return isBuildId(text) ? text : null;
}

/** A Go note's descriptor as an id; null for `redacted` and its like. */
export function goBuildId(descriptor: Uint8Array): BuildId | null {
  const text = `go:${Buffer.from(descriptor).toString('latin1')}`;
  return isBuildId(text) ? text : null;
}

/**
 * The id of a file without one: the first 16 bytes of SHA-256 over its first 4 KiB, its last 4 KiB
 * (of a smaller file: all of it, twice) and its size as 8 bytes, big-endian.
 */
export function hashBuildId(source: ByteSource): BuildId {
  const length = Math.min(HASHED_END_BYTES, source.size);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(source.size));
  const hash = createHash('sha256')
    .update(source.read(0, length))
    .update(source.read(source.size - length, length))
    .update(size)
    .digest('hex');
  return `htl:${hash.slice(0, 32)}` as BuildId;
}

/** A build id as a file name: no separators, bounded length, one id per name. */
export function buildIdFileName(buildId: BuildId): string {
  const colon = buildId.indexOf(':');
  if (colon < 0) return buildId;
  const digest = createHash('sha256').update(buildId).digest('hex');
  return `${buildId.slice(0, colon)}-${digest.slice(0, 40)}`;
}
