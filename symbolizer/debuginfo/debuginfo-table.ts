/** All entries by build id, in memory and on disk, within a budget of bytes. */
import { assert } from '../../profile/errors.ts';
import { MAX_DEBUGINFO_ENTRIES } from '../../profile/limits.ts';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import type { MissingSymbolFile, NoSymbolsReason, SymbolFileRow } from '../symbolizer.ts';
import {
  type DebuginfoEntry,
  EntryFiles,
  NO_FACTS,
  newEntry,
  readEntries,
} from './debuginfo-entry.ts';
import { isDiskFull } from './disk-full.ts';

export interface DebuginfoTableOptions {
  /** Made if it is not there. */
  dir: string;
  /** For all files under `dir`; the entries that were used least recently go first. */
  maxBytes: number;
  clock: () => EpochMs;
}

/** What was evicted is asked for again only when this has passed. */
const EVICTED_MS = 24 * 3_600_000;
/** `lastUsedMs` is written no more often than this: it only orders evictions. */
const USE_STEP_MS = 3_600_000;

export class DebuginfoTable {
  readonly maxBytes: number;
  readonly #dir: string;
  readonly #clock: () => EpochMs;
  readonly #entries = new Map<BuildId, DebuginfoEntry>();
  /** How many uploads, downloads and conversions are at work on an entry, which then stays. */
  readonly #holds = new Map<BuildId, number>();
  #symbolFiles: readonly SymbolFileRow[] | null = null;
  #missing: readonly MissingSymbolFile[] | null = null;
  #evictions = 0;

  constructor({ dir, maxBytes, clock }: DebuginfoTableOptions) {
    this.maxBytes = maxBytes;
    this.#dir = dir;
    this.#clock = clock;
    for (const entry of readEntries(dir)) this.#entries.set(entry.buildId, entry);
  }

  get evictions(): number {
    return this.#evictions;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(buildId: BuildId): DebuginfoEntry | undefined {
    return this.#entries.get(buildId);
  }

  all(): IterableIterator<DebuginfoEntry> {
    return this.#entries.values();
  }

  files(buildId: BuildId): EntryFiles {
    return new EntryFiles(this.#dir, buildId);
  }

  symbolFiles(): readonly SymbolFileRow[] {
    if (this.#symbolFiles === null) {
      const rows: SymbolFileRow[] = [];
      for (const { buildId, generation } of this.#entries.values()) {
        if (generation > 0) rows.push({ buildId, generation, path: this.files(buildId).symbols });
      }
      this.#symbolFiles = rows;
    }
    return this.#symbolFiles;
  }

  missingSymbolFiles(): readonly MissingSymbolFile[] {
    if (this.#missing === null) {
      const rows: MissingSymbolFile[] = [];
      for (const entry of this.#entries.values()) {
        const missing = entry.generation > 0 ? null : whyMissing(entry);
        if (missing !== null) rows.push({ buildId: entry.buildId, missing });
      }
      this.#missing = rows;
    }
    return this.#missing;
  }

  bytesOnDisk(): number {
    let total = 0;
    for (const entry of this.#entries.values()) total += entry.bytesOnDisk;
    return total;
  }

  /** The entry of a build id, made where there is none. */
  ensure(buildId: BuildId, file: string): DebuginfoEntry {
    const known = this.#entries.get(buildId);
    if (known !== undefined) {
      return known.file === '' && file !== '' ? this.save({ ...known, file }) : known;
    }
    this.#dropSurplus();
    const files = this.files(buildId);
    files.make();
    const entry = newEntry(buildId, file, this.#clock());
    files.tidy(entry);
    return this.save(entry);
  }

  /** Writes a changed entry, then deletes files that it does not name any more. */
  save(changed: DebuginfoEntry): DebuginfoEntry {
    this.files(changed.buildId).saveEntry(changed);
    return this.#adopt(changed);
  }

  /** As `save`, of what a restart may lose: on a full disk it is written with the next change. */
  saveIfRoom(changed: DebuginfoEntry): DebuginfoEntry {
    this.#writeIfRoom(changed);
    return this.#adopt(changed);
  }

  #writeIfRoom(entry: DebuginfoEntry): void {
    try {
      this.files(entry.buildId).saveEntry(entry);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  #adopt(changed: DebuginfoEntry): DebuginfoEntry {
    const files = this.files(changed.buildId);
    const known = this.#entries.get(changed.buildId);
    if (known !== undefined) files.dropReplaced(known, changed);
    const entry = { ...changed, ...files.measure() };
    this.#entries.set(entry.buildId, entry);
    this.#symbolFiles = null;
    this.#missing = null;
    return entry;
  }

  /** Changes some fields of an entry, if it is still there. */
  change(buildId: BuildId, change: Partial<DebuginfoEntry>): void {
    const entry = this.#entries.get(buildId);
    if (entry !== undefined) this.saveIfRoom({ ...entry, ...change });
  }

  remove(buildId: BuildId): void {
    this.files(buildId).remove();
    this.#entries.delete(buildId);
    this.#symbolFiles = null;
    this.#missing = null;
  }

  /** Until the returned function is called, the entry is not evicted. */
  hold(buildId: BuildId): () => void {
    this.#holds.set(buildId, (this.#holds.get(buildId) ?? 0) + 1);
    let isHeld = true;
    return () => {
      assert(isHeld, `${buildId} is let go of twice`);
      isHeld = false;
      const left = (this.#holds.get(buildId) ?? 0) - 1;
      if (left > 0) this.#holds.set(buildId, left);
      else this.#holds.delete(buildId);
      this.measure(buildId);
    };
  }

  isHeld(buildId: BuildId): boolean {
    return this.#holds.has(buildId);
  }

  /** Takes the name that profiles have it under; the first one, where there are several. */
  name(buildId: BuildId, file: string): void {
    const entry = this.#entries.get(buildId);
    if (entry === undefined || entry.isFromProfiles || file === '') return;
    this.saveIfRoom({ ...entry, file, isFromProfiles: true });
  }

  use(buildId: BuildId): void {
    const entry = this.#entries.get(buildId);
    const now = this.#clock();
    if (entry === undefined || now - entry.lastUsedMs < USE_STEP_MS) return;
    entry.lastUsedMs = now;
    this.#writeIfRoom(entry);
  }

  /** Takes the sizes of an entry's files as they are now. */
  measure(buildId: BuildId): void {
    const entry = this.#entries.get(buildId);
    if (entry !== undefined) Object.assign(entry, this.files(buildId).measure());
  }

  /** Evicts until the budget holds again, if it can: this entry and those at work on stay. */
  makeRoom(buildId: BuildId): boolean {
    this.measure(buildId);
    let total = this.bytesOnDisk();
    if (total <= this.maxBytes) return true;
    for (const entry of this.#leastUsed()) {
      if (total <= this.maxBytes) break;
      if (entry.bytesOnDisk === 0 || entry.buildId === buildId) continue;
      total -= entry.bytesOnDisk;
      this.#evict(entry);
    }
    return total <= this.maxBytes;
  }

  /** The least recently used first, without those at work on. */
  #leastUsed(): DebuginfoEntry[] {
    return [...this.#entries.values()]
      .filter(({ buildId }) => !this.#holds.has(buildId))
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  }

  /** Entries without a symbol file go first: anyone can make them. */
  #dropSurplus(): void {
    if (this.#entries.size < MAX_DEBUGINFO_ENTRIES) return;
    const candidates = this.#leastUsed();
    const gone = candidates.find(({ generation }) => generation === 0) ?? candidates[0];
    if (gone !== undefined) this.remove(gone.buildId);
  }

  #evict(entry: DebuginfoEntry): void {
    this.#evictions++;
    const { buildId } = entry;
    const evicted: DebuginfoEntry = {
      ...entry,
      sources: [],
      pending: [],
      generation: 0,
      facts: NO_FACTS,
      tried: [],
      isSymbolsOnly: false,
      missingSplit: 0,
      leftOut: {},
      problems: [],
      evictedUntilMs: this.#clock() + EVICTED_MS,
      problem: 'It had to go to keep to --debuginfo-bytes.',
      remedy: 'Raise --debuginfo-bytes, delete what is not needed, or look again.',
    };
    const files = this.files(buildId);
    // First, because it makes the room that the entry needs on a full disk.
    files.dropPart();
    files.tidy(evicted);
    this.saveIfRoom(evicted);
  }
}

/** Null where nothing is here. */
function whyMissing(entry: DebuginfoEntry): NoSymbolsReason | null {
  const { evictedUntilMs, problem, sources, pending } = entry;
  if (problem !== '') return evictedUntilMs > 0 ? 'evicted' : 'failed';
  const files = [...sources, ...pending];
  if (files.length === 0) return null;
  return files.every(({ kind }) => kind === 'split') ? 'incomplete' : 'waiting';
}
