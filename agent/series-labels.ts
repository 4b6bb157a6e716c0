/** Which labels a process' samples get, and the bound on how many series a host may have. */
import { basename } from 'node:path';
import { MAX_LABEL_VALUE_BYTES, MAX_PROFILES_PER_REQUEST } from '../profile/limits.ts';
import type { Labels } from '../profile/select/labels.ts';
import type { Process } from './process.ts';

/** Active series of one host; each is a profile in every window's request. */
export const MAX_ACTIVE_SERIES = MAX_PROFILES_PER_REQUEST - 1;
/** A series that was not seen for so many windows makes room for others. */
const ACTIVE_WINDOWS = 60;
const OTHER = '[other]';
/** `service_name` of the kernel's own threads. */
const KERNEL_SERVICE = 'kernel';

/** What is known of a process, as far as labels go. */
export type Labelled = Pick<Process, 'comm' | 'exe' | 'cgroup' | 'kernelThread'>;

/**
 * Labels of one process. `service_name` is the operator's, else the systemd unit without
 * `.service`, else the basename of the executable, else the thread-group leader's name; kernel
 * threads are the service `kernel`.
 */
export function labelsOf(process: Labelled, host: string, own: Labels): Labels {
  const { comm, exe, cgroup, kernelThread } = process;
  const unit = cgroup.systemdUnit.replace(/\.service$/, '');
  const service = kernelThread ? KERNEL_SERVICE : unit || basename(exe) || comm;
  const labels: Record<string, string> = {
    service_name: service,
    host,
    comm,
    exe,
    container_id: cgroup.containerId,
    systemd_unit: cgroup.systemdUnit,
    ...own,
  };
  for (const [name, value] of Object.entries(labels)) {
    if (value === '') delete labels[name];
    else labels[name] = bounded(value);
  }
  return labels;
}

/** Names of processes and paths are any bytes: too long ones are cut at a character. */
function bounded(value: string): string {
  if (value.length * 3 <= MAX_LABEL_VALUE_BYTES) return value;
  const bytes = Buffer.from(value).subarray(0, MAX_LABEL_VALUE_BYTES);
  return bytes.toString('utf8').replace(/\ufffd+$/, '');
}

export interface AdmittedSeries {
  labels: Labels;
  /** `seriesText` of the labels. */
  text: string;
  /** Whether these are the labels of the series that all others share. */
  shared: boolean;
}

/** Lets at most MAX_ACTIVE_SERIES label sets through; the processes of all others share one. */
export class SeriesLimit {
  readonly #max: number;
  readonly #lastSeen = new Map<string, number>();
  /** What is known of a process changes with its name only. */
  readonly #ofProcess = new WeakMap<Labelled, { comm: string; labels: Labels; text: string }>();
  #window = 0;

  constructor(max: number = MAX_ACTIVE_SERIES) {
    this.#max = max;
  }

  get active(): number {
    return this.#lastSeen.size;
  }

  beginWindow(): void {
    this.#window++;
    for (const [text, window] of this.#lastSeen) {
      if (this.#window - window > ACTIVE_WINDOWS) this.#lastSeen.delete(text);
    }
  }

  /** The series of a process on `host`, whose operator gave the labels `own`. */
  admitProcess(process: Labelled, host: string, own: Labels): AdmittedSeries {
    let known = this.#ofProcess.get(process);
    if (known?.comm !== process.comm) {
      const labels = labelsOf(process, host, own);
      known = { comm: process.comm, labels, text: seriesText(labels) };
      this.#ofProcess.set(process, known);
    }
    return this.admit(known.labels, own, known.text);
  }

  /** The labels themselves, or those of the shared series. */
  admit(labels: Labels, own: Labels, text: string = seriesText(labels)): AdmittedSeries {
    if (this.#lastSeen.has(text) || this.#lastSeen.size < this.#max) {
      this.#lastSeen.set(text, this.#window);
      return { labels, text, shared: false };
    }
    const other = { service_name: OTHER, host: labels.host ?? '', ...own, comm: OTHER };
    return { labels: other, text: seriesText(other), shared: true };
  }
}

/** One text per label set; a Map key. */
function seriesText(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
