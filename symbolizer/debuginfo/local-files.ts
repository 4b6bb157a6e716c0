/**
 * Debug information on this machine's disk, where distributions and builds put it: by build id, as
 * gdb looks for it, and by name. A file counts only if its own build id is the one wanted.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import { openByteSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import type { DebuginfoKind } from '../symbolizer.ts';

export interface LocalFile {
  kind: DebuginfoKind;
  path: string;
  sizeBytes: number;
}

/** Where a folder like /usr/lib/debug repeats the root's folders, the likeliest ones. */
const FOLDERS = [
  '.',
  'usr/bin',
  'usr/sbin',
  'usr/lib',
  'usr/lib64',
  'usr/libexec',
  'usr/local/bin',
  'usr/local/lib',
  'bin',
  'sbin',
  'lib',
  'lib64',
  ...['x86_64-linux-gnu', 'aarch64-linux-gnu'].flatMap((name) => [
    `usr/lib/${name}`,
    `lib/${name}`,
  ]),
];
/** Folders below .dwz that are looked into. */
const MAX_DWZ_FOLDERS = 64;

/** The files of a build id, the one with most to say first; `name` as the binary is called. */
export async function findLocalFiles(
  folders: readonly string[],
  buildId: BuildId,
  name: string,
  maxBytes: number,
): Promise<LocalFile[]> {
  const found: LocalFile[] = [];
  for (const folder of folders) {
    for (const { kind, path } of await listCandidates(folder, buildId, basename(name))) {
      if (found.some((file) => file.kind === kind)) continue;
      const sizeBytes = await matchingBytes(path, buildId);
      if (sizeBytes > 0 && sizeBytes <= maxBytes) found.push({ kind, path, sizeBytes });
    }
  }
  return found;
}

type Candidate = Pick<LocalFile, 'kind' | 'path'>;

async function listCandidates(folder: string, buildId: BuildId, name: string) {
  const candidates: Candidate[] = [];
  if (/^[0-9a-f]+$/.test(buildId)) {
    const path = join(folder, '.build-id', buildId.slice(0, 2), buildId.slice(2));
    candidates.push({ kind: 'debuginfo', path: `${path}.debug` }, { kind: 'executable', path });
  }
  if (name === '' || name === '.' || name === '..') return candidates;
  for (const inner of FOLDERS) {
    candidates.push({ kind: 'debuginfo', path: join(folder, inner, `${name}.debug`) });
    candidates.push({ kind: kindOf(name), path: join(folder, inner, name) });
  }
  for (const dwz of await listDwzFolders(folder)) {
    candidates.push({ kind: 'debuginfo', path: join(dwz, name) });
  }
  return candidates;
}

function kindOf(name: string): DebuginfoKind {
  return name.endsWith('.debug') ? 'debuginfo' : 'executable';
}

/** Debian has a folder per architecture, Fedora none. */
async function listDwzFolders(folder: string): Promise<string[]> {
  const dwz = join(folder, '.dwz');
  try {
    const rows = await readdir(dwz, { withFileTypes: true });
    const inner = rows.filter((row) => row.isDirectory()).slice(0, MAX_DWZ_FOLDERS);
    return [dwz, ...inner.map((row) => join(dwz, row.name))];
  } catch (error) {
    if (isSystemError(error)) return [];
    throw error;
  }
}

/** The size of a file with this build id; 0 for another, or none. */
async function matchingBytes(path: string, buildId: BuildId): Promise<number> {
  try {
    const { size } = await stat(path);
    // A few kB, and only of files that are there.
    const source = openByteSource(path);
    try {
      return readElfIdentity(source).buildId === buildId ? size : 0;
    } finally {
      source.close();
    }
  } catch (error) {
    if (error instanceof EverflameError || isSystemError(error)) return 0;
    throw error;
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
