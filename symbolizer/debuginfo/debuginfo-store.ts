/**
 * The server's debug information: asks agents for what is missing, takes uploads in parts, has
 * them converted, keeps to a budget of bytes. State of the files is in debuginfo-entry.ts.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { basename } from 'node:path';
import { assert, type ErrorKind, EverflameError } from '../../profile/errors.ts';
import {
  MAX_DEBUGINFO_BYTES,
  MAX_DEBUGINFO_ENTRIES,
  MAX_DEBUGINFO_LEASES,
  MAX_WANTED_PER_REQUEST,
} from '../../profile/limits.ts';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { isBuildId } from '../elf/build-id.ts';
import { SymbolQuality } from '../symbol-file/symbol-quality.ts';
import type {
  DebuginfoFacts,
  DebuginfoStatus,
  QualityName,
  SymbolFileRow,
  Symbolizer,
  UploadOutcome,
  UploadRequest,
  WantedAnswer,
  WantedQuestion,
} from '../symbolizer.ts';
import { ConversionQueue } from './conversion-queue.ts';
import {
  type DebuginfoEntry,
  EntryFiles,
  fileBytes,
  KIND_RANK,
  newEntry,
  readEntries,
  readSymbols,
} from './debuginfo-entry.ts';
import { receivePart, toUploadError } from './debuginfo-part.ts';

export interface SymbolizerOptions {
  /** Made if it is not there. */
  dir: string;
  /** For all files under `dir`; the least recently asked-for go first. */
  maxBytes: number;
  /** How long one agent has to begin, or go on with, an upload that it was asked for. */
  leaseMs: number;
  clock: () => EpochMs;
}

/** After a failure or an eviction the same file is asked for again only when this has passed. */
const ASK_AGAIN_MS = 24 * 3_600_000;
/** `lastUsedMs` is written no more often than this: it only orders evictions. */
const USE_STEP_MS = 3_600_000;

interface Lease {
  token: string;
  agent: string;
  untilMs: number;
}

export function openSymbolizer(options: SymbolizerOptions): Symbolizer {
  return new DebuginfoStore(options);
}

class DebuginfoStore implements Symbolizer {
  readonly #options: SymbolizerOptions;
  readonly #entries = new Map<BuildId, DebuginfoEntry>();
  readonly #leases = new Map<BuildId, Lease>();
  /** Build ids of which a part is being received or converted right now. */
  readonly #busy = new Set<BuildId>();
  readonly #queue = new ConversionQueue();
  #symbolFiles: readonly SymbolFileRow[] | null = null;

  constructor(options: SymbolizerOptions) {
    this.#options = options;
    for (const entry of readEntries(options.dir)) this.#entries.set(entry.buildId, entry);
    for (const entry of this.#entries.values()) this.#mend(entry);
  }

  async wanted(questions: readonly WantedQuestion[], agent: string): Promise<WantedAnswer[]> {
    if (questions.length > MAX_WANTED_PER_REQUEST) {
      throw new EverflameError('too-large', `${questions.length} questions at once`, {
        field: 'body',
        limit: `MAX_WANTED_PER_REQUEST = ${MAX_WANTED_PER_REQUEST}`,
        remedy: 'Ask in several requests.',
      });
    }
    return questions.map((question) => this.#answer(question, agent));
  }

  async upload(request: UploadRequest): Promise<UploadOutcome> {
    const { buildId } = request;
    this.#checkUpload(request);
    this.#busy.add(buildId);
    try {
      const received = await this.#receive(request);
      const entry = this.#entries.get(buildId);
      assert(entry !== undefined, `an entry of ${buildId} after its upload`);
      const quality = qualityName(entry.quality);
      return { ...received, state: entry.generation > 0 ? 'ready' : 'receiving', quality };
    } catch (error) {
      throw toUploadError(error);
    } finally {
      this.#busy.delete(buildId);
      this.#measure(buildId);
    }
  }

  symbolFiles(): readonly SymbolFileRow[] {
    if (this.#symbolFiles === null) {
      const rows: SymbolFileRow[] = [];
      for (const { buildId, generation } of this.#entries.values()) {
        if (generation > 0) rows.push({ buildId, generation, path: this.#files(buildId).symbols });
      }
      this.#symbolFiles = rows;
    }
    return this.#symbolFiles;
  }

  status(): readonly DebuginfoStatus[] {
    return [...this.#entries.values()].map((entry) => this.#statusOf(entry));
  }

  facts(): DebuginfoFacts {
    let bytesOnDisk = 0;
    for (const entry of this.#entries.values()) bytesOnDisk += entry.bytesOnDisk;
    return {
      bytesOnDisk,
      maxBytes: this.#options.maxBytes,
      localPaths: [],
      debuginfodUrls: [],
    };
  }

  #statusOf(entry: DebuginfoEntry): DebuginfoStatus {
    const { buildId, file, functions, problem } = entry;
    const state = entry.generation > 0 ? 'ready' : this.#busy.has(buildId) ? 'receiving' : 'failed';
    const source = { kind: 'debuginfo', origin: 'upload', from: '' } as const;
    const { sizeBytes, uploadedMs: receivedMs } = entry;
    return {
      buildId,
      file,
      state,
      quality: qualityName(entry.quality),
      sources: receivedMs === null ? [] : [{ ...source, sizeBytes, receivedMs }],
      symbolFileBytes: fileBytes(this.#files(buildId).symbols),
      functions,
      inlinedCalls: 0,
      problem,
      remedy: '',
      retryMs: null,
    };
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  #answer(question: WantedQuestion, agent: string): WantedAnswer {
    const { buildId, kind } = question;
    const refusal = this.#refusal(question, agent);
    if (refusal !== null) return { buildId, wanted: 'no', why: refusal, lease: '', offset: 0 };
    const token = randomBytes(16).toString('hex');
    const untilMs = this.#options.clock() + this.#options.leaseMs;
    this.#leases.set(buildId, { token, agent, untilMs });
    const why = this.#entries.has(buildId) ? 'it says more than what is here' : 'nothing is here';
    return { buildId, wanted: kind, why, lease: token, offset: this.#resumeOffset(question) };
  }

  /** Of a file that is here whole but not converted, the last byte is asked for again. */
  #resumeOffset({ buildId, kind, sizeBytes }: WantedQuestion): number {
    const part = this.#files(buildId).readPart();
    if (part?.kind !== kind || part.totalBytes !== sizeBytes) return 0;
    return Math.min(part.receivedBytes, sizeBytes - 1);
  }

  /** Why nothing is wanted; null if it is. */
  #refusal({ buildId, kind, sizeBytes }: WantedQuestion, agent: string): string | null {
    if (!isBuildId(buildId)) return 'not a build id';
    const limit = this.#sizeLimit();
    if (!(sizeBytes > 0 && sizeBytes <= limit)) return `over the limit of ${limit} bytes`;
    const now = this.#options.clock();
    const entry = this.#entries.get(buildId);
    if (entry !== undefined) {
      this.#use(entry, now);
      if (entry.rank >= KIND_RANK[kind])
        return entry.functions > 0 ? 'have symbols' : entry.problem;
      if (now < entry.notBeforeMs)
        return `${entry.problem} (not before ${isoTime(entry.notBeforeMs)})`;
    }
    const lease = this.#lease(buildId);
    if (lease !== null && lease.agent !== agent) {
      return `leased to another agent until ${isoTime(lease.untilMs)}`;
    }
    if (this.#busy.has(buildId)) return 'an upload is under way';
    if (lease === null && !this.#hasRoomForLease(now)) return 'too many uploads are under way';
    return null;
  }

  #lease(buildId: BuildId): Lease | null {
    const lease = this.#leases.get(buildId);
    if (lease === undefined || lease.untilMs <= this.#options.clock()) return null;
    return lease;
  }

  #hasRoomForLease(now: number): boolean {
    if (this.#leases.size < MAX_DEBUGINFO_LEASES) return true;
    for (const [buildId, lease] of this.#leases) {
      if (lease.untilMs <= now) this.#leases.delete(buildId);
    }
    return this.#leases.size < MAX_DEBUGINFO_LEASES;
  }

  /** One file may take half of the budget, so that it never evicts everything else. */
  #sizeLimit(): number {
    return Math.min(MAX_DEBUGINFO_BYTES, Math.floor(this.#options.maxBytes / 2));
  }

  #checkUpload({ buildId, lease, totalBytes }: UploadRequest): void {
    if (!isBuildId(buildId)) {
      throw new EverflameError('invalid', 'that is not a build id', {
        field: 'build_id',
        remedy: 'Send lower-case hex, or go: or htl: and the id.',
      });
    }
    const limit = this.#sizeLimit();
    if (!Number.isSafeInteger(totalBytes) || totalBytes <= 0 || totalBytes > limit) {
      throw new EverflameError('too-large', `a file of ${totalBytes} bytes`, {
        field: 'Content-Range',
        limit: `min(MAX_DEBUGINFO_BYTES, --debuginfo-bytes / 2) = ${limit}`,
        remedy: 'Strip it of all but its symbols, or raise --debuginfo-bytes.',
      });
    }
    // After a restart leases are forgotten, and people who upload by hand have none.
    const held = this.#lease(buildId);
    const isOthers = held !== null && lease !== '' && held.token !== lease;
    if (isOthers || this.#busy.has(buildId)) {
      throw new EverflameError('conflict', 'another upload of this build id is under way', {
        field: 'lease',
        remedy: 'Ask again with POST /api/v1/debuginfo/wanted.',
      });
    }
  }

  async #receive(request: UploadRequest): Promise<{ receivedBytes: number; complete: boolean }> {
    const { buildId, totalBytes } = request;
    const files = this.#files(buildId);
    if (!this.#entries.has(buildId)) this.#add(request);
    const receivedBytes = await receivePart(files, request, this.#options.clock, () => {
      this.#extendLease(buildId);
      if (!this.#makeRoom(buildId)) throw noRoom(this.#options.maxBytes);
    });
    if (receivedBytes < totalBytes) return { receivedBytes, complete: false };
    await this.#convert(request, files);
    this.#leases.delete(buildId);
    return { receivedBytes, complete: true };
  }

  /** From the first byte on, so that unfinished uploads count for the budget too. */
  #add({ buildId, file }: UploadRequest): void {
    for (const entry of this.#entries.values()) {
      if (this.#entries.size < MAX_DEBUGINFO_ENTRIES) break;
      if (this.#busy.has(entry.buildId)) continue;
      this.#files(entry.buildId).remove();
      this.#entries.delete(entry.buildId);
    }
    mkdirSync(this.#files(buildId).directory, { recursive: true });
    this.#save(newEntry(buildId, printableName(file), this.#options.clock()));
  }

  async #convert({ buildId, kind, file, totalBytes }: UploadRequest, files: EntryFiles) {
    const known = this.#entries.get(buildId);
    assert(known !== undefined, `no entry of ${buildId} while it is uploaded`);
    const sources = [{ kind, path: files.part }];
    const job = { sources, target: files.converted, buildId, symbolsOnly: false };
    try {
      const knownSegments = known.generation > 0 ? readSymbols(files.symbols).segments : [];
      await this.#queue.convert({ ...job, knownSegments });
      const { quality, functions, skippedSymbols } = readSymbols(files.converted);
      const rank = Math.max(known.rank, KIND_RANK[kind]);
      if (known.generation > 0 && quality <= known.quality) {
        // What is here says as much: it stays, and this kind is not asked for again.
        files.dropPart();
        this.#save({ ...known, rank, problem: '' });
        return;
      }
      files.adoptPart();
      this.#save({
        ...known,
        file: printableName(file),
        rank,
        quality,
        functions,
        generation: Math.max(known.generation + 1, this.#options.clock()),
        sizeBytes: totalBytes,
        uploadedMs: this.#options.clock(),
        lastUsedMs: this.#options.clock(),
        notBeforeMs: 0,
        problem: problemOf(quality, skippedSymbols),
      });
      this.#makeRoom(buildId);
    } catch (error) {
      const isFailure = error instanceof EverflameError && !isTransient(error);
      if (isFailure) this.#fail(known, files, error);
      throw error;
    }
  }

  /** Converts again what was damaged, or written by another version, from the file as sent. */
  #mend(entry: DebuginfoEntry): void {
    const files = this.#files(entry.buildId);
    if (entry.generation > 0 || fileBytes(files.source) === 0) return;
    const { buildId } = entry;
    const sources = [{ kind: 'debuginfo' as const, path: files.source }];
    const job = {
      sources,
      target: files.symbols,
      buildId,
      knownSegments: [],
      symbolsOnly: false,
    };
    this.#busy.add(buildId);
    const mended = this.#queue.convert(job).then(
      () => {
        const { quality, functions, skippedSymbols } = readSymbols(files.symbols);
        const problem = problemOf(quality, skippedSymbols);
        const generation = this.#options.clock();
        this.#save({ ...entry, rank: quality, quality, functions, generation, problem });
      },
      (error) => {
        if (error instanceof EverflameError && !isTransient(error)) this.#fail(entry, files, error);
      },
    );
    void mended.finally(() => this.#busy.delete(buildId));
  }

  /** What was there before stays; the failure is told and the same is not asked for at once. */
  #fail(known: DebuginfoEntry, files: EntryFiles, error: EverflameError): void {
    // An upload that is another file says nothing about the one that has this build id.
    const isOther = error.field === 'build_id';
    const notBeforeMs = isOther ? known.notBeforeMs : this.#options.clock() + ASK_AGAIN_MS;
    const remedy = error.remedy === undefined ? '' : ` ${error.remedy}`;
    const problem = `${error.message}.${remedy}`;
    files.dropPart();
    this.#leases.delete(known.buildId);
    if (!isOther || known.generation === 0) this.#save({ ...known, notBeforeMs, problem });
  }

  #files(buildId: BuildId): EntryFiles {
    return new EntryFiles(this.#options.dir, buildId);
  }

  #save(entry: DebuginfoEntry): void {
    const files = this.#files(entry.buildId);
    const saved = { ...entry, bytesOnDisk: files.bytesOnDisk() };
    this.#entries.set(entry.buildId, saved);
    files.saveEntry(saved);
    this.#symbolFiles = null;
  }

  #measure(buildId: BuildId): void {
    const entry = this.#entries.get(buildId);
    if (entry !== undefined) entry.bytesOnDisk = this.#files(buildId).bytesOnDisk();
  }

  #use(entry: DebuginfoEntry, now: number): void {
    if (now - entry.lastUsedMs < USE_STEP_MS) return;
    entry.lastUsedMs = now;
    this.#files(entry.buildId).saveEntry(entry);
  }

  #extendLease(buildId: BuildId): void {
    const lease = this.#leases.get(buildId);
    if (lease !== undefined) lease.untilMs = this.#options.clock() + this.#options.leaseMs;
  }

  /** Evicts until the budget holds again, if it can: this entry and uploads under way stay. */
  #makeRoom(buildId: BuildId): boolean {
    this.#measure(buildId);
    let total = 0;
    for (const entry of this.#entries.values()) total += entry.bytesOnDisk;
    if (total <= this.#options.maxBytes) return true;
    const oldest = [...this.#entries.values()].sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    for (const entry of oldest) {
      if (total <= this.#options.maxBytes) break;
      if (entry.bytesOnDisk === 0 || entry.buildId === buildId) continue;
      if (this.#busy.has(entry.buildId)) continue;
      total -= entry.bytesOnDisk;
      this.#evict(entry);
    }
    return total <= this.#options.maxBytes;
  }

  #evict(entry: DebuginfoEntry): void {
    this.#files(entry.buildId).dropFiles();
    this.#save({
      ...entry,
      rank: 0,
      generation: 0,
      quality: SymbolQuality.none,
      functions: 0,
      sizeBytes: 0,
      uploadedMs: null,
      notBeforeMs: this.#options.clock() + ASK_AGAIN_MS,
      problem: 'Evicted to keep to --debuginfo-bytes; raise it to keep more.',
    });
  }
}

function noRoom(maxBytes: number): EverflameError {
  return new EverflameError('overloaded', 'too many uploads at once for the room there is', {
    limit: `--debuginfo-bytes = ${maxBytes}`,
    remedy: 'Send the rest of the file when other uploads are done.',
  });
}

const TRANSIENT: readonly ErrorKind[] = ['overloaded', 'cancelled', 'storage-full'];

/** What says nothing about the file. */
function isTransient(error: EverflameError): boolean {
  return TRANSIENT.includes(error.kind);
}

/** What people should know of a file that was converted without a fault. */
function problemOf(quality: SymbolQuality, skippedSymbols: number): string {
  const skipped = skippedSymbols === 0 ? '' : `${skippedSymbols} symbols could not be read. `;
  if (quality === SymbolQuality.symbols) return skipped.trim();
  const lack =
    quality === SymbolQuality.none
      ? 'The file names no functions'
      : 'The file names only the functions that it exports';
  return `${skipped}${lack}; upload its debug information.`;
}

const QUALITY_NAMES: readonly QualityName[] = ['none', 'exported', 'symbols', 'lines'];

function qualityName(quality: SymbolQuality): QualityName {
  return QUALITY_NAMES[quality] as QualityName;
}

/** Strangers name files; what is shown is a basename of bounded length in printable characters. */
function printableName(file: string): string {
  return basename(file)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 255);
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
