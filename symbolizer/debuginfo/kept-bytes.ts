/** What the server has of a build id, for those who ask for it as of a debuginfod server. */
import { EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import { type ByteSource, openByteSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import { findSectionPlace, type SectionPlace } from '../elf/section-place.ts';
import type { KeptBytes } from '../symbolizer.ts';
import type { StoredSource } from './debuginfo-entry.ts';
import type { DebuginfoTable } from './debuginfo-table.ts';

/** A whole file. What was uploaded as an executable is an extraction, without code: none. */
export function findKeptFile(
  table: DebuginfoTable,
  buildId: BuildId,
  kind: 'debuginfo' | 'executable',
): KeptBytes | null {
  const entry = table.get(buildId);
  const source = entry?.sources.find(
    (kept) => kept.kind === kind && (kind === 'debuginfo' || kept.origin !== 'upload'),
  );
  if (entry === undefined || source === undefined) return null;
  const path = table.files(buildId).path(source);
  if (!isStill(source, path, buildId)) return null;
  return { path, file: entry.file, offset: 0, sizeBytes: source.sizeBytes };
}

/** A section's bytes, compressed if they are: of the debug file, else of the program. */
export function findKeptSection(
  table: DebuginfoTable,
  buildId: BuildId,
  name: string,
): KeptBytes | null {
  const entry = table.get(buildId);
  if (entry === undefined) return null;
  for (const kind of ['debuginfo', 'executable'] as const) {
    const source = entry.sources.find((kept) => kept.kind === kind);
    if (source === undefined) continue;
    const path = table.files(buildId).path(source);
    if (!isStill(source, path, buildId)) continue;
    const place = sectionIn(path, name);
    if (place !== null) return { path, file: entry.file, ...place };
  }
  return null;
}

/** Others may replace a file that is elsewhere on this machine, as by an upgrade of its package. */
function isStill({ origin, sizeBytes }: StoredSource, path: string, buildId: BuildId): boolean {
  if (origin !== 'local') return true;
  const isSame = (source: ByteSource) =>
    source.size === sizeBytes && readElfIdentity(source).buildId === buildId;
  return readFrom(path, isSame) ?? false;
}

function sectionIn(path: string, name: string): SectionPlace | null {
  return readFrom(path, (source) => findSectionPlace(source, name));
}

/** Null also for a file that was taken away, or is none of ELF any more. */
function readFrom<T>(path: string, read: (source: ByteSource) => T | null): T | null {
  try {
    const source = openByteSource(path);
    try {
      return read(source);
    } finally {
      source.close();
    }
  } catch (error) {
    const isAbsent = error instanceof Error && 'syscall' in error;
    if (error instanceof EverflameError || isAbsent) return null;
    throw error;
  }
}
