/**
 * Where a stripped file says that its debug information is: .gnu_debuglink names a file and its
 * CRC-32, .gnu_debugaltlink (dwz) a file that several share, and its build id.
 */
import { crc32 } from 'node:zlib';
import type { BuildId } from '../../profile/units.ts';
import { gnuBuildId } from './build-id.ts';
import type { ByteSource } from './byte-reader.ts';
import { SectionType } from './elf.ts';
import type { ElfFile } from './elf-file.ts';

/** PATH_MAX and a checksum or a build id; longer ones are no links. */
const MAX_LINK_BYTES = 4_096 + 64;
const CHUNK_BYTES = 2 ** 20;

export interface Debuglink {
  /** As the section has it: mostly a name without folders. Not to be used as a path unchecked. */
  file: string;
  /** CRC-32 of the whole file that is named, as zlib counts it. */
  crc: number;
}

export interface Debugaltlink {
  /** As the section has it: absolute, or relative to the file that it is in. */
  file: string;
  buildId: BuildId;
}

/** Null where there is no link that can be read. */
export function readDebuglink(elf: ElfFile): Debuglink | null {
  const bytes = readLink(elf, '.gnu_debuglink');
  if (bytes === null) return null;
  const zero = bytes.indexOf(0);
  // The checksum is at the next multiple of 4 after the zero byte.
  const at = (zero + 4) & ~3;
  if (zero <= 0 || at + 4 > bytes.length) return null;
  return { file: bytes.toString('utf8', 0, zero), crc: bytes.readUInt32LE(at) };
}

/** Null where there is no link that can be read. */
export function readDebugaltlink(elf: ElfFile): Debugaltlink | null {
  const bytes = readLink(elf, '.gnu_debugaltlink');
  if (bytes === null) return null;
  const zero = bytes.indexOf(0);
  const buildId = zero <= 0 ? null : gnuBuildId(bytes.subarray(zero + 1));
  return buildId === null ? null : { file: bytes.toString('utf8', 0, zero), buildId };
}

/** Whether a file is the one that a .gnu_debuglink means. Reads all of it. */
export function hasCrc(source: ByteSource, crc: number): boolean {
  let sum = 0;
  for (let at = 0; at < source.size; at += CHUNK_BYTES) {
    sum = crc32(source.read(at, Math.min(CHUNK_BYTES, source.size - at)), sum);
  }
  return sum === crc;
}

function readLink(elf: ElfFile, name: string): Buffer | null {
  const section = elf.section(name);
  if (section === undefined || section.type === SectionType.nobits) return null;
  if (section.size > MAX_LINK_BYTES) return null;
  return Buffer.from(elf.source.read(section.offset, section.size));
}
