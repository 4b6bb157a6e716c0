/**
 * The server's debug information: asks agents for what is missing, takes uploads in parts, looks
 * elsewhere, has it all converted. Files and budget are debuginfo-table.ts, conversions
 * debuginfo-conversions.ts, other sources debuginfo-lookups.ts.
 */
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, EverflameError } from '../../profile/errors.ts';
import { MAX_DEBUGINFO_BYTES, MAX_WANTED_PER_REQUEST } from '../../profile/limits.ts';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { isBuildId } from '../elf/build-id.ts';
import { SymbolQuality } from '../symbol-file/symbol-quality.ts';
import type {
  DebuginfoFacts,
  DebuginfoState,
  DebuginfoStatus,
  KeptBytes,
  MissingSymbolFile,
  NamedBinary,
  SymbolFileRow,
  Symbolizer,
  SymbolizerStats,
  UploadOutcome,
  UploadRequest,
  WantedAnswer,
  WantedQuestion,
} from '../symbolizer.ts';
import { BinaryNames, printableName } from './binary-names.ts';
import { DebuginfoConversions } from './debuginfo-conversions.ts';
import type { DebuginfoEntry, StoredSource } from './debuginfo-entry.ts';
import { DebuginfoLeases } from './debuginfo-leases.ts';
import { DebuginfoLookups, type FoundFile, type LookupTarget } from './debuginfo-lookups.ts';
import { isSplitFile, receivePart, toUploadError } from './debuginfo-part.ts';
import { DebuginfoRows, sourcesOf } from './debuginfo-rows.ts';
import { DebuginfoTable } from './debuginfo-table.ts';
import {
  type Advice,
  adviseAbsent,
  adviseEntry,
  advisePart,
  qualityName,
  UNDER_WAY,
} from './debuginfo-words.ts';
import { DEBUGINFOD_LIMITS, DebuginfodClient, type DebuginfodKind } from './debuginfod-client.ts';
import { findKeptFile, findKeptSection } from './kept-bytes.ts';
import { noRoom, notBuildId, notSplit, underWay } from './upload-errors.ts';
import { refusalOf } from './wanted-answer.ts';

export interface SymbolizerOptions {
  /** Made if it is not there. */
  dir: string;
  /** For all files under `dir`; the least recently used go first. */
  maxBytes: number;
  /** How long one agent has to begin, or go on with, an upload that it was asked for. */
  leaseMs: number;
  /** How long the answer to an upload waits for its conversion. */
  answerMs: number;
  /** Folders like /usr/lib/debug, in the order in which they are looked into. */
  localPaths: readonly string[];
  debuginfodUrls: readonly string[];
  clock: () => EpochMs;
}

export function openSymbolizer(options: SymbolizerOptions): Symbolizer {
  return new DebuginfoStore(options);
}

class DebuginfoStore implements Symbolizer {
  readonly #options: SymbolizerOptions;
  readonly #table: DebuginfoTable;
  readonly #leases: DebuginfoLeases;
  readonly #conversions: DebuginfoConversions;
  readonly #client: DebuginfodClient;
  readonly #lookups: DebuginfoLookups;
  readonly #names = new BinaryNames();
  readonly #rows = new DebuginfoRows();
  /** Build ids of which a part is being received right now. */
  readonly #receiving = new Set<BuildId>();

  constructor(options: SymbolizerOptions) {
    this.#options = options;
    const { clock, leaseMs, localPaths, debuginfodUrls: urls } = options;
    this.#table = new DebuginfoTable(options);
    this.#leases = new DebuginfoLeases(leaseMs, clock);
    this.#conversions = new DebuginfoConversions({
      table: this.#table,
      clock,
      onMissing: (buildId, file) => this.#lookups.request(buildId, basename(file)),
      onReady: (buildId) => this.#convertReferring(buildId),
    });
    const maxBytes = this.#sizeLimit();
    this.#client = new DebuginfodClient({ urls, maxBytes, limits: DEBUGINFOD_LIMITS });
    const client = this.#client;
    this.#lookups = new DebuginfoLookups({ localPaths, client, maxBytes, clock, taker: this });
    this.#mendAll();
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
    this.#receiving.add(buildId);
    const release = this.#table.hold(buildId);
    let received: { receivedBytes: number; converted: Promise<void> | null };
    try {
      received = await this.#receive(request);
    } catch (thrown) {
      const error = toUploadError(thrown);
      if (error instanceof EverflameError && this.#isTold(buildId, error)) {
        const { message, remedy = '' } = error;
        this.#table.change(buildId, { problem: `An upload ended: ${message}.`, remedy });
      }
      throw error;
    } finally {
      this.#receiving.delete(buildId);
      release();
    }
    const { receivedBytes, converted } = received;
    if (converted !== null) await this.#waitFor(converted);
    const entry = this.#table.get(buildId);
    const state = entry === undefined ? 'absent' : this.#stateOf(entry);
    const quality = qualityName(entry?.facts.quality ?? SymbolQuality.none);
    return { receivedBytes, complete: converted !== null, state, quality };
  }

  symbolFiles(): readonly SymbolFileRow[] {
    return this.#table.symbolFiles();
  }

  missingSymbolFiles(): readonly MissingSymbolFile[] {
    return this.#table.missingSymbolFiles();
  }

  notice(binaries: readonly NamedBinary[]): void {
    for (const { buildId, file } of binaries) {
      if (!isBuildId(buildId)) continue;
      this.#table.use(buildId);
      this.#table.name(buildId, printableName(file));
      this.#names.remember(buildId, printableName(file));
      if (this.needs(buildId, 'debuginfo')) this.#lookups.request(buildId, printableName(file));
    }
  }

  status(): DebuginfoStatus[] {
    const shared = this.#sharedBuildIds();
    return [...this.#table.all()].map((entry) => this.#describe(entry, shared));
  }

  statusOf(buildId: BuildId): DebuginfoStatus | null {
    const entry = this.#table.get(buildId);
    if (entry !== undefined) return this.#describe(entry, this.#sharedBuildIds());
    const file = this.#names.get(buildId);
    return file === undefined ? null : this.absentStatus({ buildId, file });
  }

  absentStatus({ buildId, file }: NamedBinary): DebuginfoStatus {
    return {
      buildId,
      file: printableName(file),
      state: this.#lookups.isLooking(buildId) ? 'receiving' : 'absent',
      quality: 'none',
      sources: [],
      symbolFileBytes: 0,
      functions: 0,
      inlinedCalls: 0,
      leftOut: {},
      ...adviseAbsent(buildId, this.#lookups.words(buildId)),
      retryMs: this.#lookups.retryMs(buildId),
    };
  }

  facts(): DebuginfoFacts {
    return {
      bytesOnDisk: this.#table.bytesOnDisk(),
      maxBytes: this.#options.maxBytes,
      localPaths: this.#options.localPaths,
      debuginfodUrls: this.#client.urls,
    };
  }

  retry(buildId: BuildId): void {
    if (!isBuildId(buildId)) throw notBuildId();
    const entry = this.#table.get(buildId);
    this.#names.remember(buildId, entry?.file ?? '');
    if (entry !== undefined) {
      const forgiven = { tried: [], problem: '', remedy: '', evictedUntilMs: 0 };
      this.#table.change(buildId, forgiven);
      if (entry.sources.length + entry.pending.length > 0)
        void this.#conversions.convert(buildId, true);
    }
    this.#lookups.request(buildId, this.#names.get(buildId) ?? '', true);
  }

  remove(buildId: BuildId): boolean {
    if (this.#receiving.has(buildId)) throw underWay();
    if (this.#table.get(buildId) === undefined) return false;
    this.#leases.end(buildId);
    this.#names.forget(buildId);
    this.#table.remove(buildId);
    return true;
  }

  keptFile(buildId: BuildId, kind: 'debuginfo' | 'executable'): KeptBytes | null {
    return findKeptFile(this.#table, buildId, kind);
  }

  keptSection(buildId: BuildId, name: string): KeptBytes | null {
    return findKeptSection(this.#table, buildId, name);
  }

  stats(): SymbolizerStats {
    const { seconds: conversionSeconds, ...conversions } = this.#conversions.stats;
    const { found, absent, failed, bytes: debuginfodBytes } = this.#client.stats;
    return {
      entries: this.#table.size,
      bytesOnDisk: this.#table.bytesOnDisk(),
      evictions: this.#table.evictions,
      waitingConversions: this.#conversions.waiting,
      conversionSeconds,
      conversions,
      debuginfod: { found, absent, failed },
      debuginfodBytes,
      droppedLookups: this.#lookups.dropped,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#lookups.close(), this.#conversions.close()]);
  }

  /** Whether a file that was found could say more than what is here. */
  needs(buildId: BuildId, kind: DebuginfodKind): boolean {
    const entry = this.#table.get(buildId);
    const quality = entry?.facts.quality ?? SymbolQuality.none;
    if (kind === 'debuginfo') return quality < SymbolQuality.lines;
    return quality < SymbolQuality.symbols || entry?.hasSegments === false;
  }

  async takeLocal(buildId: BuildId, file: string, found: FoundFile): Promise<void> {
    const entry = this.#table.ensure(buildId, printableName(file));
    const isKnown = [...entry.tried, ...entry.sources, ...entry.pending].some(
      ({ kind, sizeBytes }) => kind === found.kind && sizeBytes === found.sizeBytes,
    );
    if (isKnown) return;
    const receivedMs = this.#options.clock();
    const name = printableName(found.from);
    await this.#take(buildId, { ...found, file: name, path: found.from, receivedMs });
  }

  target(buildId: BuildId, file: string, kind: DebuginfodKind): LookupTarget {
    const table = this.#table;
    const files = table.files(buildId);
    const path = files.newName(kind);
    let release: (() => void) | null = null;
    return {
      open: () => {
        table.ensure(buildId, printableName(file));
        release ??= table.hold(buildId);
        return files.inside(path);
      },
      hasRoom: () => table.makeRoom(buildId),
      take: (found) => {
        const receivedMs = this.#options.clock();
        return this.#take(buildId, { ...found, file: '', path, receivedMs });
      },
      end: () => {
        const entry = table.get(buildId);
        const named = [...(entry?.sources ?? []), ...(entry?.pending ?? [])];
        if (!named.some((source) => source.path === path)) files.drop(path);
        release?.();
      },
    };
  }

  /** A file joins what waits for conversion; resolves when that is over, whatever came of it. */
  async #take(buildId: BuildId, source: StoredSource): Promise<void> {
    const entry = this.#table.get(buildId);
    if (entry === undefined) return;
    this.#table.save({ ...entry, pending: [...entry.pending, source], evictedUntilMs: 0 });
    this.#table.makeRoom(buildId);
    try {
      await this.#conversions.convert(buildId);
    } catch (error) {
      // The entry tells it.
      if (!(error instanceof EverflameError)) throw error;
    }
  }

  #answer(question: WantedQuestion, agent: string): WantedAnswer {
    const { buildId, kind } = question;
    const refused = (why: string): WantedAnswer => {
      return { buildId, wanted: 'no', why, lease: '', offset: 0 };
    };
    if (!isBuildId(buildId)) return refused('not a build id');
    const entry = this.#table.get(buildId);
    this.#table.use(buildId);
    if (this.needs(buildId, 'debuginfo')) {
      this.#lookups.request(buildId, printableName(question.file));
    }
    const now = this.#options.clock();
    const refusal = refusalOf(question, entry, this.#sizeLimit(), now);
    if (refusal !== null) return refused(refusal);
    const heldUntilMs = this.#leases.heldUntilMs(buildId, agent);
    if (heldUntilMs !== null) {
      return refused(`leased to another agent until ${new Date(heldUntilMs).toISOString()}`);
    }
    // An agent that starts again may be faster than the end of its last connection: it is told to
    // go on, and tries again until it can.
    const isOwn = this.#leases.isHeldBy(buildId, agent);
    if (this.#receiving.has(buildId) && !isOwn) return refused('an upload is under way');
    const lease = this.#leases.grant(buildId, agent);
    if (lease === null) return refused('too many uploads are under way');
    const hasSome = entry !== undefined && entry.generation > 0;
    const why = hasSome ? 'it says more than what is here' : 'nothing is here';
    return { buildId, wanted: kind, why, lease, offset: this.#resumeOffset(question) };
  }

  /** Of a file that was received whole when the server died, the last byte is asked for again. */
  #resumeOffset({ buildId, kind, sizeBytes }: WantedQuestion): number {
    const part = this.#table.files(buildId).readPart();
    if (part?.kind !== kind || part.totalBytes !== sizeBytes) return 0;
    return Math.min(part.receivedBytes, sizeBytes - 1);
  }

  /** One file may take half of the budget, so that it never evicts everything else. */
  #sizeLimit(): number {
    return Math.min(MAX_DEBUGINFO_BYTES, Math.floor(this.#options.maxBytes / 2));
  }

  #checkUpload({ buildId, lease, totalBytes }: UploadRequest): void {
    if (!isBuildId(buildId)) throw notBuildId();
    const limit = this.#sizeLimit();
    if (!Number.isSafeInteger(totalBytes) || totalBytes <= 0 || totalBytes > limit) {
      throw new EverflameError('too-large', `a file of ${totalBytes} bytes`, {
        field: 'Content-Range',
        limit: `min(MAX_DEBUGINFO_BYTES, --debuginfo-bytes / 2) = ${limit}`,
        remedy: 'Strip it of all but its symbols, or raise --debuginfo-bytes.',
      });
    }
    if (this.#leases.isRefused(buildId, lease) || this.#receiving.has(buildId)) throw underWay();
  }

  async #receive(request: UploadRequest) {
    const { buildId, kind, totalBytes: sizeBytes, from } = request;
    const files = this.#table.files(buildId);
    this.#table.ensure(buildId, printableName(request.file));
    const receivedBytes = await receivePart(files, request, this.#options.clock, (newBytes) => {
      this.#leases.extend(buildId, newBytes);
      if (!this.#table.makeRoom(buildId)) throw noRoom(this.#options.maxBytes);
    });
    if (receivedBytes < sizeBytes) return { receivedBytes, converted: null };
    const path = files.newName(kind);
    files.finishPart(path);
    this.#leases.end(buildId);
    if (kind === 'split' && !(await isSplitFile(files.inside(path)))) {
      files.drop(path);
      throw notSplit();
    }
    const entry = this.#table.get(buildId);
    assert(entry !== undefined, `no entry of ${buildId} while it is uploaded`);
    const receivedMs = this.#options.clock();
    const sent = printableName(request.file);
    const source = {
      kind,
      file: sent,
      origin: 'upload',
      from,
      path,
      sizeBytes,
      receivedMs,
    } as const;
    // A debug file may be called anything.
    const isNamed = entry.isFromProfiles || (kind !== 'executable' && entry.file !== '');
    const file = isNamed || sent === '' ? entry.file : sent;
    this.#table.save({ ...entry, file, pending: [...entry.pending, source], evictedUntilMs: 0 });
    return { receivedBytes, converted: this.#conversions.convert(buildId) };
  }

  /** Whether the binary's row says, too, why an upload ended. */
  #isTold(buildId: BuildId, { kind }: EverflameError): boolean {
    const isEmpty = this.#table.get(buildId)?.generation === 0;
    return kind === 'storage-full' || (kind === 'unprocessable' && isEmpty);
  }

  /** Up to the time that an answer waits; a refusal until then is the answer. */
  async #waitFor(converted: Promise<void>): Promise<void> {
    const stop = new AbortController();
    const { signal } = stop;
    const waited = sleep(this.#options.answerMs, undefined, { signal }).catch(() => undefined);
    try {
      await Promise.race([converted, waited]);
    } finally {
      stop.abort();
    }
  }

  /** Symbol files that lack this dwz file are made again with it. */
  #convertReferring(buildId: BuildId): void {
    for (const { buildId: other, supplementary } of this.#table.all()) {
      const isMissing = supplementary?.buildId === buildId && !supplementary.isUsed;
      if (isMissing) void this.#conversions.convert(other, true);
    }
  }

  /** Converts what a restart interrupted, what is damaged and what another version wrote. */
  #mendAll(): void {
    const entries = [...this.#table.all()].sort((a, b) => b.lastUsedMs - a.lastUsedMs);
    for (const { buildId, generation, sources, pending } of entries) {
      const isMissing = generation === 0 && sources.length > 0;
      if (isMissing || pending.length > 0) void this.#conversions.convert(buildId, true);
    }
  }

  /** Of the files that others refer to (dwz). */
  #sharedBuildIds(): ReadonlySet<string> {
    const shared = new Set<string>();
    for (const { supplementary } of this.#table.all()) {
      if (supplementary !== null) shared.add(supplementary.buildId);
    }
    return shared;
  }

  #describe(entry: DebuginfoEntry, shared: ReadonlySet<string>): DebuginfoStatus {
    const { buildId, generation, supplementary, symbolFileBytes } = entry;
    const words = this.#lookups.words(buildId);
    const retryMs = this.#lookups.retryMs(buildId);
    const other = supplementary?.isUsed
      ? this.#table.get(supplementary.buildId as BuildId)
      : undefined;
    const postponed = this.#conversions.postponed(buildId);
    // Where there is no symbol file, what has arrived of an upload counts, which is on disk.
    const key = generation > 0 ? this.#stateOf(entry) : Symbol();
    const given = [key, words, retryMs, shared.has(buildId), other, postponed, symbolFileBytes];
    return this.#rows.of(entry, given, () => this.#describeAnew(entry, other, shared));
  }

  #describeAnew(
    entry: DebuginfoEntry,
    other: DebuginfoEntry | undefined,
    shared: ReadonlySet<string>,
  ): DebuginfoStatus {
    const { buildId, file, facts, generation } = entry;
    return {
      buildId,
      file,
      state: this.#stateOf(entry),
      quality: qualityName(facts.quality),
      sources: sourcesOf(entry, other),
      symbolFileBytes: generation > 0 ? entry.symbolFileBytes : 0,
      functions: facts.functions,
      inlinedCalls: facts.inlinedCalls,
      leftOut: entry.leftOut,
      ...this.#advise(entry, shared),
      retryMs: this.needs(buildId, 'debuginfo') ? this.#lookups.retryMs(buildId) : null,
      ...this.#describePostponed(buildId),
    };
  }

  /** Also between two parts, as long as their sender has its lease. */
  #isReceiving(buildId: BuildId): boolean {
    if (this.#receiving.has(buildId)) return true;
    const isLeased = this.#leases.heldUntilMs(buildId, '') !== null;
    return isLeased && this.#table.files(buildId).readPart() !== null;
  }

  #advise(entry: DebuginfoEntry, shared: ReadonlySet<string>): Advice {
    const { buildId, generation, problem, sources, pending } = entry;
    const looked = this.#lookups.words(buildId);
    const isEmpty = generation === 0 && problem === '' && sources.length + pending.length === 0;
    if (isEmpty && this.#isReceiving(buildId)) return UNDER_WAY;
    const part = isEmpty ? this.#table.files(buildId).readPart() : null;
    if (part !== null) return advisePart(part.receivedBytes, part.totalBytes, looked);
    return adviseEntry(entry, looked, shared.has(buildId));
  }

  #describePostponed(buildId: BuildId): Partial<DebuginfoStatus> {
    const postponed = this.#conversions.postponed(buildId);
    if (postponed === null) return {};
    const { problem, remedy, atMs: retryMs } = postponed;
    return { problem, remedy, retryMs };
  }

  #stateOf({ buildId, generation, problem }: DebuginfoEntry): DebuginfoState {
    if (this.#isReceiving(buildId) || this.#lookups.isLooking(buildId)) return 'receiving';
    if (this.#conversions.isConverting(buildId)) return 'converting';
    if (generation > 0) return 'ready';
    if (this.#conversions.postponed(buildId) !== null) return 'converting';
    return problem === '' ? 'absent' : 'failed';
  }
}
