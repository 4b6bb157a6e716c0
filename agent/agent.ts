/** The agent: windows of samples, packed and shipped, until it is told to stop. */
import { hostname, release } from 'node:os';
import { basename } from 'node:path';
import type { Meter } from '@opentelemetry/api';
import type { Labels } from '../profile/select/labels.ts';
import { unaccounted } from '../profile/window-counters.ts';
import { readAgentId } from './agent-id.ts';
import { AgentTotals, observeAgent } from './agent-metrics.ts';
import type { Binary } from './binaries.ts';
import { type CollectedWindow, Collector } from './collector.ts';
import { createDebuginfoUploader, type DebuginfoUploader } from './debuginfo-uploader.ts';
import type { Log } from './log.ts';
import { packWindow, type Reporter } from './parcel.ts';
import { checkPrivileges } from './privileges.ts';
import { Shipper } from './shipper.ts';

/** What the last window and the spool get after the signal to stop. */
const FLUSH_MS = 5_000;

export interface AgentOptions {
  server: URL;
  frequencyHz: number;
  windowMs: number;
  /** Added to every series; one of the agent's own names replaces what it would say. */
  labels: Labels;
  spoolBytes: number;
  /** Of debug information, per window; 0 = none is sent. */
  uploadBytes: number;
  version: string;
  /** Null where nobody asks for figures. */
  meter: Meter | null;
  log: Log;
  /** Ends the agent after what it has was sent. */
  signal: AbortSignal;
}

/** Runs until the signal. Throws at once where it may not or cannot sample. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { log, signal } = options;
  for (const warning of checkPrivileges()) log('warn', warning);
  const agent = new Agent(options);
  await agent.run(signal);
}

class Agent {
  readonly #options: AgentOptions;
  readonly #reporter: Reporter;
  readonly #collector: Collector;
  readonly #shipper: Shipper;
  readonly #uploader: DebuginfoUploader;
  readonly #totals = new AgentTotals();
  #seq = 0;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { frequencyHz, windowMs, labels, server, spoolBytes, log } = options;
    const host = labels.host ?? hostname();
    this.#reporter = {
      agentId: readAgentId(host),
      agentVersion: options.version,
      host,
      kernel: release(),
    };
    const onWindow = (window: CollectedWindow) => this.#onWindow(window);
    this.#collector = new Collector({ frequencyHz, windowMs, host, labels, onWindow });
    this.#shipper = new Shipper({ server, reporter: this.#reporter, spoolBytes, log });
    this.#uploader = createDebuginfoUploader({
      server,
      agentId: this.#reporter.agentId,
      host,
      budgetBytes: options.uploadBytes,
      windowMs,
      log,
    });
    if (options.meter !== null) this.#observe(options.meter);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, frequencyHz, server } = this.#options;
    this.#collector.start();
    const { cpus } = this.#collector.sampler;
    log('info', 'sampling', { cpus, frequency_hz: frequencyHz, server: server.href });
    if (this.#collector.tables.kernel.hidden) {
      log('warn', 'kernel addresses are hidden; CAP_SYSLOG or kernel.kptr_restrict=1 shows them');
    }
    // Uploads for as long as there is sampling; it never rejects.
    await this.#uploader.run(signal);
    await this.#collector.stop();
    const left = await this.#shipper.close(FLUSH_MS);
    const { windows } = this.#totals;
    if (left > 0) log('error', 'stopped with unsent samples', { windows, samples: left });
    else log('info', 'stopped', { windows });
  }

  #onWindow({ startMs, lengthMs, frequencyHz, content }: CollectedWindow): void {
    const { counters, series, binaries } = content;
    this.#offer(binaries);
    this.#totals.add(counters);
    const mismatch = unaccounted(counters);
    if (mismatch !== 0) {
      this.#totals.mismatches++;
      const fields = { seq: this.#seq + 1, unaccounted: mismatch };
      this.#options.log('error', 'a window does not add up', fields);
    }
    this.#seq++;
    const report = { seq: this.#seq, startMs, lengthMs, frequencyHz, counters };
    const times = { startMs, lengthMs, periodNs: Math.round(1e9 / frequencyHz) };
    this.#shipper.enqueue(packWindow(report, series, times));
  }

  /** Lets the server ask for the symbols of what was running. */
  #offer(binaries: ReadonlySet<Binary>): void {
    if (this.#options.uploadBytes === 0) return;
    for (const { buildId, mapping, openPath, sizeBytes } of binaries) {
      const file = basename(mapping.file);
      // The process may be gone by then; outside of containers the file has the same path here.
      const paths = [openPath, mapping.file];
      this.#uploader.offer({ buildId, paths, file, sizeBytes });
    }
  }

  #observe(meter: Meter): void {
    const { sampler, tables } = this.#collector;
    const shipper = this.#shipper;
    observeAgent(meter, {
      totals: this.#totals,
      read: () => ({
        cpus: sampler.cpus,
        processes: tables.processes.size,
        series: tables.limit.active,
        spoolBytes: shipper.spooledBytes,
        requests: shipper.stats.requests,
        retries: shipper.stats.retries,
        sentBytes: shipper.stats.sentBytes,
        sentSamples: shipper.stats.sentSamples,
        lostSamples: shipper.stats.lostSamples,
        lostReports: shipper.stats.lostReports,
        malformedRecords: sampler.malformedRecords,
        debuginfo: this.#uploader.stats,
      }),
    });
  }
}
