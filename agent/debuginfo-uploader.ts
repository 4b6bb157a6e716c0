/**
 * Sends the server what it needs to name the addresses of this host's binaries: asks what it
 * wants, extracts that from the file while sending, in parts that can be resumed. Runs beside the
 * sampling, within a budget of bytes, and never holds it up.
 */
import type { BuildId } from '../profile/units.ts';
import type { DebuginfoKind, QualityName } from '../symbolizer/symbolizer.ts';
import type { WantedJson } from '../wire/http.ts';
import { ByteBudget } from './debuginfo-budget.ts';
import { type OpenedBinary, openBinary } from './debuginfo-source.ts';
import { type HttpAnswer, type HttpRequest, requestFailure, sendRequest } from './http-request.ts';
import type { Log } from './log.ts';

export interface BinaryOffer {
  buildId: BuildId;
  /** Tried in turn; all may be gone, or another file, when its turn comes. */
  paths: readonly string[];
  /** Basename, for people. */
  file: string;
  sizeBytes: number;
}

export interface DebuginfoUploaderOptions {
  server: URL;
  agentId: string;
  /** What people call this machine. */
  host: string;
  /** What all uploads together may send in one window. */
  budgetBytes: number;
  windowMs: number;
  log: Log;
}

/**
 * Counts since the start. offered = uploadedFiles + notWanted + refused + vanished + withoutSymbols
 * + unusable + dropped + what still waits.
 */
export interface DebuginfoUploaderStats {
  /** Binaries taken up, each build id once while it is remembered. */
  offered: number;
  requests: number;
  uploadedFiles: number;
  uploadedBytes: number;
  /** The server has it, or does not want it. */
  notWanted: number;
  /** The server refused it for good. */
  refused: number;
  /** Could not be read when its turn came, or was another file by then. */
  vanished: number;
  /** No symbol table, so nothing worth sending. */
  withoutSymbols: number;
  /** Damaged, of a form that is not read, or too large. */
  unusable: number;
  /** Left out because too many were waiting; a later offer of the same counts anew. */
  dropped: number;
  /** Attempts that failed and are made again. */
  retries: number;
}

export interface DebuginfoUploader {
  /** Cheap and without I/O: may be called for every mapped binary of every window. */
  offer(binary: BinaryOffer): void;
  /** Works until the signal is aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  readonly stats: Readonly<DebuginfoUploaderStats>;
}

/** Asked about at once; their leases run from the answer, so not more than can soon be sent. */
const MAX_ASKED = 16;
const MAX_PENDING = 4_096;
const MAX_REMEMBERED = 16_384;
const PARALLEL_UPLOADS = 2;
/** Bytes of one request at most, which are held in memory. */
const PART_BYTES = 4 * 2 ** 20;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 300_000;
/** A server that said no may have lost its files, or another agent its lease. */
const ASK_AGAIN_MS = 15 * 60_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** The last part's answer may wait for the conversion, and a part is 4 MiB. */
const PART_TIMEOUT_MS = 120_000;
/** No retry changes these (401, 403, 409 and 429 may change). */
const FINAL = new Set([400, 404, 405, 410, 411, 413, 414, 415, 416, 422]);

type Wanted = WantedJson['wanted'][number];
interface Candidate {
  offer: BinaryOffer;
  kind: DebuginfoKind;
  quality: QualityName;
  sizeBytes: number;
}

export function createDebuginfoUploader(options: DebuginfoUploaderOptions): DebuginfoUploader {
  return new Uploader(options);
}

class Uploader implements DebuginfoUploader {
  readonly stats: DebuginfoUploaderStats = {
    offered: 0,
    requests: 0,
    uploadedFiles: 0,
    uploadedBytes: 0,
    notWanted: 0,
    refused: 0,
    vanished: 0,
    withoutSymbols: 0,
    unusable: 0,
    dropped: 0,
    retries: 0,
  };
  readonly #options: DebuginfoUploaderOptions;
  readonly #base: URL;
  readonly #budget: ByteBudget;
  readonly #partBytes: number;
  readonly #pending = new Map<BuildId, BinaryOffer>();
  /** When each build id may be taken up again, in order of being settled. */
  readonly #settled = new Map<BuildId, number>();
  #backoffMs = FIRST_BACKOFF_MS;
  /** A pause ends then, as `performance.now()` has it. */
  #retryAtMs = 0;
  /** From then on other binaries than those that failed need not wait; infinity: they must. */
  #newAtMs = 0;
  /** Binaries whose upload failed in the last round that was not in a pause, or since. */
  readonly #failed = new Set<BuildId>();
  /** Ends the wait for an offer. */
  #wake: () => void = () => undefined;
  #loggedFiles = 0;

  constructor(options: DebuginfoUploaderOptions) {
    this.#options = options;
    const { budgetBytes, windowMs } = options;
    this.#budget = new ByteBudget(budgetBytes, windowMs);
    this.#partBytes = Math.min(PART_BYTES, budgetBytes);
    const { href } = options.server;
    this.#base = new URL('api/v1/debuginfo/', href.endsWith('/') ? href : `${href}/`);
  }

  offer(binary: BinaryOffer): void {
    const { buildId } = binary;
    const again = this.#settled.get(buildId);
    if (again !== undefined && Date.now() < again) return;
    if (this.#pending.has(buildId)) {
      // The process that had it before may be gone: the newest path is the most likely to open.
      this.#pending.set(buildId, binary);
      return;
    }
    this.#settled.delete(buildId);
    this.stats.offered++;
    if (this.#pending.size >= MAX_PENDING) this.stats.dropped++;
    else this.#pending.set(buildId, binary);
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const isPaused = performance.now() < this.#retryAtMs;
      const offers = this.#due(isPaused);
      if (offers.length === 0) {
        await this.#rest();
        continue;
      }
      if (!isPaused) this.#failed.clear();
      this.#newAtMs = Number.POSITIVE_INFINITY;
      try {
        await this.#round(offers, signal);
        this.#newAtMs = 0;
        if (!isPaused) this.#backoffMs = FIRST_BACKOFF_MS;
        if (this.#pending.size === 0) this.#logSent();
      } catch (error) {
        if (signal.aborted) return;
        this.#pause(error, isPaused);
      }
    }
  }

  /** The first few that wait; in a pause, only those that did not cause it. */
  #due(isPaused: boolean): BinaryOffer[] {
    if (isPaused && performance.now() < this.#newAtMs) return [];
    const due: BinaryOffer[] = [];
    for (const offer of this.#pending.values()) {
      if (due.length === MAX_ASKED) break;
      if (!isPaused || !this.#failed.has(offer.buildId)) due.push(offer);
    }
    return due;
  }

  /** Until an offer comes, or the pause is over for some that wait. */
  async #rest(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#pending.size === 0) return;
      const now = performance.now();
      const isNew = now < this.#newAtMs && this.#newAtMs < this.#retryAtMs;
      const untilMs = isNew ? this.#newAtMs : this.#retryAtMs;
      timer = setTimeout(resolve, Math.ceil(untilMs - now)).unref();
    });
    clearTimeout(timer);
  }

  /** A failure in a pause makes it no longer: it is about other binaries. */
  #pause(error: unknown, isPaused: boolean): void {
    this.stats.retries++;
    const now = performance.now();
    if (!isPaused) {
      this.#retryAtMs = now + Math.round(this.#backoffMs * (0.5 + Math.random() / 2));
      this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS);
    }
    const reason = requestFailure(error);
    const retry_ms = Math.round(this.#retryAtMs - now);
    this.#options.log('warn', 'debug information waits', { reason, retry_ms });
  }

  /** Asks about a few binaries and sends what is wanted of them. */
  async #round(offers: readonly BinaryOffer[], signal: AbortSignal): Promise<void> {
    const candidates: Candidate[] = [];
    for (const offer of offers) {
      const opened = await this.#open(offer);
      if (opened === null) continue;
      const { kind, quality, sizeBytes } = opened.plan;
      await opened.close();
      candidates.push({ offer, kind, quality, sizeBytes });
    }
    if (candidates.length === 0) return;
    const answers = await this.#ask(candidates, signal);
    const wanted: [Candidate, Wanted][] = [];
    for (const candidate of candidates) {
      const answer = answers.get(candidate.offer.buildId);
      if (answer === undefined || answer.wanted === 'no') {
        this.#settle(candidate.offer.buildId, 'notWanted');
      } else {
        wanted.push([candidate, answer]);
      }
    }
    const failures: unknown[] = [];
    const tried = wanted.length;
    const worker = async (): Promise<void> => {
      for (let next = wanted.shift(); next !== undefined; next = wanted.shift()) {
        const [candidate, answer] = next;
        await this.#upload(candidate, answer, signal).catch((error) => {
          failures.push(error);
          this.#putLast(candidate.offer);
        });
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_UPLOADS }, worker));
    if (failures.length === 0) return;
    // Where all of several fail it is the server, and a new one would fare no better.
    const isTheirs = failures.length === 1 || failures.length < tried;
    if (isTheirs) this.#newAtMs = performance.now() + FIRST_BACKOFF_MS;
    throw failures[0];
  }

  /** A file that keeps failing must not keep the others waiting. */
  #putLast(offer: BinaryOffer): void {
    this.#failed.add(offer.buildId);
    this.#pending.delete(offer.buildId);
    this.#pending.set(offer.buildId, offer);
  }

  /** Null, and settled, where there is nothing to send. */
  async #open(offer: BinaryOffer): Promise<OpenedBinary | null> {
    const opened = await openBinary(offer.paths, offer.buildId);
    if (typeof opened !== 'string') return opened;
    // Another process may still have the file: a later offer brings another path.
    if (opened === 'vanished') this.#pending.delete(offer.buildId);
    else this.#remember(offer.buildId);
    this.stats[opened]++;
    return null;
  }

  async #ask(candidates: readonly Candidate[], signal: AbortSignal): Promise<Map<string, Wanted>> {
    const questions = candidates.map(({ offer, kind, quality, sizeBytes }) => ({
      build_id: offer.buildId,
      kind,
      quality,
      file: offer.file.slice(-255),
      size: sizeBytes,
    }));
    const response = await this.#request('wanted', signal, REQUEST_TIMEOUT_MS, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(questions),
    });
    if (FINAL.has(response.status)) {
      for (const { offer } of candidates) this.#settle(offer.buildId, 'refused');
      this.#logRefusal('binaries', response);
      return new Map();
    }
    if (response.status !== 200) throw new Error(`${response.status} ${response.text}`);
    const { wanted } = JSON.parse(response.text) as WantedJson;
    return new Map(wanted.map((answer) => [answer.build_id, answer]));
  }

  /** Throws for what may succeed later; the offer then stays pending. */
  async #upload(candidate: Candidate, answer: Wanted, signal: AbortSignal): Promise<void> {
    const { buildId } = candidate.offer;
    const opened = await this.#open(candidate.offer);
    if (opened === null) return;
    try {
      const taken = await this.#sendParts(opened, candidate, answer, signal);
      this.#settle(buildId, taken ? 'uploadedFiles' : 'refused');
    } finally {
      await opened.close();
    }
  }

  /** False for an answer that no retry changes. */
  async #sendParts(
    opened: OpenedBinary,
    { offer, kind }: Candidate,
    { lease, offset }: Wanted,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { sizeBytes } = opened.plan;
    const parameters = new URLSearchParams({ kind, file: offer.file.slice(-255), lease });
    const path = `${encodeURIComponent(offer.buildId)}?${parameters}`;
    let from = Math.min(offset, sizeBytes - 1);
    for await (const part of opened.parts(from, this.#partBytes)) {
      await this.#budget.take(part.length, signal);
      const range = `bytes ${from}-${from + part.length - 1}/${sizeBytes}`;
      const response = await this.#request(path, signal, PART_TIMEOUT_MS, {
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream', 'content-range': range },
        body: part,
      });
      if (FINAL.has(response.status)) {
        this.#logRefusal(offer.file, response);
        return false;
      }
      if (response.status !== 200) throw new Error(`${response.status} ${response.text}`);
      this.stats.uploadedBytes += part.length;
      from += part.length;
    }
    return true;
  }

  #request(
    path: string,
    signal: AbortSignal,
    timeoutMs: number,
    init: Pick<HttpRequest, 'method' | 'headers' | 'body'>,
  ): Promise<HttpAnswer> {
    this.stats.requests++;
    return sendRequest(new URL(path, this.#base), {
      ...init,
      headers: {
        ...init.headers,
        'x-everflame-agent': this.#options.agentId,
        'x-everflame-host': this.#options.host.replace(/[^\x20-\x7e]/g, '?'),
      },
      signal,
      timeoutMs,
    });
  }

  /** One line for all that was sent since the last one. */
  #logSent(): void {
    const files = this.stats.uploadedFiles - this.#loggedFiles;
    if (files === 0) return;
    this.#loggedFiles = this.stats.uploadedFiles;
    this.#options.log('info', 'debug information sent', { files });
  }

  #logRefusal(file: string, { status, text }: { status: number; text: string }): void {
    const reason = `${status} ${text.slice(0, 500)}`;
    this.#options.log('error', 'the server refused debug information', { file, reason });
  }

  #settle(buildId: BuildId, how: 'uploadedFiles' | 'notWanted' | 'refused'): void {
    this.stats[how]++;
    this.#remember(buildId);
  }

  #remember(buildId: BuildId): void {
    this.#pending.delete(buildId);
    for (const oldest of this.#settled.keys()) {
      if (this.#settled.size < MAX_REMEMBERED) break;
      this.#settled.delete(oldest);
    }
    this.#settled.set(buildId, Date.now() + ASK_AGAIN_MS);
  }
}
