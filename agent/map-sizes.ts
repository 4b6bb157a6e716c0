/**
 * How large the BPF maps are: for what a window and a drain can bring, within one budget of locked
 * memory for all maps together.
 */

/** What all BPF maps together may lock, whatever the number of CPUs. */
export const MAX_MAP_BYTES = 48 * 2 ** 20;
/** A bucket of a stack map: 127 program counters, hash, length, free-list link; its table slot. */
const STACK_BUCKET_BYTES = 127 * 8 + 16 + 8;
const MIN_STACKS = 1_024;
const MAX_KERNEL_STACKS = 4_096;
const MAX_USER_STACKS = 16_384;
/** Buckets per expected sample: at two, one new stack in eight at most meets a used bucket. */
const BUCKETS_PER_SAMPLE = 2;
/** 64 bytes and a header of 8, rounded up for the samples that carry whole stacks. */
const RECORD_BYTES = 128;
/** Drains that may be late in a row before the ring is full. */
const DRAINS_HELD = 32;
const MIN_RING_BYTES = 2 ** 18;
const MAX_RING_BYTES = 2 ** 22;

export interface MapSizes {
  kernelStacks: number;
  userStacks: number;
  ringBytes: number;
}

export interface Load {
  cpus: number;
  frequencyHz: number;
  windowMs: number;
  drainMs: number;
}

export function chooseMapSizes(load: Load): MapSizes {
  const perSecond = load.cpus * load.frequencyHz;
  const wanted = BUCKETS_PER_SAMPLE * perSecond * (load.windowMs / 1000);
  const ring = perSecond * (load.drainMs / 1000) * RECORD_BYTES * DRAINS_HELD;
  return {
    // About half of the samples are in user code and have no kernel stack.
    kernelStacks: powerOfTwo(wanted / 2, MIN_STACKS, MAX_KERNEL_STACKS),
    userStacks: powerOfTwo(wanted, MIN_STACKS, MAX_USER_STACKS),
    ringBytes: powerOfTwo(ring, MIN_RING_BYTES, MAX_RING_BYTES),
  };
}

/** Bytes that stack maps and ring lock; the other maps need less than 2 MB. */
export function mapBytes(sizes: MapSizes): number {
  return 2 * (sizes.kernelStacks + sizes.userStacks) * STACK_BUCKET_BYTES + sizes.ringBytes;
}

function powerOfTwo(wanted: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, 2 ** Math.ceil(Math.log2(Math.max(wanted, 1)))));
}
