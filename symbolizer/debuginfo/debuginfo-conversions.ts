/**
 * Converts what was received, one entry at a time, and decides whether the result replaces what
 * was there: only what says more does.
 */
import { type ErrorKind, EverflameError } from '../../profile/errors.ts';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import { isBuildId } from '../elf/build-id.ts';
import type { LoadSegment } from '../elf/elf.ts';
import { damageOf } from '../left-out.ts';
import { openSymbolFile, type SymbolFile } from '../symbol-file/symbol-file.ts';
import { compareQuality, SymbolQuality } from '../symbol-file/symbol-quality.ts';
import { ConversionQueue } from './conversion-queue.ts';
import type { Conversion, ConversionSource } from './convert.ts';
import type { DebuginfoEntry, StoredSource } from './debuginfo-entry.ts';
import type { DebuginfoTable } from './debuginfo-table.ts';
import { diskFull, isDiskFull } from './disk-full.ts';

export interface ConversionsOptions {
  table: DebuginfoTable;
  clock: () => EpochMs;
  /** Called with the build id of a dwz file that a symbol file lacks. */
  onMissing: (buildId: BuildId, file: string) => void;
  /** Called once a symbol file says more than before. */
  onReady: (buildId: BuildId) => void;
}

/** By outcome, since the start. */
export interface ConversionStats {
  /** The symbol file is new or says more than the one before. */
  adopted: number;
  /** What was there says as much; it stays. */
  kept: number;
  /** Converted without lines, because that took too much memory or time. Also adopted or kept. */
  symbolsOnly: number;
  failed: number;
  /** To be tried again: the disk is full, or no process could be started. */
  postponed: number;
  seconds: number;
}

/** After a failure, a file of its kind and size is asked for again only when this has passed. */
const ASK_AGAIN_MS = 24 * 3_600_000;
/** Files remembered per entry. */
const MAX_TRIED = 16;
/** What failed for want of room or processes is tried again after this, then later and later. */
const FIRST_POSTPONED_MS = 60_000;
const MAX_POSTPONED_MS = 3_600_000;

/** A conversion that is made again by itself, and why it was not. */
export interface Postponed {
  atMs: number;
  problem: string;
  remedy: string;
}

interface Job {
  buildId: BuildId;
  /** Also where nothing is pending. */
  isForced: boolean;
  done: Promise<void>;
  settle: (error?: unknown) => void;
}

export class DebuginfoConversions {
  readonly stats: ConversionStats = {
    adopted: 0,
    kept: 0,
    symbolsOnly: 0,
    failed: 0,
    postponed: 0,
    seconds: 0,
  };
  readonly #options: ConversionsOptions;
  readonly #queue = new ConversionQueue();
  /** In the order of their turns. */
  readonly #waiting = new Map<BuildId, Job>();
  readonly #postponed = new Map<BuildId, Postponed & { times: number; timer: NodeJS.Timeout }>();
  #running: BuildId | null = null;
  #loop: Promise<void> | null = null;
  #isClosing = false;

  constructor(options: ConversionsOptions) {
    this.#options = options;
  }

  isConverting(buildId: BuildId): boolean {
    return this.#running === buildId || this.#waiting.has(buildId);
  }

  /** Null where nothing is put off. */
  postponed(buildId: BuildId): Postponed | null {
    return this.#postponed.get(buildId) ?? null;
  }

  get waiting(): number {
    return this.#waiting.size + (this.#running === null ? 0 : 1);
  }

  /**
   * Converts what is pending of an entry; where nothing is and it `isForced`, what it has once
   * more. Rejects with the error by which a file was refused.
   */
  convert(buildId: BuildId, isForced = false): Promise<void> {
    const known = this.#waiting.get(buildId);
    if (known !== undefined) {
      known.isForced ||= isForced;
      return known.done;
    }
    let settle: Job['settle'] = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Most callers do not wait; the entry tells what went wrong.
    done.catch(() => undefined);
    this.#waiting.set(buildId, { buildId, isForced, done, settle });
    this.#start();
    return done;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { timer } of this.#postponed.values()) clearTimeout(timer);
    await this.#queue.close();
    await this.#loop;
  }

  #start(): void {
    this.#loop ??= this.#work().finally(() => {
      this.#loop = null;
      // What came in after the last turn.
      if (this.#waiting.size > 0) this.#start();
    });
  }

  async #work(): Promise<void> {
    for (const job of this.#waiting.values()) {
      this.#waiting.delete(job.buildId);
      this.#running = job.buildId;
      const release = this.#options.table.hold(job.buildId);
      const startedMs = performance.now();
      try {
        if (this.#isClosing) throw new EverflameError('cancelled', 'the server is shutting down');
        await this.#convertEntry(job);
        this.#forgetPostponed(job.buildId);
        job.settle();
      } catch (error) {
        // Neither a fault of ours nor the want of room must pass for a fault of the file.
        if (isRefusal(error)) this.#forgetPostponed(job.buildId);
        else this.#postpone(job.buildId, error);
        job.settle(error);
      } finally {
        release();
        this.#running = null;
        this.stats.seconds += (performance.now() - startedMs) / 1000;
      }
    }
  }

  async #convertEntry({ buildId, isForced }: Job): Promise<void> {
    const entry = this.#options.table.get(buildId);
    if (entry === undefined) return;
    if (entry.pending.length === 0) {
      if (isForced) await this.#convertWith(entry, null);
      return;
    }
    let refusal: unknown;
    for (let next = nextPending(entry); next !== null; ) {
      await this.#convertWith(this.#entry(buildId) ?? entry, next).catch((error) => {
        refusal ??= error;
        if (!isRefusal(error)) throw error;
      });
      const now = this.#entry(buildId);
      if (now === undefined) break;
      next = nextPending(now);
    }
    if (refusal !== undefined) throw refusal;
  }

  #entry(buildId: BuildId): DebuginfoEntry | undefined {
    return this.#options.table.get(buildId);
  }

  /** `incoming` takes the place of the entry's file of its kind, for a trial. */
  async #convertWith(entry: DebuginfoEntry, incoming: StoredSource | null): Promise<void> {
    const others = entry.sources.filter(({ kind }) => kind !== incoming?.kind);
    const all = incoming === null ? others : [...others, incoming];
    if (!all.some(({ kind }) => kind !== 'split')) return;
    try {
      const alone = await this.#runWithout(entry, others, incoming);
      const tried = alone ?? (await this.#run(entry, all, incoming));
      this.#settle(entry.buildId, incoming, tried);
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
      if (isRefusal(error)) {
        this.stats.failed++;
        this.#fail(entry.buildId, incoming, error);
      }
      throw error;
    } finally {
      this.#options.table.files(entry.buildId).dropConverted();
    }
  }

  /**
   * Where something of what is here is damaged, a file of another kind may say all of it better
   * without the others. Null where it does not.
   */
  async #runWithout(
    entry: DebuginfoEntry,
    others: readonly StoredSource[],
    incoming: StoredSource | null,
  ): Promise<Tried | null> {
    const damage = damageOf(entry.leftOut);
    if (incoming === null || incoming.kind === 'split' || damage === 0) return null;
    const splits = others.filter(({ kind }) => kind === 'split');
    if (splits.length === others.length) return null;
    const tried = await this.#run(entry, [...splits, incoming], incoming);
    const isEnough = compareQuality(tried.conversion, entry.facts) >= 0;
    return isEnough && damageOf(tried.conversion.leftOut) < damage ? tried : null;
  }

  /** With the dwz file where it is here, and without lines where they take too much. */
  async #run(
    entry: DebuginfoEntry,
    sources: readonly StoredSource[],
    incoming: StoredSource | null,
  ): Promise<Tried> {
    const given = { sources, incoming };
    const first = await this.#convertOnce(entry, given, entry.supplementary);
    const missing = first.conversion.missingSupplementary;
    if (missing === null) return first;
    const second = this.#supplementaryPath(missing) === null ? null : missing;
    if (second !== null) return this.#convertOnce(entry, given, second);
    if (isBuildId(missing.buildId)) this.#options.onMissing(missing.buildId, missing.file);
    return first;
  }

  async #convertOnce(
    entry: DebuginfoEntry,
    { sources, incoming }: { sources: readonly StoredSource[]; incoming: StoredSource | null },
    supplementary: { buildId: string; file: string } | null,
  ): Promise<Tried> {
    const { table } = this.#options;
    const files = table.files(entry.buildId);
    const given: ConversionSource[] = sources.map((source) => ({
      kind: source.kind,
      path: files.path(source),
      isNew: source === incoming,
    }));
    const path = supplementary === null ? null : this.#supplementaryPath(supplementary);
    if (path !== null) given.push({ kind: 'supplementary', path });
    const job = {
      buildId: entry.buildId,
      target: files.converted,
      sources: given,
      knownSegments: entry.generation > 0 ? knownSegments(files.symbols) : [],
    };
    let conversion: Conversion;
    let isSymbolsOnly = false;
    // The dwz file stays until it was read.
    const release = path === null ? null : table.hold(supplementary?.buildId as BuildId);
    try {
      conversion = await this.#queue.convert({ ...job, symbolsOnly: false });
    } catch (error) {
      if (!isTooMuch(error)) throw error;
      isSymbolsOnly = true;
      this.stats.symbolsOnly++;
      conversion = await this.#queue.convert({ ...job, symbolsOnly: true });
      const why = `${error.message}${error.limit === undefined ? '' : ` (${error.limit})`}`;
      conversion = { ...conversion, problems: [...conversion.problems, `With lines, ${why}.`] };
    } finally {
      release?.();
    }
    const used = path === null ? null : supplementary;
    return { sources, conversion, isSymbolsOnly, supplementary: used };
  }

  /** Where the debug file of another entry is, or will be once that is converted. */
  #supplementaryPath({ buildId }: { buildId: string }): string | null {
    const { table } = this.#options;
    const entry = isBuildId(buildId) ? table.get(buildId) : undefined;
    const source = [...(entry?.sources ?? [])].find(({ kind }) => kind === 'debuginfo');
    return entry === undefined || source === undefined
      ? null
      : table.files(entry.buildId).path(source);
  }

  #settle(buildId: BuildId, incoming: StoredSource | null, tried: Tried): void {
    const { table, clock } = this.#options;
    // Deleted meanwhile, perhaps made anew: what was made of it goes too.
    const entry = table.get(buildId);
    const { sources, conversion } = tried;
    if (entry === undefined || !hasFiles(entry, sources)) return;
    const files = table.files(buildId);
    const pending = entry.pending.filter(({ path }) => path !== incoming?.path);
    const settled = {
      ...entry,
      pending,
      tried: withTried(entry, incoming, Number.MAX_SAFE_INTEGER),
      problem: '',
      remedy: '',
    };
    if (tried.supplementary !== null)
      settled.supplementary = { ...tried.supplementary, isUsed: true };
    const hasSegments = readSegments(files.converted).length > 0;
    const isAddition = incoming?.kind === 'split' || tried.supplementary !== null;
    if (!isBetter(conversion, hasSegments, entry, isAddition) && isWhole(files.symbols)) {
      this.stats.kept++;
      table.saveIfRoom(settled);
      return;
    }
    this.stats.adopted++;
    const { missingSplit, leftOut, problems, missingSupplementary: missing, ...facts } = conversion;
    const adopted: DebuginfoEntry = {
      ...settled,
      sources,
      facts,
      hasSegments,
      supplementary: missing === null ? settled.supplementary : { ...missing, isUsed: false },
      missingSplit,
      isSymbolsOnly: tried.isSymbolsOnly,
      leftOut,
      problems,
      evictedUntilMs: 0,
    };
    // Until the symbol file is in its place, the entry on disk says that it has to be made.
    files.saveEntry({ ...adopted, generation: 0 });
    files.adoptConverted();
    const generation = Math.max(entry.generation + 1, clock());
    table.save({ ...adopted, generation, lastUsedMs: clock() });
    table.makeRoom(buildId);
    this.#options.onReady(buildId);
  }

  /** What was there before stays; the failure is told and the same is not asked for at once. */
  #fail(buildId: BuildId, incoming: StoredSource | null, error: EverflameError): void {
    const { table, clock } = this.#options;
    const entry = table.get(buildId);
    if (entry === undefined || !hasFiles(entry, incoming === null ? [] : [incoming])) return;
    const { message: problem, remedy = '' } = error;
    const pending = entry.pending.filter(({ path }) => path !== incoming?.path);
    // A file of another build id says nothing about the one that has this one.
    const isOther = error.field === 'build_id';
    const tried = isOther ? entry.tried : withTried(entry, incoming, clock() + ASK_AGAIN_MS);
    // What has lines misses nothing; its sender was told.
    const isGood = entry.generation > 0 && entry.facts.quality === SymbolQuality.lines;
    const told = isGood && incoming !== null ? {} : { problem: `${problem}.`, remedy };
    table.saveIfRoom({ ...entry, pending, tried, ...told });
  }

  #postpone(buildId: BuildId, error: unknown): void {
    this.stats.postponed++;
    if (this.#isClosing || this.#options.table.get(buildId) === undefined) return;
    const times = (this.#postponed.get(buildId)?.times ?? 0) + 1;
    this.#forgetPostponed(buildId);
    const waitMs = Math.min(FIRST_POSTPONED_MS * 2 ** (times - 1), MAX_POSTPONED_MS);
    const timer = setTimeout(() => void this.convert(buildId, true), waitMs).unref();
    const atMs = this.#options.clock() + waitMs;
    this.#postponed.set(buildId, { atMs, ...describeDelay(error), times, timer });
  }

  #forgetPostponed(buildId: BuildId): void {
    clearTimeout(this.#postponed.get(buildId)?.timer);
    this.#postponed.delete(buildId);
  }
}

function describeDelay(error: unknown): { problem: string; remedy: string } {
  const told = isDiskFull(error) ? diskFull('the symbol file') : error;
  if (told instanceof EverflameError) {
    return { problem: `It waits for conversion: ${told.message}.`, remedy: told.remedy ?? '' };
  }
  const message = told instanceof Error ? told.message : String(told);
  return { problem: `Its conversion ended with a fault of this program: ${message}.`, remedy: '' };
}

interface Tried {
  sources: readonly StoredSource[];
  conversion: Conversion;
  isSymbolsOnly: boolean;
  /** The dwz file that was read. */
  supplementary: { buildId: string; file: string } | null;
}

function hasFiles({ sources, pending }: DebuginfoEntry, files: readonly StoredSource[]): boolean {
  const paths = new Set([...sources, ...pending].map(({ path }) => path));
  return files.every(({ path }) => paths.has(path));
}

function withTried({ tried }: DebuginfoEntry, file: StoredSource | null, untilMs: number) {
  if (file === null) return tried;
  const { kind, sizeBytes } = file;
  return [...tried, { kind, sizeBytes, untilMs }].slice(-MAX_TRIED);
}

/** A split file says nothing without the program that it belongs to. */
function nextPending(entry: DebuginfoEntry): StoredSource | null {
  const program = entry.pending.find(({ kind }) => kind !== 'split');
  if (program !== undefined) return program;
  const hasProgram = entry.sources.some(({ kind }) => kind !== 'split');
  return (hasProgram ? entry.pending[0] : undefined) ?? null;
}

/**
 * `isAddition`: to the same files came one that they refer to, so that fewer missing parts count
 * more than bytes.
 */
function isBetter(
  conversion: Conversion,
  hasSegments: boolean,
  entry: DebuginfoEntry,
  isAddition: boolean,
): boolean {
  if (entry.generation === 0) return true;
  const { facts } = entry;
  const fewerMissing = missingParts(entry) - missingParts(conversion);
  const bySize = compareQuality(conversion, facts);
  const byParts = isAddition && conversion.quality === facts.quality ? fewerMissing : 0;
  const moreCalls = conversion.inlinedCalls - facts.inlinedCalls;
  const lessDamage = damageOf(entry.leftOut) - damageOf(conversion.leftOut);
  const difference = byParts || bySize || fewerMissing || moreCalls || lessDamage;
  return difference === 0 ? hasSegments && !entry.hasSegments : difference > 0;
}

function missingParts(what: Conversion | DebuginfoEntry): number {
  if ('supplementary' in what) {
    return what.missingSplit + (what.supplementary?.isUsed === false ? 1 : 0);
  }
  return what.missingSplit + (what.missingSupplementary === null ? 0 : 1);
}

function readSegments(path: string): readonly LoadSegment[] {
  const symbols = openSymbolFile(path);
  const { segments } = symbols;
  symbols.close();
  return segments;
}

/** None where there is no file any more, or its beginning is damaged. */
function knownSegments(path: string): readonly LoadSegment[] {
  const symbols = openReadable(path);
  symbols?.close();
  return symbols?.segments ?? [];
}

/** Whether all of the file can still be read: disks damage files, and people delete them. */
function isWhole(path: string): boolean {
  const symbols = openReadable(path);
  const whole = symbols?.isWhole() ?? false;
  symbols?.close();
  return whole;
}

function openReadable(path: string): SymbolFile | null {
  try {
    return openSymbolFile(path);
  } catch (error) {
    const isSystemError = error instanceof Error && 'syscall' in error;
    if (error instanceof EverflameError || isSystemError) return null;
    throw error;
  }
}

const TRANSIENT: readonly ErrorKind[] = ['overloaded', 'cancelled', 'storage-full'];

/** What says nothing about the file. */
function isTransient(error: EverflameError): boolean {
  return TRANSIENT.includes(error.kind) || error.field === 'converter';
}

function isRefusal(error: unknown): error is EverflameError {
  return error instanceof EverflameError && !isTransient(error);
}

/** The child was over a limit, or died. */
function isTooMuch(error: unknown): error is EverflameError {
  if (!isRefusal(error)) return false;
  return error.kind === 'too-large' || error.kind === 'unavailable';
}
