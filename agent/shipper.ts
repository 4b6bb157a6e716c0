/**
 * Sends parcels to the server in order, and keeps them in bounded memory while it is away. What is
 * given up is booked in its window's counters, and the window is reported with the next request.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LOST_PREFIX } from '../profile/window-counters.ts';
import { type HttpAnswer, requestFailure, sendRequest } from './http-request.ts';
import type { Log } from './log.ts';
import { bookLoss, type Parcel, type PendingWindow, type Reporter, sealParcel } from './parcel.ts';

const PATH = 'api/profiles/writeraw';
const REQUEST_TIMEOUT_MS = 30_000;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;
/** A server that asks for more is asked again after this. */
const MAX_RETRY_AFTER_MS = 300_000;
/** Answers that no retry changes. */
const FINAL = new Set([400, 413, 415, 422]);
const MAX_REASON_LENGTH = 500;
/** A day of windows of 10 s; more reports of given-up windows show as gaps in the numbers. */
const MAX_UNREPORTED = 8_640;

export interface ShipperOptions {
  server: URL;
  reporter: Reporter;
  spoolBytes: number;
  log: Log;
  firstBackoffMs?: number;
}

export interface ShipperStats {
  requests: number;
  retries: number;
  sentParcels: number;
  sentSamples: number;
  sentBytes: number;
  lostSamples: { spool: number; rejected: number };
  lostReports: number;
}

type Outcome =
  | { kind: 'stored' }
  | { kind: 'rejected'; reason: string }
  | { kind: 'retry'; reason: string; afterMs: number | null };

export class Shipper {
  readonly stats: ShipperStats = {
    requests: 0,
    retries: 0,
    sentParcels: 0,
    sentSamples: 0,
    sentBytes: 0,
    lostSamples: { spool: 0, rejected: 0 },
    lostReports: 0,
  };
  readonly #options: ShipperOptions;
  readonly #url: URL;
  readonly #spool: Parcel[] = [];
  #spoolBytes = 0;
  /** Windows whose own request never arrived; their counters say why. */
  #unreported: PendingWindow[] = [];
  #sending: Promise<void> | null = null;
  readonly #stop = new AbortController();
  /** Ends the current wait before a retry. */
  #wake = new AbortController();

  constructor(options: ShipperOptions) {
    this.#options = options;
    const base = options.server.href.endsWith('/')
      ? options.server.href
      : `${options.server.href}/`;
    this.#url = new URL(PATH, base);
  }

  get spooledBytes(): number {
    return this.#spoolBytes;
  }

  get spooledParcels(): number {
    return this.#spool.length;
  }

  /** Takes a window's parcels; returns at once. */
  enqueue(parcels: readonly Parcel[]): void {
    for (const parcel of parcels) {
      this.#spool.push(parcel);
      this.#spoolBytes += parcel.series.length;
    }
    this.#boundSpool();
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
  }

  /** Sends what is left, at most for so long; then stops. Returns samples that were left. */
  async close(deadlineMs: number): Promise<number> {
    this.#wake.abort();
    this.#wake = new AbortController();
    const timer = setTimeout(() => this.#stop.abort(), deadlineMs);
    await this.#sending;
    clearTimeout(timer);
    return this.#spool.reduce((sum, parcel) => sum + parcel.samples, 0);
  }

  /**
   * Drops the oldest parcels over the bound, but never the one being sent: it may have been stored
   * already, and would be counted twice.
   */
  #boundSpool(): void {
    while (this.#spoolBytes > this.#options.spoolBytes && this.#spool.length > 1) {
      const [parcel] = this.#spool.splice(1, 1);
      if (parcel !== undefined) this.#giveUp(parcel, 'spool');
    }
  }

  #giveUp(parcel: Parcel, reason: 'spool' | 'rejected'): void {
    bookLoss(parcel, reason);
    this.stats.lostSamples[reason] += parcel.samples;
    this.#leave(parcel);
    const { counters, seq } = parcel.window.report;
    if (parcel.carriesReport) {
      this.#reportLater([...(parcel.sealed?.others ?? []), parcel.window]);
    }
    const lost = `${LOST_PREFIX}${reason}`;
    this.#options.log('warn', 'samples given up', { seq, [lost]: counters[lost] ?? 0 });
  }

  #leave(parcel: Parcel): void {
    parcel.window.openParcels--;
    this.#spoolBytes -= parcel.series.length;
  }

  #reportLater(windows: readonly PendingWindow[]): void {
    this.#unreported.push(...windows);
    const excess = this.#unreported.length - MAX_UNREPORTED;
    if (excess <= 0) return;
    this.#unreported.splice(0, excess);
    this.stats.lostReports += excess;
  }

  async #sendAll(): Promise<void> {
    let backoffMs = this.#options.firstBackoffMs ?? FIRST_BACKOFF_MS;
    while (this.#spool.length > 0 && !this.#stop.signal.aborted) {
      const parcel = this.#spool[0] as Parcel;
      const outcome = await this.#send(parcel);
      if (outcome.kind === 'retry') {
        this.stats.retries++;
        const waitMs = outcome.afterMs ?? backoffMs * (0.5 + Math.random() / 2);
        this.#options.log('warn', 'the server does not take profiles; they are kept', {
          reason: outcome.reason,
          retry_ms: Math.round(waitMs),
          spool_bytes: this.#spoolBytes,
        });
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
        await this.#pause(waitMs);
        continue;
      }
      this.#spool.shift();
      backoffMs = this.#options.firstBackoffMs ?? FIRST_BACKOFF_MS;
      if (outcome.kind === 'stored') this.#acknowledge(parcel);
      else this.#reject(parcel, outcome.reason);
    }
  }

  #acknowledge(parcel: Parcel): void {
    this.stats.sentParcels++;
    this.stats.sentSamples += parcel.samples;
    this.stats.sentBytes += parcel.sealed?.body.length ?? 0;
    this.#leave(parcel);
  }

  #reject(parcel: Parcel, reason: string): void {
    this.#options.log('error', 'the server refused profiles for good', { reason });
    this.#giveUp(parcel, 'rejected');
  }

  async #send(parcel: Parcel): Promise<Outcome> {
    const body = parcel.sealed?.body ?? this.#seal(parcel);
    this.stats.requests++;
    try {
      const answer = await sendRequest(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
        body,
        timeoutMs: REQUEST_TIMEOUT_MS,
        signal: this.#stop.signal,
      });
      return outcomeOf(answer);
    } catch (error) {
      return { kind: 'retry', reason: requestFailure(error), afterMs: null };
    }
  }

  #seal(parcel: Parcel): Uint8Array {
    const others = parcel.carriesReport
      ? this.#unreported.filter((window) => window.openParcels === 0)
      : [];
    this.#unreported = this.#unreported.filter((window) => !others.includes(window));
    return sealParcel(parcel, this.#options.reporter, others);
  }

  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#wake.signal]);
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function outcomeOf({ status, text, retryAfter }: HttpAnswer): Outcome {
  if (status >= 200 && status < 300) return { kind: 'stored' };
  const reason = `${status} ${text.slice(0, MAX_REASON_LENGTH)}`;
  if (FINAL.has(status)) return { kind: 'rejected', reason };
  return { kind: 'retry', reason, afterMs: retryAfterMs(retryAfter) };
}

/** RFC 9110, 10.2.3: seconds or a date. */
export function retryAfterMs(value: string | null, now = Date.now()): number | null {
  if (value === null) return null;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
