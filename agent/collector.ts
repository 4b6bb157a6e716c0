/**
 * Sampling as a sequence of windows with names, before anything is sent: drains on a timer, ends a
 * window every `windowMs`, and gives each out once the kernel is done with it.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from '../profile/errors.ts';
import type { Labels } from '../profile/select/labels.ts';
import { BUSY_CPU_NS } from '../profile/window-counters.ts';
import { Binaries } from './binaries.ts';
import { NamedFrames } from './frames.ts';
import { KernelFrames } from './kernel-frames.ts';
import { parseBusyNs } from './proc-files.ts';
import { ProcessTable } from './process-table.ts';
import { Sampler } from './sampler.ts';
import { SeriesLimit } from './series-labels.ts';
import { openVdso } from './vdso.ts';
import { assembleWindow, type WindowContent, type WindowTables } from './window.ts';

/**
 * How often records are taken from the kernel. Each time costs about 40 us; the longer it is, the
 * more short-lived processes are gone before /proc is read.
 */
const DRAIN_MS = 200;

export interface CollectedWindow {
  startMs: number;
  lengthMs: number;
  frequencyHz: number;
  content: WindowContent;
}

export interface CollectorOptions {
  frequencyHz: number;
  windowMs: number;
  host: string;
  /** Labels that the operator gave. */
  labels: Labels;
  onWindow: (window: CollectedWindow) => void;
}

interface Period {
  startMs: number;
  lengthMs: number;
  busyNs: number;
}

export class Collector {
  readonly sampler: Sampler;
  readonly tables: WindowTables;
  readonly #options: CollectorOptions;
  #timer: NodeJS.Timeout | null = null;
  #startMs = 0;
  #busyNs = 0;
  /** The window that was ended and is not given out yet. */
  #resting: Period | null = null;

  /** Loads the BPF program; nothing is sampled before `start`. */
  constructor(options: CollectorOptions) {
    this.#options = options;
    const { frequencyHz, windowMs, host, labels } = options;
    const frames = new NamedFrames();
    const shared = { frames, binaries: new Binaries(), vdso: openVdso(frames) };
    this.tables = {
      frames,
      kernel: new KernelFrames(frames),
      processes: new ProcessTable(shared),
      limit: new SeriesLimit(),
      host,
      ownLabels: labels,
    };
    this.sampler = new Sampler({
      frequencyHz,
      windowMs,
      drainMs: DRAIN_MS,
      onProcess: (record) => this.tables.processes.announce(record),
    });
  }

  start(): void {
    assert(this.#timer === null, 'a collector starts once');
    this.#begin(Date.now());
    this.sampler.followCpus();
    this.#timer = setInterval(() => this.#tick(), DRAIN_MS);
  }

  /** Ends sampling and the last window, and gives it out. */
  async stop(): Promise<void> {
    assert(this.#timer !== null, 'only a started collector stops');
    clearInterval(this.#timer);
    this.sampler.detach();
    while (!this.#finishResting()) await sleep(DRAIN_MS / 10);
    this.#end(Date.now());
    while (!this.#finishResting()) await sleep(DRAIN_MS / 10);
    this.sampler.close();
  }

  #begin(nowMs: number): void {
    this.#startMs = nowMs;
    this.#busyNs = readBusyNs();
  }

  #tick(): void {
    const isFree = this.#finishResting();
    const now = Date.now();
    // A clock that was set back must not make a window last for ever.
    const isOver = now - this.#startMs >= this.#options.windowMs || now < this.#startMs;
    if (isFree && isOver) {
      this.#end(now);
      this.sampler.followCpus();
    }
  }

  #end(nowMs: number): void {
    this.sampler.flip();
    const { windowMs } = this.#options;
    const lengthMs = nowMs < this.#startMs ? windowMs : Math.max(1, nowMs - this.#startMs);
    const busyBefore = this.#busyNs;
    const startMs = this.#startMs;
    this.#begin(nowMs);
    this.#resting = { startMs, lengthMs, busyNs: Math.max(0, this.#busyNs - busyBefore) };
  }

  /** Drains; true if no window waits any more for the kernel to be done with it. */
  #finishResting(): boolean {
    this.sampler.drain();
    if (this.#resting === null) return true;
    const rested = this.sampler.takeRested();
    if (rested === null) return false;
    const { startMs, lengthMs, busyNs } = this.#resting;
    this.#resting = null;
    const content = assembleWindow(rested, this.tables);
    content.counters[BUSY_CPU_NS] = busyNs;
    this.sampler.release();
    const { frequencyHz } = this.#options;
    this.#options.onWindow({ startMs, lengthMs, frequencyHz, content });
    return true;
  }
}

function readBusyNs(): number {
  return parseBusyNs(readFileSync('/proc/stat', 'utf8'));
}
