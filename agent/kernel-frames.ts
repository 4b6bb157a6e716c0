/** Kernel stacks -> named frames by /proc/kallsyms, read again when something was loaded. */
import { closeSync, openSync, readSync } from 'node:fs';
import { KERNEL_MAPPING } from '../profile/flame/frame.ts';
import { MAX_KALLSYMS_BYTES } from '../profile/limits.ts';
import { type Kallsyms, parseKallsyms } from '../symbolizer/host/kallsyms.ts';
import type { Frame, NamedFrames } from './frames.ts';

const KALLSYMS = '/proc/kallsyms';
/** Reading takes about 50 ms; an address that stays unknown must not cost that every window. */
const MIN_RELOAD_MS = 60_000;
const MAX_RELOAD_MS = 3_600_000;

export class KernelFrames {
  readonly #frames: NamedFrames;
  readonly #read: () => Uint8Array;
  readonly #now: () => number;
  #symbols: Kallsyms;
  #loadedMs: number;
  #reloadMs = MIN_RELOAD_MS;

  constructor(
    frames: NamedFrames,
    read: () => Uint8Array = readKallsyms,
    now: () => number = Date.now,
  ) {
    this.#frames = frames;
    this.#read = read;
    this.#now = now;
    this.#symbols = parseKallsyms(read());
    this.#loadedMs = now();
  }

  /** No addresses are shown to us, so no kernel frame gets a name. */
  get hidden(): boolean {
    return this.#symbols.restricted;
  }

  /** Program counters, leaf first -> frames, leaf first. All but the leaf are return addresses. */
  resolve(stack: BigUint64Array): Frame[] {
    // As pairs of words: a 64-bit integer in JavaScript is an object.
    const words = new Uint32Array(stack.buffer, stack.byteOffset, 2 * stack.length);
    const frames = new Array<Frame>(stack.length);
    for (let i = 0; i < stack.length; i++) {
      const low = words[2 * i] as number;
      const high = words[2 * i + 1] as number;
      if (i === 0) frames[i] = this.#frame(high, low);
      else frames[i] = this.#frame(low === 0 ? high - 1 : high, low - 1);
    }
    return frames;
  }

  /** `low` may be -1: only its 32 bits count. */
  #frame(high: number, low: number): Frame {
    if (this.hidden) return this.#frames.unknown('kernel addresses hidden', KERNEL_MAPPING);
    let symbol = this.#symbols.lookup(high, low);
    if (symbol === null && this.#reload()) symbol = this.#symbols.lookup(high, low);
    if (symbol === null) return this.#frames.unknown('no kernel symbol', KERNEL_MAPPING);
    return this.#frames.get(symbol.mapping, symbol.name);
  }

  /** A module or BPF program may have come; waits twice as long each time in vain. */
  #reload(): boolean {
    const now = this.#now();
    if (now - this.#loadedMs < this.#reloadMs) return false;
    const before = this.#symbols.count;
    this.#symbols = parseKallsyms(this.#read());
    this.#loadedMs = now;
    const changed = this.#symbols.count !== before;
    this.#reloadMs = changed ? MIN_RELOAD_MS : Math.min(this.#reloadMs * 2, MAX_RELOAD_MS);
    return true;
  }
}

/**
 * A file under /proc has no size to go by. Read into one buffer whose pages are taken as they fill,
 * and copied to its length: pieces put together would stay behind as 10 MB of holes in the heap.
 */
function readKallsyms(): Uint8Array {
  const buffer = new Uint8Array(new ArrayBuffer(MAX_KALLSYMS_BYTES));
  const fd = openSync(KALLSYMS, 'r');
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, null);
    }
    return buffer.slice(0, length);
  } finally {
    closeSync(fd);
  }
}
