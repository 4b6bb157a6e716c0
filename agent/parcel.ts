/**
 * A window as requests: series packed into bodies below the server's limit, the counters in one of
 * them. A body is sealed when it is sent first, so that every retry is the same bytes.
 */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { assert } from '../profile/errors.ts';
import { MAX_BODY_BYTES, MAX_PROFILES_PER_REQUEST } from '../profile/limits.ts';
import { LOST_PREFIX, SENT } from '../profile/window-counters.ts';
import { encodeWriteRaw, type RawSeries, type ReportWindow } from '../wire/write-raw.ts';
import type { ProfileTimes } from './series-profile.ts';
import type { WindowSeries } from './window.ts';

/**
 * At once: handing a window of 30 kB to a thread and back costs more than its 0.4 ms. Ids and
 * counts hardly compress: level 6 takes three times as long to save 2 %.
 */
function compress(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes, { level: 1 });
}

/** Before gzip, which never doubles a body: so no sealed body reaches the server's limit. */
const MAX_PACKED_BYTES = MAX_BODY_BYTES / 2;

/** Who reports; the same in all requests of one run. */
export interface Reporter {
  agentId: string;
  agentVersion: string;
  host: string;
  kernel: string;
}

/** A window that some request has to report. */
export interface PendingWindow {
  report: ReportWindow;
  /** Its parcels that are neither acknowledged nor given up yet. */
  openParcels: number;
}

export interface Parcel {
  batchId: string;
  /** Sampled events in its profiles. */
  samples: number;
  window: PendingWindow;
  /** Whether the window's counters travel in this parcel; it is the last of its window. */
  carriesReport: boolean;
  /** gzip of the request without its report; a body may consist of several gzip members. */
  series: Uint8Array;
  /** The whole body and the other windows it reports, once it has been sent. */
  sealed: { body: Uint8Array; others: PendingWindow[] } | null;
}

/** The last parcel carries the counters: what happens to the others is known by then. */
export function packWindow(
  report: ReportWindow,
  series: readonly WindowSeries[],
  times: ProfileTimes,
  maxBytes: number = MAX_PACKED_BYTES,
): Parcel[] {
  const groups = groupBySize(series, times, maxBytes);
  const window: PendingWindow = { report, openParcels: groups.length };
  const parcels: Parcel[] = [];
  for (const [index, { rows, samples }] of groups.entries()) {
    const request = { tenant: '', series: rows, normalized: true, report: null };
    parcels.push({
      batchId: randomBytes(16).toString('hex'),
      samples,
      window,
      carriesReport: index === groups.length - 1,
      series: compress(encodeWriteRaw(request)),
      sealed: null,
    });
  }
  return parcels;
}

interface Group {
  rows: RawSeries[];
  samples: number;
  bytes: number;
}

/** At least one group, so that a window without samples reports its counters too. */
function groupBySize(
  series: readonly WindowSeries[],
  times: ProfileTimes,
  maxBytes: number,
): Group[] {
  let group: Group = { rows: [], samples: 0, bytes: 0 };
  const groups = [group];
  for (const { labels, profile } of series) {
    const pprof = profile.encode(times);
    const isFull = group.bytes + pprof.length > maxBytes && group.rows.length > 0;
    if (isFull || group.rows.length === MAX_PROFILES_PER_REQUEST) {
      group = { rows: [], samples: 0, bytes: 0 };
      groups.push(group);
    }
    const pairs = Object.entries(labels).map(([name, value]) => ({ name, value }));
    group.rows.push({ labels: pairs, profiles: [pprof] });
    group.samples += profile.samples;
    group.bytes += pprof.length;
  }
  return groups;
}

/** The body to send: protobuf messages, and gzip members, may be written one after the other. */
export function sealParcel(
  parcel: Parcel,
  reporter: Reporter,
  others: PendingWindow[],
): Uint8Array {
  assert(parcel.sealed === null, 'a parcel is sealed once');
  assert(parcel.carriesReport || others.length === 0, 'reports travel with their own window');
  const windows = parcel.carriesReport ? [...others, parcel.window] : [];
  const report = {
    batchId: parcel.batchId,
    ...reporter,
    windows: windows.map((window) => window.report),
  };
  const request = { tenant: '', series: [], normalized: true, report };
  const body = Buffer.concat([parcel.series, compress(encodeWriteRaw(request))]);
  parcel.sealed = { body, others };
  return body;
}

/** Moves a parcel's samples from `sent` to a loss in its window's counters. */
export function bookLoss(parcel: Parcel, reason: 'spool' | 'rejected'): void {
  const { counters } = parcel.window.report;
  const sent = counters[SENT] ?? 0;
  assert(sent >= parcel.samples, 'a parcel is lost once, and is part of its window');
  counters[SENT] = sent - parcel.samples;
  const name = `${LOST_PREFIX}${reason}`;
  counters[name] = (counters[name] ?? 0) + parcel.samples;
}
