/** Asks debuginfod servers for files by build id; what they send goes to disk, within limits. */
import { type FileHandle, open } from 'node:fs/promises';
import { EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';

/** What a server has by build id; split files are not among it. */
export type DebuginfodKind = 'debuginfo' | 'executable';

export interface DebuginfodOptions {
  urls: readonly string[];
  maxBytes: number;
  limits: DebuginfodLimits;
}

export interface DebuginfodLimits {
  /** To the answer's head: a server asks others first, which takes time. */
  headMs: number;
  /** Between two pieces of the body. */
  idleMs: number;
  /** For one file, all redirections included. */
  totalMs: number;
}

export const DEBUGINFOD_LIMITS: DebuginfodLimits = {
  headMs: 90_000,
  idleMs: 30_000,
  totalMs: 30 * 60_000,
};
const MAX_REDIRECTS = 5;
/** After this much, room for the rest is asked for. */
const CHECK_BYTES = 16 * 2 ** 20;

/** Where a file is written once a server has it. */
export interface DownloadTarget {
  /** Called at the first byte. */
  open(): string;
  /** Whether there is room to go on. */
  hasRoom(): boolean;
}

export type DownloadOutcome =
  | { kind: 'found'; url: string; sizeBytes: number }
  /** No server has it. */
  | { kind: 'absent' }
  /** At least one could not say, or what it has cannot be taken: `isFinal`. */
  | { kind: 'failed'; why: string; isFinal: boolean };

/** Bytes received and requests by outcome, since the start. */
export interface DebuginfodStats {
  requests: number;
  found: number;
  absent: number;
  failed: number;
  bytes: number;
}

export class DebuginfodClient {
  readonly stats: DebuginfodStats = { requests: 0, found: 0, absent: 0, failed: 0, bytes: 0 };
  readonly #options: DebuginfodOptions;

  constructor(options: DebuginfodOptions) {
    this.#options = options;
  }

  get urls(): readonly string[] {
    return this.#options.urls;
  }

  /** Asks one server after the other, until one has the file. Rejects when the signal fires. */
  async download(
    buildId: BuildId,
    kind: DebuginfodKind,
    target: DownloadTarget,
    signal: AbortSignal,
  ): Promise<DownloadOutcome> {
    const failures: string[] = [];
    let isFinal = true;
    for (const base of this.#options.urls) {
      const url = `${base.replace(/\/+$/, '')}/buildid/${buildId}/${kind}`;
      this.stats.requests++;
      try {
        const sizeBytes = await this.#fetchTo(url, target, signal);
        if (sizeBytes === null) {
          this.stats.absent++;
          continue;
        }
        this.stats.found++;
        return { kind: 'found', url, sizeBytes };
      } catch (error) {
        signal.throwIfAborted();
        this.stats.failed++;
        if (!isFinalFailure(error)) isFinal = false;
        failures.push(`${base}: ${wordsOf(error)}`);
      }
    }
    return failures.length === 0
      ? { kind: 'absent' }
      : { kind: 'failed', why: failures.join('; '), isFinal };
  }

  /** The bytes written; null where the server has no such file. */
  async #fetchTo(url: string, target: DownloadTarget, signal: AbortSignal): Promise<number | null> {
    const { limits } = this.#options;
    const stop = new AbortController();
    const stopped = AbortSignal.any([signal, stop.signal, AbortSignal.timeout(limits.totalMs)]);
    const expire = (ms: number, what: string) =>
      setTimeout(() => stop.abort(new EverflameError('unavailable', what)), ms);
    let timer = expire(limits.headMs, `no answer in ${limits.headMs} ms`);
    try {
      const response = await this.#followRedirects(url, stopped);
      clearTimeout(timer);
      if (response === null) return null;
      const beat = () => {
        clearTimeout(timer);
        timer = expire(limits.idleMs, `nothing came for ${limits.idleMs} ms`);
      };
      beat();
      return await this.#writeBody(response, target, beat);
    } catch (error) {
      throw stop.signal.aborted && !signal.aborted ? stop.signal.reason : error;
    } finally {
      clearTimeout(timer);
      // Ends a body that was not read to its end.
      stop.abort();
    }
  }

  async #followRedirects(first: string, signal: AbortSignal): Promise<Response | null> {
    const headers = { 'X-DEBUGINFOD-MAXSIZE': String(this.#options.maxBytes) };
    let url = new URL(first);
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const response = await fetch(url, { redirect: 'manual', headers, signal });
      if (response.ok) return response;
      await response.body?.cancel();
      if (response.status === 404) return null;
      // What a server says to X-DEBUGINFOD-MAXSIZE.
      if (response.status === 406) throw tooLarge(this.#options.maxBytes);
      const location = response.headers.get('location');
      const isRedirect = response.status >= 300 && response.status < 400 && location !== null;
      if (!isRedirect) throw new EverflameError('unavailable', `it answered ${response.status}`);
      url = new URL(location, url);
      if (url.protocol !== 'http:' && url.protocol !== 'https:') {
        throw new EverflameError('unavailable', `it redirects to ${url.protocol}`);
      }
    }
    throw new EverflameError('unavailable', `it redirects more than ${MAX_REDIRECTS} times`);
  }

  async #writeBody(response: Response, target: DownloadTarget, beat: () => void): Promise<number> {
    const { maxBytes } = this.#options;
    const said = Number(
      response.headers.get('x-debuginfod-size') ?? response.headers.get('content-length') ?? 0,
    );
    if (said > maxBytes) throw tooLarge(maxBytes);
    if (response.body === null) throw new EverflameError('unavailable', 'it sent nothing');
    const handle = await open(target.open(), 'w');
    try {
      let bytes = 0;
      let checked = 0;
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        beat();
        bytes += chunk.length;
        this.stats.bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge(maxBytes);
        await writeAll(handle, chunk);
        if (bytes - checked < CHECK_BYTES) continue;
        checked = bytes;
        if (!target.hasRoom()) throw noRoom();
      }
      if (bytes === 0) throw new EverflameError('unavailable', 'it sent nothing');
      await handle.datasync();
      return bytes;
    } finally {
      await handle.close();
    }
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at);
    at += bytesWritten;
  }
}

function tooLarge(maxBytes: number): EverflameError {
  return new EverflameError('too-large', `the file has more than ${maxBytes} bytes`, {
    limit: 'min(MAX_DEBUGINFO_BYTES, --debuginfo-bytes / 2)',
  });
}

function noRoom(): EverflameError {
  return new EverflameError('overloaded', 'no room within --debuginfo-bytes');
}

function isFinalFailure(error: unknown): boolean {
  return error instanceof EverflameError && error.kind === 'too-large';
}

/** fetch says `fetch failed` and keeps the reason in the cause. */
function wordsOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message : String(inner);
}
