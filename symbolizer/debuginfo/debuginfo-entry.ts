/**
 * What is kept on disk per build id: a directory with `entry.json`, the file as it was sent, the
 * symbol file made from it, and an upload that is under way. Every file appears whole or not at
 * all, the upload excepted, whose length up to the last sync is in `part.json`.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { buildIdFileName, isBuildId } from '../elf/build-id.ts';
import type { LoadSegment } from '../elf/elf.ts';
import { openSymbolFile } from '../symbol-file/symbol-file.ts';
import { syncDirectory } from '../symbol-file/symbol-file-writer.ts';
import { SymbolQuality } from '../symbol-file/symbol-quality.ts';
import type { DebuginfoKind } from '../symbolizer.ts';

/** What is known of a build id; outlives a restart. */
export interface DebuginfoEntry {
  buildId: BuildId;
  /** Basename as its sender calls it, for people. */
  file: string;
  /** The greater, the more the kept source can tell; a source of the same rank is not asked for. */
  rank: number;
  /** 0 = there is no symbol file; else greater than any before, also after an eviction. */
  generation: number;
  quality: SymbolQuality;
  functions: number;
  /** The file as it was sent. */
  sizeBytes: number;
  /** All files of this entry. */
  bytesOnDisk: number;
  uploadedMs: number | null;
  lastUsedMs: number;
  /** Before this time the same is not asked for again: it failed, or had to go. */
  notBeforeMs: number;
  problem: string;
}

/** An upload under way. */
export interface DebuginfoPart {
  kind: DebuginfoKind;
  totalBytes: number;
  /** Bytes that are safely on disk. */
  receivedBytes: number;
  updatedMs: number;
}

/** What a kind promises before it was converted. */
export const KIND_RANK: Record<DebuginfoKind, number> = {
  executable: SymbolQuality.exported,
  debuginfo: SymbolQuality.symbols,
  split: SymbolQuality.lines,
};

export class EntryFiles {
  readonly directory: string;
  readonly part: string;
  readonly source: string;
  readonly symbols: string;
  /** Where a conversion writes before it is known to be better. */
  readonly converted: string;

  constructor(root: string, buildId: BuildId) {
    this.directory = join(root, buildIdFileName(buildId));
    this.part = join(this.directory, 'upload.part');
    this.source = join(this.directory, 'source.elf');
    this.symbols = join(this.directory, 'symbols.esf');
    this.converted = join(this.directory, 'converted.esf');
  }

  bytesOnDisk(): number {
    return fileBytes(this.source) + fileBytes(this.symbols) + fileBytes(this.part);
  }

  saveEntry(entry: DebuginfoEntry): void {
    writeWhole(join(this.directory, 'entry.json'), entry);
  }

  savePart(part: DebuginfoPart): void {
    writeWhole(join(this.directory, 'part.json'), part);
  }

  readPart(): DebuginfoPart | null {
    const part = readJson(join(this.directory, 'part.json')) as DebuginfoPart | null;
    const isHeld = part !== null && fileBytes(this.part) >= part.receivedBytes;
    return isHeld ? part : null;
  }

  /** Forgets an upload under way. */
  dropPart(): void {
    rmSync(join(this.directory, 'part.json'), { force: true });
    rmSync(this.part, { force: true });
    rmSync(this.converted, { force: true });
  }

  /** The received file and what it was converted to take the place of what was there. */
  adoptPart(): void {
    renameSync(this.part, this.source);
    renameSync(this.converted, this.symbols);
    syncDirectory(this.directory);
    this.dropPart();
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  dropFiles(): void {
    this.dropPart();
    rmSync(this.source, { force: true });
    rmSync(this.symbols, { force: true });
  }
}

export function newEntry(buildId: BuildId, file: string, now: EpochMs): DebuginfoEntry {
  return {
    buildId,
    file,
    rank: 0,
    generation: 0,
    quality: SymbolQuality.none,
    functions: 0,
    sizeBytes: 0,
    bytesOnDisk: 0,
    uploadedMs: null,
    lastUsedMs: now,
    notBeforeMs: 0,
    problem: 'Its upload is not finished.',
  };
}

export interface SymbolFileFacts {
  quality: SymbolQuality;
  functions: number;
  skippedSymbols: number;
  segments: readonly LoadSegment[];
}

export function readSymbols(path: string): SymbolFileFacts {
  const symbols = openSymbolFile(path);
  const { quality, functions, skippedSymbols, segments } = symbols;
  symbols.close();
  return { quality, functions, skippedSymbols, segments };
}

export function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** All entries under a directory; what is no entry is left alone. */
export function readEntries(root: string): DebuginfoEntry[] {
  mkdirSync(root, { recursive: true });
  const entries: DebuginfoEntry[] = [];
  for (const name of readdirSync(root)) {
    const entry = readJson(join(root, name, 'entry.json')) as DebuginfoEntry | null;
    if (entry === null || !isBuildId(entry.buildId)) continue;
    if (buildIdFileName(entry.buildId) === name) entries.push(checkFiles(root, entry));
  }
  return entries;
}

/** Compares with the files themselves: a process can die between two renames. */
function checkFiles(root: string, entry: DebuginfoEntry): DebuginfoEntry {
  const files = new EntryFiles(root, entry.buildId);
  const bytesOnDisk = files.bytesOnDisk();
  if (fileBytes(files.symbols) === 0) {
    return { ...entry, bytesOnDisk, generation: 0, functions: 0, quality: SymbolQuality.none };
  }
  try {
    const { quality, functions } = readSymbols(files.symbols);
    return { ...entry, bytesOnDisk, quality, functions };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const none = { generation: 0, rank: 0, functions: 0, quality: SymbolQuality.none };
    return { ...entry, ...none, bytesOnDisk, problem };
  }
}

/** Null where there is no such file; a broken one is as good as none, its entry is made again. */
function readJson(path: string): unknown {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function writeWhole(path: string, value: unknown): void {
  const fd = openSync(`${path}.tmp`, 'w', 0o640);
  try {
    // Not writeSync, which may write a part on a disk that is nearly full.
    writeFileSync(fd, JSON.stringify(value));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.tmp`, path);
}
