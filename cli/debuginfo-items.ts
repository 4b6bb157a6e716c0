/** What `everflame debuginfo upload` sends of an ELF file and of the files that belong to it. */
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import type { BuildId } from '../profile/units.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../symbolizer/elf/elf.ts';
import { openElfFile } from '../symbolizer/elf/elf-file.ts';
import { planStrip, type StripPlan } from '../symbolizer/elf/strip.ts';
import type { DebuginfoKind, QualityName } from '../symbolizer/symbolizer.ts';
import { locateCompanions } from './debuginfo-companions.ts';
import { planArchive } from './file-archive.ts';

/** One file, or what is extracted from it, under a build id. */
export interface UploadItem {
  /** For people: where it is from, and the basename of what it belongs to. */
  name: string;
  file: string;
  buildId: BuildId;
  kind: DebuginfoKind;
  /** The most that it can say. */
  quality: QualityName;
  sizeBytes: number;
  /** The bytes from `from` on. */
  chunks(from: number): AsyncIterable<Uint8Array>;
}

export interface UploadPlan {
  buildId: BuildId;
  /** In the order in which they are sent: what others refer to first. */
  items: readonly UploadItem[];
  /** What belongs to it and cannot be sent, and why. */
  warnings: readonly string[];
  /** Why it has no lines, to be told where the server has none either; empty where it has. */
  lack: string;
  /** The most that it could say with all that it refers to. */
  quality: QualityName;
}

export async function planUpload(path: string): Promise<UploadPlan> {
  const { buildId, plan, isSplit } = readPlan(path);
  if (isSplit) throw splitAlone(path);
  const companions = await locateCompanions(path);
  const items: UploadItem[] = [];
  const warnings: string[] = [];
  const { debug, missingDebug, supplementary, package: dwp, dwoFiles } = companions;
  if (supplementary !== null) items.push(...extractions(supplementary, supplementary));
  if (plan !== null) items.push(extraction(path, plan, path));
  // What has no id of its own belongs to the program by .gnu_debuglink's checksum.
  const owner = buildId.startsWith('htl:') ? buildId : null;
  for (const item of debug === null ? [] : extractions(debug, path, owner)) {
    if (item.buildId === buildId) items.push(item);
    else warnings.push(`${debug} has another build id; link with --build-id to upload both`);
  }
  if (owner !== null && debug === null) warnings.push(NO_BUILD_ID);
  const file = basename(path);
  const split = { buildId, file, kind: 'split', quality: 'lines' } as const;
  if (dwp !== null) {
    items.push({ ...split, name: dwp, sizeBytes: statSync(dwp).size, chunks: wholeFile(dwp) });
  } else if (dwoFiles.length > 0) {
    const archive = planArchive(dwoFiles);
    items.push({ ...split, ...archive, name: `${dwoFiles.length} .dwo files` });
  }
  if (items.length === 0) {
    throw new EverflameError('unprocessable', `${path} has no symbols`, {
      remedy: 'Upload the file before it was stripped, or its separate debug file.',
    });
  }
  const best = RANKS[Math.max(...items.map(({ quality }) => RANKS.indexOf(quality)))] ?? 'none';
  if (best === 'lines') return { buildId, items, warnings, lack: '', quality: best };
  if (missingDebug !== null) {
    return { buildId, items, warnings, lack: describeMissing(missingDebug), quality: 'lines' };
  }
  // Without a build id, the same file before it was stripped is another one.
  const isStripped = best === 'exported' && owner === null;
  return { buildId, items, warnings, lack: isStripped ? STRIPPED : '', quality: best };
}

/** From the least to the most. */
export const RANKS: readonly QualityName[] = ['none', 'exported', 'symbols', 'lines'];

const STRIPPED =
  'it is stripped, and names no debug file: only exported functions have names (upload it before ' +
  'it is stripped)';

function describeMissing({ file, isOther }: { file: string; isOther: boolean }): string {
  const named = `its lines are in ${file} (.gnu_debuglink)`;
  return isOther
    ? `${named}, and the file of that name that is here is of another build`
    : `${named}, which is neither beside it, nor in .debug, nor under /usr/lib/debug`;
}

function splitAlone(path: string): EverflameError {
  return new EverflameError('unprocessable', `${path} is split DWARF, which names no addresses`, {
    remedy: 'Upload its program: what lies beside that as .dwp or .dwo goes along.',
  });
}

const NO_BUILD_ID =
  'it has no build id, so it names addresses of exactly this file only: not of a copy that is ' +
  'stripped later (link with --build-id)';

function readPlan(
  path: string,
  owner: BuildId | null = null,
): { buildId: BuildId; plan: StripPlan | null; isSplit: boolean } {
  const source = openByteSource(path);
  try {
    const { buildId } = readElfIdentity(source);
    const elf = openElfFile(source);
    const isSplit = elf.section('.debug_info.dwo') !== undefined && !elf.section('.debug_info');
    return { buildId, plan: planStrip(source, owner), isSplit };
  } finally {
    source.close();
  }
}

function extractions(path: string, program: string, owner: BuildId | null = null): UploadItem[] {
  const { plan } = readPlan(path, owner);
  return plan === null ? [] : [extraction(path, plan, program)];
}

function extraction(path: string, plan: StripPlan, program: string): UploadItem {
  const { buildId, kind, quality, sizeBytes } = plan;
  async function* chunks(from: number) {
    const file = await open(path);
    try {
      const read = async (offset: number, length: number) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
        if (bytesRead < length) throw new EverflameError('conflict', `${path} was changed`);
        return buffer;
      };
      yield* plan.chunks(read, from);
    } finally {
      await file.close();
    }
  }
  return { name: path, file: basename(program), buildId, kind, quality, sizeBytes, chunks };
}

function wholeFile(path: string) {
  return async function* chunks(from: number): AsyncGenerator<Uint8Array> {
    const file = await open(path);
    try {
      yield* file.createReadStream({ start: from, autoClose: false });
    } finally {
      await file.close();
    }
  };
}
