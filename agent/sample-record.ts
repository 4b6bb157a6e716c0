/** Decodes what agent/bpf/sampler.h lays out; the only place that knows its offsets. */
import { EverflameError } from '../profile/errors.ts';

export const MAX_FRAMES = 127;
export const SIDES = 2;

/** Values of a stack that is no id in a stack map. */
export const STACK_NONE = -1;
export const STACK_WHOLE = -2;
export const STACK_FAILED = -3;

export const Reason = {
  kernelStackFailed: 1,
  userStackFailed: 2,
  kernelStackCollided: 4,
  userStackCollided: 8,
} as const;

const RECORD_SAMPLE = 1;
const RECORD_PROCESS = 2;
export const SAMPLE_BYTES = 64;
export const PROCESS_BYTES = 56;
export const COUNTERS_BYTES = 24;

/** A program image: a process between two execs. 64-bit fields are bigint only at this edge. */
export interface ImageKey {
  tgid: number;
  /** CLOCK_BOOTTIME, ns. */
  startNs: bigint;
  /** Top of the initial stack; 0 without memory. Never leaves the host. */
  image: bigint;
}

export interface Sample extends ImageKey {
  cpu: number;
  /** CLOCK_MONOTONIC, ns. */
  timeNs: bigint;
  tid: number;
  kernelStack: number;
  userStack: number;
  side: number;
  /** Bits of Reason. */
  reasons: number;
  /** Program counters of stacks that travel whole, leaf first; else null. */
  kernelFrames: BigUint64Array | null;
  userFrames: BigUint64Array | null;
}

export interface ProcessRecord extends ImageKey {
  kernelThread: boolean;
  namespaceTgid: number;
  cgroupId: bigint;
  comm: string;
}

export interface Counters {
  sampled: number;
  ringFull: number;
  processRingFull: number;
}

export interface RecordHandler {
  onSample(sample: Sample): void;
  onProcess(record: ProcessRecord): void;
}

/** Decodes one record of the ring buffer. Throws for what sampler.h does not know. */
export function readRecord(
  words: Int32Array,
  offset: number,
  lengthBytes: number,
  handler: RecordHandler,
): void {
  const kind = lengthBytes >= 4 ? words[offset] : 0;
  if (kind === RECORD_SAMPLE && lengthBytes >= SAMPLE_BYTES) {
    handler.onSample(readSample(words, offset, lengthBytes));
  } else if (kind === RECORD_PROCESS && lengthBytes === PROCESS_BYTES) {
    handler.onProcess(readProcess(words, offset));
  } else {
    throw new EverflameError('invalid', `a record of kind ${kind} with ${lengthBytes} bytes`, {
      remedy: 'The agent and its BPF object are of different versions; build both again.',
    });
  }
}

function readSample(words: Int32Array, offset: number, lengthBytes: number): Sample {
  const word = (index: number) => words[offset + index] as number;
  const kernelDepth = word(14);
  const userDepth = word(15);
  const expected = SAMPLE_BYTES + 8 * (kernelDepth + userDepth);
  if (kernelDepth > MAX_FRAMES || userDepth > MAX_FRAMES || expected !== lengthBytes) {
    throw new EverflameError(
      'invalid',
      `a sample of ${lengthBytes} bytes claims ${kernelDepth} + ${userDepth} frames`,
    );
  }
  const kernelStart = offset + SAMPLE_BYTES / 4;
  const userStart = kernelStart + 2 * kernelDepth;
  return {
    cpu: word(1),
    timeNs: u64(words, offset + 2),
    startNs: u64(words, offset + 4),
    image: u64(words, offset + 6),
    tgid: word(8),
    tid: word(9),
    kernelStack: word(10),
    userStack: word(11),
    side: word(12),
    reasons: word(13),
    kernelFrames: kernelDepth === 0 ? null : readFrames(words, kernelStart, kernelDepth),
    userFrames: userDepth === 0 ? null : readFrames(words, userStart, userDepth),
  };
}

function readProcess(words: Int32Array, offset: number): ProcessRecord {
  const word = (index: number) => words[offset + index] as number;
  return {
    kernelThread: word(1) !== 0,
    startNs: u64(words, offset + 2),
    image: u64(words, offset + 4),
    tgid: word(6),
    namespaceTgid: word(7),
    cgroupId: u64(words, offset + 8),
    comm: readText(words, offset + 10, 16),
  };
}

/** Copies, because the record's memory is the kernel's again after the drain. */
function readFrames(words: Int32Array, start: number, depth: number): BigUint64Array {
  const frames = new BigUint64Array(depth);
  new Int32Array(frames.buffer).set(words.subarray(start, start + 2 * depth));
  return frames;
}

/** One 64-bit integer as its halves: put together by shifts, it would be four objects. */
const wide = new BigUint64Array(1);
const halves = new Int32Array(wide.buffer);

function u64(words: Int32Array, index: number): bigint {
  halves[0] = words[index] as number;
  halves[1] = words[index + 1] as number;
  return wide[0] as bigint;
}

function readText(words: Int32Array, start: number, lengthBytes: number): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + start * 4, lengthBytes);
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? lengthBytes : end)).toString('utf8');
}

/** Adds up one side's counters over all CPUs (`struct ef_counters` per possible CPU). */
export function sumCounters(value: DataView): Counters {
  const sum: Counters = { sampled: 0, ringFull: 0, processRingFull: 0 };
  for (let base = 0; base + COUNTERS_BYTES <= value.byteLength; base += COUNTERS_BYTES) {
    sum.sampled += Number(value.getBigUint64(base, true));
    sum.ringFull += Number(value.getBigUint64(base + 8, true));
    sum.processRingFull += Number(value.getBigUint64(base + 16, true));
  }
  return sum;
}
