/**
 * V8's CPU profiles -> one pprof. V8 samples what a thread does at even times, waiting included, so
 * the values are wall-clock time; what waits for events, `(idle)`, is left out.
 */
import type { Profiler } from 'node:inspector';
import { PprofWriter } from '../../profile/pprof/encode.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { ThreadProfile } from './record.ts';

/** Frames that are V8's own states rather than functions. */
const OUTSIDE = new Set(['(root)', '(idle)']);
const NATIVE = new Set(['(program)', '(garbage collector)']);

export interface SelfProfileInput {
  threads: readonly ThreadProfile[];
  startMs: EpochMs;
  durationMs: number;
  intervalUs: number;
}

export interface SelfProfile {
  /** Uncompressed. */
  pprof: Uint8Array;
  /** Nanoseconds that were not spent waiting, by thread, in the order given. */
  activeNs: number[];
}

export function encodeSelfProfile(input: SelfProfileInput): SelfProfile {
  const writer = new PprofWriter();
  const wall = { type: 'wall', unit: 'nanoseconds' };
  writer.sampleType(wall);
  const locations = new V8Locations(writer);
  const activeNs = input.threads.map(({ thread, profile }) =>
    writeThread(writer, locations, thread, profile),
  );
  writer.times(BigInt(input.startMs) * 1_000_000n, BigInt(Math.round(input.durationMs * 1e6)));
  writer.period(wall, input.intervalUs * 1000);
  return { pprof: writer.finish(), activeNs };
}

/** A sample per node that time was spent in itself. Returns the thread's sum in nanoseconds. */
function writeThread(
  writer: PprofWriter,
  locations: V8Locations,
  thread: string,
  { nodes, samples = [], timeDeltas = [] }: Profiler.Profile,
): number {
  const selfNs = new Map<number, number>();
  for (const [row, node] of samples.entries()) {
    // The clock may step back by a microsecond or two between threads' cores.
    const deltaNs = Math.max(0, timeDeltas[row] ?? 0) * 1000;
    selfNs.set(node, (selfNs.get(node) ?? 0) + deltaNs);
  }
  const parents = new Map<number, Profiler.ProfileNode>();
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node);
  let total = 0;
  for (const node of nodes) {
    const ns = selfNs.get(node.id) ?? 0;
    if (ns === 0 || OUTSIDE.has(node.callFrame.functionName)) continue;
    const stack: number[] = [];
    for (let at: Profiler.ProfileNode | undefined = node; at !== undefined; ) {
      if (!OUTSIDE.has(at.callFrame.functionName)) stack.push(locations.rowOf(at.callFrame));
      at = parents.get(at.id);
    }
    const start = writer.beginSample(Uint32Array.from(stack), 0, stack.length);
    writer.values(Float64Array.of(ns), 0);
    writer.label({ key: 'thread', value: thread });
    writer.endSample(start);
    total += ns;
  }
  return total;
}

/** Functions and locations, written when first met; a location per function. */
class V8Locations {
  readonly #writer: PprofWriter;
  readonly #rows = new Map<string, number>();
  readonly #jit: number;
  readonly #native: number;

  constructor(writer: PprofWriter) {
    this.#writer = writer;
    const symbols = { functions: true, files: true, lineNumbers: true, inlines: false };
    const mapping = (file: string) =>
      writer.mapping({ start: 0n, limit: 0n, offset: 0n, file, buildId: '' }, symbols);
    this.#jit = mapping('[jit]');
    this.#native = mapping('node');
  }

  rowOf({ functionName, url, lineNumber, columnNumber }: CallFrame): number {
    const key = `${functionName} ${url} ${lineNumber} ${columnNumber}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const name = functionName === '' ? '(anonymous)' : functionName;
    const line = lineNumber + 1; // V8 counts from 0, and -1 where there is no source.
    const file = url.replace(/^file:\/\//, '');
    const writer = this.#writer;
    const mapping = NATIVE.has(name) || url === '' ? this.#native : this.#jit;
    const lines = [{ function: writer.function(name, name, file, line), line }];
    writer.location({ mapping, address: 0n, lines });
    const row = this.#rows.size;
    this.#rows.set(key, row);
    return row;
  }
}

type CallFrame = Profiler.ProfileNode['callFrame'];
