/**
 * Looks for debug information that nobody sent: in folders of this machine, then on debuginfod
 * servers. What was not found is remembered, so that it is not asked for again at once.
 */
import { MAX_DEBUGINFO_LOOKUPS } from '../../profile/limits.ts';
import type { BuildId, EpochMs } from '../../profile/units.ts';
import type { DebuginfoOrigin } from '../symbolizer.ts';
import type { DebuginfodClient, DebuginfodKind, DownloadTarget } from './debuginfod-client.ts';
import { findLocalFiles } from './local-files.ts';

export interface FoundFile {
  kind: DebuginfodKind;
  origin: Exclude<DebuginfoOrigin, 'upload'>;
  /** Its path or address. */
  from: string;
  sizeBytes: number;
}

/** Who takes what is found. */
export interface LookupTaker {
  /** Whether a file of this kind could still add something. */
  needs(buildId: BuildId, kind: DebuginfodKind): boolean;
  /** Where a download is written. */
  target(buildId: BuildId, file: string, kind: DebuginfodKind): LookupTarget;
  /** A file on this machine that stays where it is. Resolves once it was converted. */
  takeLocal(buildId: BuildId, file: string, found: FoundFile): Promise<void>;
}

export interface LookupTarget extends DownloadTarget {
  /** The file is whole. Resolves once it was converted. */
  take(found: FoundFile): Promise<void>;
  /** After `take`, and after a failure. */
  end(): void;
}

export interface LookupsOptions {
  localPaths: readonly string[];
  client: DebuginfodClient;
  maxBytes: number;
  taker: LookupTaker;
  clock: () => EpochMs;
}

/** Downloads and searches at one time. */
const PARALLEL = 2;
/** After an answer, whatever it was, the same is not asked for again before. */
const FOUND_MS = 7 * 24 * 3_600_000;
const ABSENT_MS = 3_600_000;
const FIRST_BACKOFF_MS = 60_000;
const MAX_BACKOFF_MS = 3_600_000;

interface Lookup {
  file: string;
  state: 'waiting' | 'looking' | 'over';
  /** Not before; counts when it is over. */
  untilMs: number;
  /** Failures in a row. */
  failures: number;
  /** What came of it, in whole sentences. */
  words: string;
}

export class DebuginfoLookups {
  readonly #options: LookupsOptions;
  readonly #lookups = new Map<BuildId, Lookup>();
  readonly #waiting: BuildId[] = [];
  readonly #stop = new AbortController();
  readonly #workers = new Set<Promise<void>>();
  /** Left out because too many were known at the time; a later request counts anew. */
  dropped = 0;

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  /** Looks for it unless that was done lately; `isForced` asks again all the same. */
  request(buildId: BuildId, file: string, isForced = false): void {
    if (this.#options.localPaths.length === 0 && this.#options.client.urls.length === 0) return;
    const known = this.#lookups.get(buildId);
    if (known !== undefined && known.state !== 'over') return;
    if (known !== undefined && !isForced && this.#options.clock() < known.untilMs) return;
    if (known === undefined && !this.#makeRoom()) {
      this.dropped++;
      return;
    }
    const failures = known?.failures ?? 0;
    // Anew at the end of the order, in which the oldest are forgotten.
    this.#lookups.delete(buildId);
    const name = file === '' ? (known?.file ?? '') : file;
    const words = known?.words ?? '';
    this.#lookups.set(buildId, { file: name, state: 'waiting', untilMs: 0, failures, words });
    this.#waiting.push(buildId);
    this.#start();
  }

  isLooking(buildId: BuildId): boolean {
    return this.#lookups.get(buildId)?.state === 'looking';
  }

  /** What came of it, in whole sentences; empty where it was not looked for. */
  words(buildId: BuildId): string {
    const { localPaths, client } = this.#options;
    const words = this.#lookups.get(buildId)?.words;
    if (words !== undefined) return words;
    const isNowhere = localPaths.length === 0 && client.urls.length === 0;
    return isNowhere ? 'This server looks nowhere else.' : '';
  }

  /** From when on it is looked for again; null where it was not looked for. */
  retryMs(buildId: BuildId): number | null {
    const lookup = this.#lookups.get(buildId);
    return lookup?.state === 'over' ? lookup.untilMs : null;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#waiting.length = 0;
    await Promise.all(this.#workers);
  }

  /** The oldest that is over goes. */
  #makeRoom(): boolean {
    if (this.#lookups.size < MAX_DEBUGINFO_LOOKUPS) return true;
    for (const [buildId, { state }] of this.#lookups) {
      if (state !== 'over') continue;
      this.#lookups.delete(buildId);
      return true;
    }
    return false;
  }

  #start(): void {
    if (this.#workers.size >= PARALLEL || this.#stop.signal.aborted) return;
    const worker = this.#work().finally(() => this.#workers.delete(worker));
    this.#workers.add(worker);
  }

  async #work(): Promise<void> {
    for (let id = this.#waiting.shift(); id !== undefined; id = this.#waiting.shift()) {
      const lookup = this.#lookups.get(id);
      if (lookup === undefined) continue;
      lookup.state = 'looking';
      try {
        await this.#look(id, lookup);
      } catch (error) {
        // A full disk, a folder that cannot be read: told, and tried again like a server's failure.
        const why = error instanceof Error ? error.message : String(error);
        this.#end(lookup, 'failed', `It could not be looked for: ${why}.`);
      }
      lookup.state = 'over';
    }
  }

  async #look(buildId: BuildId, lookup: Lookup): Promise<void> {
    const { localPaths, client, maxBytes, taker } = this.#options;
    const words: string[] = [];
    const files = await findLocalFiles(localPaths, buildId, lookup.file, maxBytes);
    for (const { kind, path, sizeBytes } of files) {
      if (kind === 'split' || !taker.needs(buildId, kind)) continue;
      const found = { kind, origin: 'local', from: path, sizeBytes } as const;
      await taker.takeLocal(buildId, lookup.file, found);
    }
    if (files.length > 0) words.push(`Found ${files.map(({ path }) => path).join(', ')}.`);
    else if (localPaths.length > 0) words.push(`It is not in ${localPaths.join(', ')}.`);
    let outcome: 'found' | 'absent' | 'failed' = files.length > 0 ? 'found' : 'absent';
    // Only GNU build ids are known to these servers.
    if (/^[0-9a-f]+$/.test(buildId) && client.urls.length > 0) {
      for (const kind of ['debuginfo', 'executable'] as const) {
        if (!taker.needs(buildId, kind)) continue;
        const asked = await this.#download(buildId, kind, lookup.file);
        words.push(asked.words);
        if (asked.kind !== 'absent') outcome = asked.kind;
        if (asked.kind === 'failed') break;
      }
    }
    this.#end(lookup, outcome, words.join(' '));
  }

  async #download(buildId: BuildId, kind: DebuginfodKind, file: string) {
    const { client, taker } = this.#options;
    const target = taker.target(buildId, file, kind);
    try {
      const asked = await client.download(buildId, kind, target, this.#stop.signal);
      const servers = client.urls.join(', ');
      if (asked.kind === 'absent')
        return { kind: 'absent', words: `${servers}: no ${kind}.` } as const;
      if (asked.kind === 'failed') {
        return { kind: asked.isFinal ? 'absent' : 'failed', words: `${asked.why}.` } as const;
      }
      const { url: from, sizeBytes } = asked;
      await target.take({ kind, origin: 'debuginfod', from, sizeBytes });
      return { kind: 'found', words: `Found ${from}.` } as const;
    } finally {
      target.end();
    }
  }

  #end(lookup: Lookup, outcome: 'found' | 'absent' | 'failed', words: string): void {
    lookup.words = words;
    lookup.failures = outcome === 'failed' ? lookup.failures + 1 : 0;
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (lookup.failures - 1), MAX_BACKOFF_MS);
    const waitMs = { found: FOUND_MS, absent: ABSENT_MS, failed: backoffMs }[outcome];
    lookup.untilMs = this.#options.clock() + waitMs;
  }
}
