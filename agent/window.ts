/**
 * Puts a rested window together: stacks become frames, processes become series, and every sample is
 * either in a profile or under a counter.
 */
import type { Labels } from '../profile/select/labels.ts';
import {
  BUSY_CPU_NS,
  EXCLUDED,
  INCOMPLETE_PREFIX,
  LOST_PREFIX,
  SAMPLED,
  SENT,
} from '../profile/window-counters.ts';
import type { Binary } from './binaries.ts';
import type { Frame, NamedFrames } from './frames.ts';
import type { KernelFrames } from './kernel-frames.ts';
import type { Process } from './process.ts';
import type { ProcessTable } from './process-table.ts';
import { MAX_FRAMES, STACK_FAILED, STACK_NONE } from './sample-record.ts';
import type { RestedWindow } from './sampler.ts';
import type { AdmittedSeries, SeriesLimit } from './series-labels.ts';
import { SeriesProfile } from './series-profile.ts';
import { type StackPair, stackPairs } from './stack-sums.ts';

export interface WindowSeries {
  labels: Labels;
  profile: SeriesProfile;
}

export interface WindowContent {
  series: WindowSeries[];
  /** Every figure of profile/window-counters.ts but BUSY_CPU_NS. */
  counters: Record<string, number>;
  /** Binaries that the window's processes have mapped. */
  binaries: Set<Binary>;
}

export interface WindowTables {
  frames: NamedFrames;
  kernel: KernelFrames;
  processes: ProcessTable;
  limit: SeriesLimit;
  host: string;
  /** Labels that the operator gave. */
  ownLabels: Labels;
}

/** Why a stack is not whole; the counter's name and what the frame in its place says. */
type Gap =
  | 'kernel_stack_failed'
  | 'user_stack_failed'
  | 'user_stack_truncated'
  | 'kernel_stack_truncated'
  | 'stack_map_lost'
  | 'no_stack'
  | 'process_exited'
  | 'mappings_unreadable';

const NO_FRAMES: readonly Frame[] = [];

export function assembleWindow(window: RestedWindow, tables: WindowTables): WindowContent {
  tables.processes.beginWindow();
  tables.limit.beginWindow();
  const assembly = new Assembly(window, tables);
  for (const image of window.sums.images()) {
    const process = tables.processes.use(image.key);
    assembly.addProcess(process, stackPairs(image));
  }
  return assembly.finish();
}

class Assembly {
  readonly #window: RestedWindow;
  readonly #tables: WindowTables;
  readonly #series = new Map<string, WindowSeries>();
  readonly #kernelStacks = new Map<number, readonly Frame[]>();
  readonly #gaps = new Map<Gap, number>();
  readonly #binaries = new Set<Binary>();
  #shared = 0;

  constructor(window: RestedWindow, tables: WindowTables) {
    this.#window = window;
    this.#tables = tables;
  }

  addProcess(process: Process, pairs: readonly StackPair[]): void {
    const { host, ownLabels, limit } = this.#tables;
    const admitted = limit.admitProcess(process, host, ownLabels);
    const profile = this.#profileOf(admitted);
    const userStacks = new Map<number, readonly Frame[]>();
    for (const { kernelStack, userStack, count } of pairs) {
      const kernel = this.#kernelFrames(kernelStack, count);
      const user = this.#userFrames(process, userStack, count, userStacks);
      const isEmpty = kernel.length + user.length === 0;
      profile.add(isEmpty ? [this.#gap('no_stack', count)] : kernel, user, count);
      if (admitted.shared) this.#shared += count;
    }
    for (const binary of process.binaries()) this.#binaries.add(binary);
  }

  #profileOf({ labels, text }: AdmittedSeries): SeriesProfile {
    let series = this.#series.get(text);
    if (series === undefined) {
      series = { labels, profile: new SeriesProfile() };
      this.#series.set(text, series);
    }
    return series.profile;
  }

  #kernelFrames(stack: number, count: number): readonly Frame[] {
    if (stack === STACK_NONE) return NO_FRAMES;
    if (stack === STACK_FAILED) return [this.#gap('kernel_stack_failed', count)];
    let frames = this.#kernelStacks.get(stack);
    if (frames === undefined) {
      const counters = this.#window.readStack('kernel', stack);
      if (counters === null) return [this.#gap('stack_map_lost', count)];
      frames = this.#tables.kernel.resolve(counters);
      this.#kernelStacks.set(stack, frames);
    }
    if (frames.length < MAX_FRAMES) return frames;
    return [...frames, this.#gap('kernel_stack_truncated', count)];
  }

  #userFrames(
    process: Process,
    stack: number,
    count: number,
    known: Map<number, readonly Frame[]>,
  ): readonly Frame[] {
    if (stack === STACK_NONE) return NO_FRAMES;
    if (stack === STACK_FAILED) return [this.#gap('user_stack_failed', count)];
    if (process.obstacle === 'process exited') return [this.#gap('process_exited', count)];
    if (process.obstacle !== null) return [this.#gap('mappings_unreadable', count)];
    let frames = known.get(stack);
    if (frames === undefined) {
      const counters = this.#window.readStack('user', stack);
      if (counters === null) return [this.#gap('stack_map_lost', count)];
      frames = process.resolve(counters);
      known.set(stack, frames);
    }
    if (frames.length < MAX_FRAMES) return frames;
    return [...frames, this.#gap('user_stack_truncated', count)];
  }

  /** Counts what is missing, and gives the frame that stands in its place. */
  #gap(gap: Gap, count: number): Frame {
    this.#gaps.set(gap, (this.#gaps.get(gap) ?? 0) + count);
    return this.#tables.frames.unknown(gap.replaceAll('_', ' '));
  }

  finish(): WindowContent {
    const { counters, lostRead, sums } = this.#window;
    const series = [...this.#series.values()];
    const figures: Record<string, number> = {
      [SAMPLED]: counters.sampled,
      [EXCLUDED]: 0,
      [SENT]: series.reduce((sum, { profile }) => sum + profile.samples, 0),
      [`${LOST_PREFIX}ring_full`]: counters.ringFull,
      [`${LOST_PREFIX}read`]: lostRead,
      [BUSY_CPU_NS]: 0,
      stack_collisions: sums.reasons.collided,
      process_records_lost: counters.processRingFull,
      series_overflow: this.#shared,
    };
    for (const [gap, count] of this.#gaps) figures[`${INCOMPLETE_PREFIX}${gap}`] = count;
    return { series, counters: figures, binaries: this.#binaries };
  }
}
