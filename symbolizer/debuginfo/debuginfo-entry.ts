/**
 * What is kept on disk per build id: a directory with `entry.json`, the files as they were sent,
 * the symbol file made from them, and an upload that is under way. Every file appears whole or not
 * at all, the upload excepted, whose length up to the last sync is in `part.json`. A file that
 * `entry.json` does not name is not there.
 */
import { randomBytes } from 'node:crypto';
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
import type { LeftOut } from '../left-out.ts';
import { checkSymbolFile } from '../symbol-file/symbol-file.ts';
import { syncDirectory } from '../symbol-file/symbol-file-writer.ts';
import { type SymbolFacts, SymbolQuality } from '../symbol-file/symbol-quality.ts';
import type { DebuginfoKind, DebuginfoSource } from '../symbolizer.ts';

/** A file that is here: in the entry's directory, or, where its origin is `local`, elsewhere. */
export interface StoredSource extends DebuginfoSource {
  kind: DebuginfoKind;
  /** A name in the entry's directory, or an absolute path. */
  path: string;
}

/** A file that was converted or refused; one of its kind and size is not asked for until then. */
export interface TriedFile {
  kind: DebuginfoKind;
  sizeBytes: number;
  untilMs: number;
}

/** What is known of a build id; outlives a restart. */
export interface DebuginfoEntry {
  buildId: BuildId;
  /** Basename, for people: as profiles have it, else as its sender calls it. */
  file: string;
  isFromProfiles: boolean;
  /** What the symbol file was made from, one per kind. */
  sources: readonly StoredSource[];
  /** Received whole, not converted yet, in the order of arrival. */
  pending: readonly StoredSource[];
  /** 0 = there is no symbol file; else greater than any before, also after an eviction. */
  generation: number;
  /** What the symbol file says. */
  facts: SymbolFacts;
  /** Whether it tells offsets in the file from addresses: debug files alone often cannot. */
  hasSegments: boolean;
  /** The dwz file that it refers to, and whether the symbol file was made with it. */
  supplementary: { buildId: string; file: string; isUsed: boolean } | null;
  /** Units whose .dwo is not here. */
  missingSplit: number;
  /** Without lines, because a conversion with them took too much. */
  isSymbolsOnly: boolean;
  leftOut: LeftOut;
  /** What the conversion could not read. */
  problems: readonly string[];
  tried: readonly TriedFile[];
  /** Why the last file was refused, or why nothing is here. */
  problem: string;
  remedy: string;
  /** All files in its directory. */
  bytesOnDisk: number;
  /** Of them, those of the symbol file. */
  symbolFileBytes: number;
  lastUsedMs: number;
  /** It had to go to keep to the budget, and is not asked for before. */
  evictedUntilMs: number;
}

/** An upload under way. */
export interface DebuginfoPart {
  kind: DebuginfoKind;
  totalBytes: number;
  /** Bytes that are safely on disk. */
  receivedBytes: number;
  updatedMs: number;
}

export const NO_FACTS: SymbolFacts = {
  quality: SymbolQuality.none,
  functions: 0,
  inlinedCalls: 0,
  lineBytes: 0,
  namedBytes: 0,
  skippedSymbols: 0,
};

const ENTRY_FILE = 'entry.json';
const PART_FILES = ['upload.part', 'part.json'];
const SYMBOL_FILE = 'symbols.esf';

type DiskBytes = Pick<DebuginfoEntry, 'bytesOnDisk' | 'symbolFileBytes'>;

export class EntryFiles {
  readonly directory: string;
  readonly part: string;
  readonly symbols: string;
  /** Where a conversion writes before it is known to be better. */
  readonly converted: string;

  constructor(root: string, buildId: BuildId) {
    this.directory = join(root, buildIdFileName(buildId));
    this.part = join(this.directory, 'upload.part');
    this.symbols = join(this.directory, SYMBOL_FILE);
    this.converted = join(this.directory, 'converted.esf');
  }

  make(): void {
    mkdirSync(this.directory, { recursive: true });
  }

  inside(name: string): string {
    return join(this.directory, name);
  }

  path(source: StoredSource): string {
    return source.origin === 'local' ? source.path : join(this.directory, source.path);
  }

  /** A name that no file in the directory has. */
  newName(kind: DebuginfoKind): string {
    return `${kind}-${randomBytes(6).toString('hex')}`;
  }

  measure(): DiskBytes {
    return sumSizes(this.listSizes());
  }

  /** Of all files in the directory, by name; what is written in `.json` files does not count. */
  listSizes(): Map<string, number> {
    const sizes = new Map<string, number>();
    for (const name of listNames(this.directory)) {
      sizes.set(name, name.endsWith('.json') ? 0 : fileBytes(join(this.directory, name)));
    }
    return sizes;
  }

  saveEntry(entry: DebuginfoEntry): void {
    writeWhole(join(this.directory, ENTRY_FILE), entry);
  }

  savePart(part: DebuginfoPart): void {
    writeWhole(join(this.directory, 'part.json'), part);
  }

  readPart(): DebuginfoPart | null {
    const part = readJson(join(this.directory, 'part.json')) as DebuginfoPart | null;
    const isHeld = part !== null && fileBytes(this.part) >= part.receivedBytes;
    return isHeld ? part : null;
  }

  /** The received file, whole, under a name of its own. */
  finishPart(name: string): void {
    renameSync(this.part, join(this.directory, name));
    rmSync(join(this.directory, 'part.json'), { force: true });
    syncDirectory(this.directory);
  }

  /** Forgets an upload under way. */
  dropPart(): void {
    for (const name of PART_FILES) rmSync(join(this.directory, name), { force: true });
  }

  adoptConverted(): void {
    renameSync(this.converted, this.symbols);
    syncDirectory(this.directory);
  }

  /** Also what a conversion that was killed left behind. */
  dropConverted(): void {
    for (const path of [this.converted, `${this.converted}.tmp`]) rmSync(path, { force: true });
  }

  drop(name: string): void {
    rmSync(this.inside(name), { force: true });
  }

  /** Deletes what `before` names and `after` does not; files elsewhere stay. */
  dropReplaced(before: DebuginfoEntry, after: DebuginfoEntry): void {
    const kept = new Set([...after.sources, ...after.pending].map(({ path }) => path));
    for (const { origin, path } of [...before.sources, ...before.pending]) {
      if (origin !== 'local' && !kept.has(path)) this.drop(path);
    }
  }

  /** Deletes what the entry does not name. Only while nobody is at work on it. */
  tidy(entry: DebuginfoEntry, sizes: Map<string, number> = this.listSizes()): DiskBytes {
    const kept = new Set([ENTRY_FILE, ...PART_FILES]);
    if (entry.generation > 0) kept.add(SYMBOL_FILE);
    for (const source of [...entry.sources, ...entry.pending]) kept.add(source.path);
    for (const name of sizes.keys()) {
      if (kept.has(name)) continue;
      rmSync(join(this.directory, name), { force: true });
      sizes.delete(name);
    }
    return sumSizes(sizes);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function newEntry(buildId: BuildId, file: string, now: EpochMs): DebuginfoEntry {
  return {
    buildId,
    file,
    isFromProfiles: false,
    sources: [],
    pending: [],
    generation: 0,
    facts: NO_FACTS,
    hasSegments: false,
    supplementary: null,
    missingSplit: 0,
    isSymbolsOnly: false,
    leftOut: {},
    problems: [],
    tried: [],
    problem: '',
    remedy: '',
    bytesOnDisk: 0,
    symbolFileBytes: 0,
    lastUsedMs: now,
    evictedUntilMs: 0,
  };
}

export function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** All entries under a directory; what is no entry is left alone. */
export function readEntries(root: string): DebuginfoEntry[] {
  mkdirSync(root, { recursive: true });
  const entries: DebuginfoEntry[] = [];
  for (const name of readdirSync(root)) {
    const entry = readEntry(join(root, name));
    if (entry === null || !isBuildId(entry.buildId)) continue;
    if (buildIdFileName(entry.buildId) === name) entries.push(checkFiles(root, entry));
  }
  return entries;
}

/** The file that an entry of the first version had, and how it called what it says. */
const FIRST_VERSION_SOURCE = 'source.elf';

function readEntry(directory: string): DebuginfoEntry | null {
  const read = readJson(join(directory, ENTRY_FILE));
  if (read === null || typeof read !== 'object') return null;
  if ('sources' in read) return withAllFields(read as DebuginfoEntry);
  const first = read as { buildId: BuildId; file: string; rank: number; lastUsedMs: EpochMs };
  const entry = newEntry(first.buildId, first.file, first.lastUsedMs);
  const sizeBytes = fileBytes(join(directory, FIRST_VERSION_SOURCE));
  if (sizeBytes === 0) return entry;
  const kind = first.rank >= SymbolQuality.symbols ? 'debuginfo' : 'executable';
  const sent = {
    kind,
    file: entry.file,
    origin: 'upload',
    from: '',
    receivedMs: first.lastUsedMs,
  } as const;
  return { ...entry, sources: [{ ...sent, sizeBytes, path: FIRST_VERSION_SOURCE }] };
}

/** What an earlier release did not write. */
function withAllFields(read: DebuginfoEntry): DebuginfoEntry {
  const named = (source: StoredSource) => ({ ...source, file: source.file ?? '' });
  const [sources, pending] = [read.sources.map(named), read.pending.map(named)];
  return { ...read, leftOut: read.leftOut ?? {}, sources, pending };
}

/** Compares with the files themselves: a process can die between two renames. */
function checkFiles(root: string, entry: DebuginfoEntry): DebuginfoEntry {
  const files = new EntryFiles(root, entry.buildId);
  const sizes = files.listSizes();
  const isThere = (source: StoredSource) => {
    const { origin, path, sizeBytes } = source;
    return (origin === 'local' ? fileBytes(path) : sizes.get(path)) === sizeBytes;
  };
  const checked = {
    ...entry,
    sources: entry.sources.filter(isThere),
    pending: entry.pending.filter(isThere),
  };
  if (entry.generation > 0) {
    const damage = symbolFileDamage(files.symbols);
    if (damage !== null) {
      Object.assign(checked, { generation: 0, facts: NO_FACTS, problem: damage });
      checked.remedy = 'Send its debug information again: everflame debuginfo upload FILE.';
      checked.tried = [];
    }
  }
  return Object.assign(checked, files.tidy(checked, sizes));
}

function symbolFileDamage(path: string): string | null {
  try {
    checkSymbolFile(path);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function sumSizes(sizes: ReadonlyMap<string, number>): DiskBytes {
  let bytesOnDisk = 0;
  for (const bytes of sizes.values()) bytesOnDisk += bytes;
  return { bytesOnDisk, symbolFileBytes: sizes.get(SYMBOL_FILE) ?? 0 };
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Null where there is no such file; a broken one is as good as none, its entry is made again. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || isAbsent(error)) return null;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function writeWhole(path: string, value: unknown): void {
  const temporary = `${path}.tmp`;
  try {
    const fd = openSync(temporary, 'w', 0o640);
    try {
      // Not writeSync, which may write a part on a disk that is nearly full.
      writeFileSync(fd, JSON.stringify(value));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
