/** The files on this machine's disk that belong to an ELF file and hold its debug information. */
import { existsSync } from 'node:fs';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import type { BuildId } from '../profile/units.ts';
import type { ConversionSource } from '../symbolizer/debuginfo/convert.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { hasCrc, readDebugaltlink, readDebuglink } from '../symbolizer/elf/debuglink.ts';
import { readElfIdentity } from '../symbolizer/elf/elf.ts';
import { type ElfFile, openElfFile } from '../symbolizer/elf/elf-file.ts';
import { planStrip } from '../symbolizer/elf/strip.ts';
import { findDwoFiles } from './dwo-files.ts';
import { planArchive } from './file-archive.ts';

/** Where gdb, too, looks for what distributions ship apart. */
const SYSTEM_FOLDER = '/usr/lib/debug';

export interface Companions {
  /** Separate debug information (.gnu_debuglink, or by build id). */
  debug: string | null;
  /** What .gnu_debuglink names, where that is not `debug`: the file is not here, or is another. */
  missingDebug: { file: string; isOther: boolean } | null;
  /** What dwz moved to a file that several share. */
  supplementary: string | null;
  /** A .dwp, which stands for all .dwo files. */
  package: string | null;
  dwoFiles: readonly string[];
}

/** What belongs to an ELF file; files that are named but not here are left out. */
export async function locateCompanions(path: string): Promise<Companions> {
  return withElf(path, async (elf) => {
    const { buildId } = readElfIdentity(elf.source);
    const { debug, missingDebug } = locateDebug(path, elf, buildId);
    const withLines = debug ?? path;
    const lines = await withElf(withLines, async (lineElf) => ({
      supplementary: locateSupplementary(withLines, lineElf),
      dwoFiles: await findDwoFiles(withLines, lineElf),
    }));
    const candidates = debug === null ? [path] : [path, debug];
    const packages = candidates.flatMap((file) => [
      `${file}.dwp`,
      file.replace(/\.debug$/, '.dwp'),
    ]);
    const found = packages.find((file) => !candidates.includes(file) && isElf(file)) ?? null;
    return {
      debug,
      missingDebug,
      ...lines,
      package: found,
      dwoFiles: found === null ? lines.dwoFiles : [],
    };
  });
}

/** What a conversion of an ELF file takes, the file itself first; `scratch` is a folder for it. */
export async function findCompanions(path: string, scratch: string): Promise<ConversionSource[]> {
  const { debug, supplementary, package: dwp, dwoFiles } = await locateCompanions(path);
  const sources: ConversionSource[] = [{ kind: 'executable', path }];
  if (debug !== null) {
    const joined = join(scratch, 'joined.debug');
    sources.push({ kind: 'debuginfo', path: (await joinDebug(path, debug, joined)) ?? debug });
  }
  if (supplementary !== null) sources.push({ kind: 'supplementary', path: supplementary });
  if (dwp !== null) sources.push({ kind: 'split', path: dwp });
  if (dwoFiles.length > 0) {
    const archive = join(scratch, 'split.a');
    await writeArchive(dwoFiles, archive);
    sources.push({ kind: 'split', path: archive });
  }
  return sources;
}

/**
 * An extraction of the debug file that bears the program's id, where neither has a build id; else
 * null.
 */
async function joinDebug(path: string, debug: string, target: string): Promise<string | null> {
  const owner = await withElf(path, async ({ source }) => readElfIdentity(source).buildId);
  return withElf(debug, async ({ source }) => {
    const isJoined = [owner, readElfIdentity(source).buildId].every((id) => id.startsWith('htl:'));
    const plan = isJoined ? planStrip(source, owner) : null;
    if (plan === null) return null;
    const read = async (offset: number, length: number) => source.read(offset, length);
    await writeFile(target, plan.chunks(read, 0));
    return target;
  });
}

async function writeArchive(paths: readonly string[], target: string): Promise<void> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(target, 'w');
    for await (const chunk of planArchive(paths).chunks(0)) await handle.writeFile(chunk);
  } finally {
    await handle?.close();
  }
}

function locateDebug(
  path: string,
  elf: ElfFile,
  buildId: BuildId,
): Pick<Companions, 'debug' | 'missingDebug'> {
  const folder = dirname(resolve(path));
  const link = readDebuglink(elf);
  const name = link === null ? '' : basename(link.file);
  const linked = [folder, join(folder, '.debug'), join(SYSTEM_FOLDER, folder)];
  let isOther = false;
  for (const place of link === null ? [] : linked) {
    const file = join(place, name);
    if (file === resolve(path)) continue;
    if (matches(file, (other) => hasCrc(other.source, link?.crc ?? 0))) {
      return { debug: file, missingDebug: null };
    }
    isOther ||= existsSync(file);
  }
  const byId = buildIdPath(buildId);
  const isOwn = (other: ElfFile) => readElfIdentity(other.source).buildId === buildId;
  if (byId !== null && byId !== resolve(path) && matches(byId, isOwn)) {
    return { debug: byId, missingDebug: null };
  }
  return { debug: null, missingDebug: link === null ? null : { file: name, isOther } };
}

function locateSupplementary(path: string, elf: ElfFile): string | null {
  const link = readDebugaltlink(elf);
  if (link === null) return null;
  const named = isAbsolute(link.file) ? link.file : resolve(dirname(path), link.file);
  const byId = buildIdPath(link.buildId);
  for (const file of [named, join(dirname(path), basename(link.file)), byId]) {
    const isOwn = (other: ElfFile) => readElfIdentity(other.source).buildId === link.buildId;
    if (file !== null && matches(file, isOwn)) return file;
  }
  return null;
}

function buildIdPath(buildId: BuildId): string | null {
  if (buildId.includes(':')) return null;
  return join(SYSTEM_FOLDER, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`);
}

function isElf(path: string): boolean {
  return matches(path, () => true);
}

/** False also for a file that is not there or is none of ELF. */
function matches(path: string, test: (elf: ElfFile) => boolean): boolean {
  try {
    const source = openByteSource(path);
    try {
      return test(openElfFile(source));
    } finally {
      source.close();
    }
  } catch (error) {
    const isAbsent = error instanceof Error && 'syscall' in error;
    if (error instanceof EverflameError || isAbsent) return false;
    throw error;
  }
}

async function withElf<T>(path: string, use: (elf: ElfFile) => Promise<T>): Promise<T> {
  const source = openByteSource(path);
  try {
    return await use(openElfFile(source));
  } finally {
    source.close();
  }
}
