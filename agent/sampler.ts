/**
 * Sampling of the whole machine: loads the BPF program, keeps one clock event per online CPU,
 * drains records and hands over the sums of one window after the other. Knows nothing of processes.
 */
import { fileURLToPath } from 'node:url';
import { assert, EverflameError } from '../profile/errors.ts';
import { readOnlineCpus } from './cpu-list.ts';
import { type BpfObject, Errno, Libbpf, type PerfEvent, SystemCallError } from './libbpf.ts';
import { chooseMapSizes } from './map-sizes.ts';
import { RingBuffer } from './ring-buffer.ts';
import {
  COUNTERS_BYTES,
  type Counters,
  MAX_FRAMES,
  type ProcessRecord,
  type RecordHandler,
  readRecord,
  SIDES,
  sumCounters,
} from './sample-record.ts';
import { FIRST_WHOLE_STACK, StackSums } from './stack-sums.ts';

/** Beside this module, in the source as in dist/ (agent/bpf/Makefile). */
const OBJECT_PATH = fileURLToPath(new URL('./bpf/sampler.bpf.o', import.meta.url));
/** After so many a run that has not brought its record is given up; see `takeRested`. */
const MAX_RESTING_DRAINS = 50;

export interface SamplerOptions {
  frequencyHz: number;
  windowMs: number;
  drainMs: number;
  /** Called while draining, before any sample of the image. */
  onProcess: (record: ProcessRecord) => void;
}

export type Domain = 'kernel' | 'user';

/** A window whose side nobody writes any more. */
export interface RestedWindow {
  sums: StackSums;
  counters: Counters;
  /** Runs of the program that neither brought a record nor found the ring full. */
  lostRead: number;
  /**
   * Program counters of a stack of this window, leaf first; null if the map has lost it. They are
   * good until the next call.
   */
  readStack(domain: Domain, stack: number): BigUint64Array | null;
}

interface Side {
  key: Uint8Array;
  kernelFd: number;
  userFd: number;
  /** Ids that were read since the maps were emptied. */
  read: Record<Domain, Set<number>>;
  sums: StackSums;
  /** As of the end of the side's last window; the kernel's are never reset. */
  counted: Counters;
}

export class Sampler {
  /** Records of a kind or length that no BPF object of this version writes. */
  malformedRecords = 0;
  readonly #bpf: Libbpf;
  readonly #object: BpfObject;
  readonly #program: bigint;
  readonly #ring: RingBuffer;
  readonly #countersFd: number;
  readonly #controlFd: number;
  readonly #countersValue: Uint8Array;
  /** Key and value of a look-up in a stack map, used again and again. */
  readonly #keyWord = new Uint32Array(1);
  readonly #key = new Uint8Array(this.#keyWord.buffer);
  readonly #stack = new BigUint64Array(MAX_FRAMES);
  readonly #stackBytes = new Uint8Array(this.#stack.buffer);
  readonly #sides: [Side, Side];
  readonly #frequencyHz: number;
  readonly #events = new Map<number, PerfEvent>();
  readonly #handler: RecordHandler;
  #active: 0 | 1 = 0;
  /** Drains since the flip; null while no side rests. */
  #restingDrains: number | null = null;

  constructor(options: SamplerOptions) {
    this.#bpf = new Libbpf();
    this.#frequencyHz = options.frequencyHz;
    const possible = this.#bpf.possibleCpus();
    const sizes = chooseMapSizes({ cpus: possible, ...options });
    this.#object = this.#bpf.openObject(OBJECT_PATH);
    for (const side of ['0', '1']) {
      this.#object.setMaxEntries(`kernel_stacks_${side}`, sizes.kernelStacks);
      this.#object.setMaxEntries(`user_stacks_${side}`, sizes.userStacks);
    }
    this.#object.setMaxEntries('records', sizes.ringBytes);
    this.#load();
    this.#program = this.#object.program('sample_cpu');
    this.#countersFd = this.#object.mapFd('counters');
    this.#controlFd = this.#object.mapFd('control');
    this.#countersValue = new Uint8Array(possible * COUNTERS_BYTES);
    this.#sides = [this.#openSide(0), this.#openSide(1)];
    this.#ring = this.#openRing(sizes.ringBytes);
    this.#handler = {
      onSample: (sample) => this.#sides[sample.side === 0 ? 0 : 1].sums.add(sample),
      onProcess: options.onProcess,
    };
  }

  get cpus(): number {
    return this.#events.size;
  }

  /** Attaches to CPUs that came online and lets go of those that went. */
  followCpus(): void {
    const online = new Set(readOnlineCpus());
    for (const [cpu, event] of this.#events) {
      if (online.has(cpu)) continue;
      this.#bpf.detach(event);
      this.#events.delete(cpu);
    }
    for (const cpu of online) {
      if (!this.#events.has(cpu)) this.#attach(cpu);
    }
  }

  #attach(cpu: number): void {
    try {
      this.#events.set(cpu, this.#bpf.attachCpuClock(this.#program, cpu, this.#frequencyHz));
    } catch (error) {
      // The CPU went offline between the reading of the list and now.
      if (error instanceof SystemCallError && error.errno === Errno.ENODEV) return;
      throw error;
    }
  }

  /** Moves what the kernel has written into the sums. */
  drain(): void {
    this.#ring.drain((words, offset, length) => {
      try {
        readRecord(words, offset, length, this.#handler);
      } catch (error) {
        if (!(error instanceof EverflameError)) throw error;
        this.malformedRecords++;
      }
    });
    if (this.#restingDrains !== null) this.#restingDrains++;
  }

  /** Ends the window: samples go to the other side from now on. */
  flip(): void {
    assert(this.#restingDrains === null, 'the other side has been taken before the next flip');
    this.#active = this.#active === 0 ? 1 : 0;
    this.#bpf.update(this.#controlFd, u32(0), u32(this.#active));
    this.#restingDrains = 0;
  }

  /**
   * The window before the flip, once every run of the program on its side has been accounted for;
   * else null, and another drain is needed. A run counts itself before it touches its side, so
   * equal figures mean that nobody uses the side. On a host that is stolen its CPUs for long, a run
   * may be late without bound: then it is given up as `lostRead`, and its record counts when it
   * comes.
   */
  takeRested(): RestedWindow | null {
    if (this.#restingDrains === null || this.#restingDrains === 0) return null;
    const side = this.#sides[this.#active === 0 ? 1 : 0];
    const now = this.#readCounters(side);
    const counters = {
      sampled: now.sampled - side.counted.sampled,
      ringFull: now.ringFull - side.counted.ringFull,
      processRingFull: now.processRingFull - side.counted.processRingFull,
    };
    const missing = counters.sampled - counters.ringFull - side.sums.samples;
    if (missing > 0 && this.#restingDrains < MAX_RESTING_DRAINS) return null;
    // A record that comes after its run was given up makes a sample of its own.
    if (missing < 0) counters.sampled -= missing;
    const sums = side.sums;
    side.sums = new StackSums();
    side.counted = now;
    return {
      sums,
      counters,
      lostRead: Math.max(missing, 0),
      readStack: (domain, stack) =>
        stack >= FIRST_WHOLE_STACK ? sums.wholeStack(stack) : this.#readStack(side, domain, stack),
    };
  }

  /** Empties the side that `takeRested` gave; its `readStack` must not be used any more. */
  release(): void {
    const side = this.#sides[this.#active === 0 ? 1 : 0];
    this.#empty(side.kernelFd, side.read.kernel);
    this.#empty(side.userFd, side.read.user);
    side.read.kernel.clear();
    side.read.user.clear();
    this.#restingDrains = null;
  }

  /** Detaches from all CPUs: nothing is sampled any more, and what was can still be drained. */
  detach(): void {
    for (const event of this.#events.values()) this.#bpf.detach(event);
    this.#events.clear();
  }

  close(): void {
    this.detach();
    this.#object.close();
  }

  #load(): void {
    try {
      this.#object.load();
    } catch (cause) {
      throw new EverflameError('unavailable', `${(cause as Error).message}`, {
        cause,
        remedy: `libbpf says:\n${this.#bpf.log.join('\n')}`,
      });
    }
  }

  #openSide(side: 0 | 1): Side {
    return {
      key: u32(side),
      kernelFd: this.#object.mapFd(`kernel_stacks_${side}`),
      userFd: this.#object.mapFd(`user_stacks_${side}`),
      read: { kernel: new Set(), user: new Set() },
      sums: new StackSums(),
      counted: { sampled: 0, ringFull: 0, processRingFull: 0 },
    };
  }

  #openRing(sizeBytes: number): RingBuffer {
    const fd = this.#object.mapFd('records');
    const pageBytes = this.#bpf.pageBytes();
    return new RingBuffer({
      consumer: this.#bpf.map(fd, pageBytes, 0, true),
      producer: this.#bpf.map(fd, pageBytes + 2 * sizeBytes, pageBytes, false),
      pageBytes,
      sizeBytes,
    });
  }

  #readCounters(side: Side): Counters {
    const found = this.#bpf.lookup(this.#countersFd, side.key, this.#countersValue);
    assert(found, 'an array map has all its keys');
    return sumCounters(new DataView(this.#countersValue.buffer));
  }

  #readStack(side: Side, domain: Domain, stack: number): BigUint64Array | null {
    const fd = domain === 'kernel' ? side.kernelFd : side.userFd;
    side.read[domain].add(stack);
    if (!this.#bpf.lookup(fd, this.#keyOf(stack), this.#stackBytes)) return null;
    const depth = this.#stack.indexOf(0n);
    return depth < 0 ? this.#stack : this.#stack.subarray(0, depth);
  }

  /** Also finds the stacks of samples whose record was lost, which nobody has read. */
  #empty(fd: number, read: ReadonlySet<number>): void {
    for (const stack of read) this.#bpf.delete(fd, this.#keyOf(stack));
    const key = this.#key;
    while (this.#bpf.nextKey(fd, null, key)) this.#bpf.delete(fd, key);
  }

  #keyOf(stack: number): Uint8Array {
    this.#keyWord[0] = stack;
    return this.#key;
  }
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

assert(SIDES === 2, 'the sampler flips between two sides');
