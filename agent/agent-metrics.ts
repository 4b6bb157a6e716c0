/** The agent's own figures for /metrics, read when they are asked for. */
import type { Meter } from '@opentelemetry/api';
import { LOST_PREFIX } from '../profile/window-counters.ts';
import type { DebuginfoUploaderStats } from './debuginfo-uploader.ts';

/** Sums over all windows since the start. */
export class AgentTotals {
  windows = 0;
  /** Windows whose counters do not add up: a fault of ours. */
  mismatches = 0;
  readonly counters = new Map<string, number>();

  add(counters: Readonly<Record<string, number>>): void {
    this.windows++;
    for (const [name, count] of Object.entries(counters)) {
      this.counters.set(name, (this.counters.get(name) ?? 0) + count);
    }
  }
}

export interface AgentFigures {
  totals: AgentTotals;
  /** Figures by name and their labels, as of now. */
  read(): AgentReading;
}

export interface AgentReading {
  cpus: number;
  processes: number;
  series: number;
  spoolBytes: number;
  requests: number;
  retries: number;
  sentBytes: number;
  sentSamples: number;
  /** After the window was put together, by reason: spool, rejected. */
  lostSamples: Readonly<Record<string, number>>;
  lostReports: number;
  malformedRecords: number;
  debuginfo: Readonly<DebuginfoUploaderStats>;
}

export function observeAgent(meter: Meter, figures: AgentFigures): void {
  const counter = (name: string, description: string, read: () => number) =>
    meter
      .createObservableCounter(`everflame_agent_${name}`, { description })
      .addCallback((result) => result.observe(read()));
  const gauge = (name: string, description: string, read: () => number) =>
    meter
      .createObservableGauge(`everflame_agent_${name}`, { description })
      .addCallback((result) => result.observe(read()));
  const { totals, read } = figures;
  observeDebuginfo(meter, () => read().debuginfo);
  counter('windows', 'Sampling windows ended.', () => totals.windows);
  counter('accounting_mismatches', 'Windows that do not add up.', () => totals.mismatches);
  counter('malformed_records', 'Records not understood.', () => read().malformedRecords);
  counter('requests', 'Requests sent.', () => read().requests);
  counter('retries', 'Requests that have to be repeated.', () => read().retries);
  counter('sent_bytes', 'Bytes of acknowledged bodies.', () => read().sentBytes);
  counter('acknowledged_samples', 'Samples the server has stored.', () => read().sentSamples);
  counter('lost_reports', 'Windows whose figures were given up.', () => read().lostReports);
  gauge('cpus', 'CPUs being sampled.', () => read().cpus);
  gauge('processes', 'Program images kept.', () => read().processes);
  gauge('series', 'Active series.', () => read().series);
  gauge('spool_bytes', 'Bytes waiting for the server.', () => read().spoolBytes);
  meter
    .createObservableCounter('everflame_agent_lost_samples', { description: 'Samples lost.' })
    .addCallback((result) => {
      for (const [reason, count] of Object.entries(read().lostSamples)) {
        result.observe(count, { reason });
      }
      for (const [name, count] of totals.counters) {
        const reason = name.slice(LOST_PREFIX.length);
        if (name.startsWith(LOST_PREFIX)) result.observe(count, { reason });
      }
    });
  meter
    .createObservableCounter('everflame_agent_figures', { description: "The windows' counters." })
    .addCallback((result) => {
      for (const [counterName, count] of totals.counters) {
        result.observe(count, { counter: counterName });
      }
    });
}

/** Binaries offered = those of every outcome + what still waits. */
function observeDebuginfo(meter: Meter, read: () => Readonly<DebuginfoUploaderStats>): void {
  const counter = (name: string, description: string) =>
    meter.createObservableCounter(`everflame_agent_debuginfo_${name}`, { description });
  counter('offered', 'Binaries whose debug information the server is asked about.').addCallback(
    (result) => result.observe(read().offered),
  );
  counter('bytes', 'Bytes of debug information acknowledged.').addCallback((result) =>
    result.observe(read().uploadedBytes),
  );
  counter('retries', 'Rounds of uploads that failed and are made again.').addCallback((result) =>
    result.observe(read().retries),
  );
  counter('binaries', 'Binaries by what became of them.').addCallback((result) => {
    const { uploadedFiles, notWanted, refused, vanished, withoutSymbols, unusable, dropped } =
      read();
    result.observe(uploadedFiles, { outcome: 'uploaded' });
    result.observe(notWanted, { outcome: 'not_wanted' });
    result.observe(refused, { outcome: 'refused' });
    result.observe(vanished, { outcome: 'vanished' });
    result.observe(withoutSymbols, { outcome: 'without_symbols' });
    result.observe(unusable, { outcome: 'unusable' });
    result.observe(dropped, { outcome: 'dropped' });
  });
}
