/** The program images that were sampled lately, bounded, and forgotten when they are gone. */
import { type HostTables, Process } from './process.ts';
import type { ImageKey, ProcessRecord } from './sample-record.ts';
import { imageText } from './stack-sums.ts';

/** More are in use at a time only on hosts that start thousands a minute. */
const MAX_PROCESSES = 8_192;
/** A process that is not sampled for so long is forgotten; if it comes again it is read again. */
const MAX_IDLE_WINDOWS = 30;
/**
 * After so long, one that is gone is forgotten at once. Its last samples have come by then: they
 * may be two windows late, where it was announced while a window was put together.
 */
const GONE_WINDOWS = 3;

interface Entry {
  process: Process;
  /** The window in which it was last used. */
  window: number;
}

export class ProcessTable {
  readonly #host: HostTables;
  readonly #known = new Map<string, Entry>();
  #window = 0;

  constructor(host: HostTables) {
    this.#host = host;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Reads /proc at once: a short-lived process may be gone a moment later. */
  announce(record: ProcessRecord): void {
    const text = imageText(record);
    if (this.#known.has(text) || this.#ending(record) !== null) return;
    this.#add(text, record, record);
  }

  /** The process of a sample in the window that is being put together. */
  use(key: ImageKey): Process {
    const text = imageText(key);
    const entry = this.#known.get(text) ?? this.#ending(key) ?? this.#add(text, key, null);
    if (entry.window !== this.#window) {
      entry.window = this.#window;
      entry.process.beginWindow();
    }
    return entry.process;
  }

  /** A process that has let go of its memory while it exits is still the process it was. */
  #ending(key: ImageKey): Entry | null {
    if (key.image !== 0n) return null;
    for (const entry of this.#known.values()) {
      const known = entry.process.key;
      if (known.tgid === key.tgid && known.startNs === key.startNs) return entry;
    }
    return null;
  }

  beginWindow(): void {
    this.#window++;
    for (const [text, { window, process }] of this.#known) {
      const idle = this.#window - window;
      const isOver = idle > MAX_IDLE_WINDOWS || (idle === GONE_WINDOWS && process.isGone);
      if (isOver) this.#known.delete(text);
    }
  }

  #add(text: string, key: ImageKey, record: ProcessRecord | null) {
    const { tgid, startNs, image } = key;
    const process = new Process({ tgid, startNs, image }, record, this.#host);
    const entry = { process, window: this.#window };
    this.#known.set(text, entry);
    if (this.#known.size > MAX_PROCESSES) {
      const oldest = this.#known.keys().next();
      if (oldest.done !== true) this.#known.delete(oldest.value);
    }
    return entry;
  }
}
