/** Keeps the blocks few and the store as old and as large as it may be, while it is open. */
import type { TimeRange } from '../../../profile/units.ts';
import { type Block, blockBytes, HOUR_MS, meets } from './block.ts';
import type { BlockPlace } from './block-change.ts';
import { deleteRows } from './delete-rows.ts';
import type { Maintenance } from './maintenance.ts';
import { mergeBlocks } from './merge-blocks.ts';
import { MAX_ROW_BLOCKS, planMerges } from './merge-plan.ts';
import {
  expireRows,
  oldestKeptMs,
  planExpiry,
  type RemovedRows,
  type RetentionLimits,
} from './retention.ts';
import { type Repair, withoutDamaged } from './without-damaged.ts';

const DAY_MS = 24 * HOUR_MS;
const TICK_MS = 30_000;
/** What a merge lacked, as room on the disk, rarely comes sooner, and each try costs as much. */
const MERGE_RETRY_MS = 600_000;
/** Late rows wait this long for the next look at rows that are in no block. */
const HOT_EXPIRY_MS = HOUR_MS;
/** A clock that moved by more than this between two looks was set, or the machine slept. */
const MAX_CLOCK_STEP_MS = HOUR_MS;

export interface UpkeepOptions {
  place: BlockPlace;
  maintenance: Maintenance;
  repair: Repair;
  limits: RetentionLimits;
  /** The store's counts, which upkeep changes. */
  counts: { samples: number; profiles: number; hotSamples: number };
  /** Bytes of the store beside its blocks. */
  otherBytes: () => number;
  /** Removes what no row refers to any more. */
  tendDictionaries: (isNewDay: boolean) => Promise<void>;
  /** After rows were removed. */
  removed: () => Promise<void>;
  nowMs: () => number;
  log: (line: string) => void;
}

export class Upkeep {
  readonly stats = { blockMerges: 0, failedUpkeeps: 0, expiredSamples: 0, deletedSamples: 0 };
  readonly limits: RetentionLimits;
  /** Why rows were removed last. */
  limitedBy: 'age' | 'bytes' | 'nothing' = 'nothing';
  readonly #options: UpkeepOptions;
  readonly #timer: NodeJS.Timeout;
  #mergedDay = Number.NEGATIVE_INFINITY;
  #mergeAfterMs = Number.NEGATIVE_INFINITY;
  #hotExpiredMs = Number.NEGATIVE_INFINITY;
  #running = false;
  #isStopped = false;
  #lastLook: { wallMs: number; steadyMs: number };
  #distrustedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.#lastLook = { wallMs: options.nowMs(), steadyMs: performance.now() };
    this.#timer = setInterval(() => void this.#tick(), TICK_MS).unref();
  }

  /** Before maintenance is closed: what that ends has not failed. */
  stop(): void {
    clearInterval(this.#timer);
    this.#isStopped = true;
  }

  /** Removes what is too old or too much. */
  expire(): Promise<RemovedRows> {
    const { maintenance, place, limits, nowMs } = this.#options;
    return maintenance.run(async (signal) => {
      const expired = this.#expired();
      const cutoffMs = oldestKeptMs(limits, nowMs());
      const removed = await expireRows(place, expired, cutoffMs, signal);
      if (removed.samples > 0) this.limitedBy = 'age';
      if (expired.some(({ toMs }) => toMs > cutoffMs)) this.limitedBy = 'bytes';
      await this.#countOut(removed);
      this.stats.expiredSamples += removed.samples;
      return removed;
    });
  }

  /** Merges what belongs together. Each merge is a job of its own, so that seals go in between. */
  async merge(): Promise<void> {
    const { repair } = this.#options;
    const merged = new Set<string>();
    while (await withoutDamaged(repair, (used) => this.#mergeNext(merged, used)));
  }

  /** False where there is no group left but those that were `merged`. */
  #mergeNext(merged: Set<string>, used: Set<Block>): Promise<boolean> {
    const { maintenance, place, counts, nowMs } = this.#options;
    return maintenance.run(async (signal) => {
      const groups = planMerges(place.lists.current.blocks, nowMs());
      const group = groups.find((blocks) => !merged.has(keyOf(blocks)));
      if (group === undefined) return false;
      for (const block of group) used.add(block);
      const { mergedProfiles } = await mergeBlocks(place, group, nowMs(), signal);
      merged.add(keyOf(group));
      counts.profiles -= mergedProfiles;
      this.stats.blockMerges++;
      return true;
    });
  }

  /** Deletes profiles of some series, or counts them only. */
  delete(series: readonly number[], range: TimeRange, isTrial: boolean): Promise<RemovedRows> {
    const { maintenance, place, repair, nowMs } = this.#options;
    const job = (used: Set<Block>) =>
      maintenance.run(async (signal) => {
        for (const block of place.lists.current.blocks) if (meets(block, range)) used.add(block);
        const request = { series, range, isTrial };
        const removed = await deleteRows(place, request, nowMs(), signal);
        if (isTrial) return removed;
        await this.#countOut(removed);
        this.stats.deletedSamples += removed.samples;
        return removed;
      });
    return withoutDamaged(repair, job);
  }

  async #countOut({ samples, profiles, hotSamples, blocks }: RemovedRows): Promise<void> {
    const { counts, removed } = this.#options;
    counts.samples -= samples;
    counts.profiles -= profiles;
    counts.hotSamples -= hotSamples;
    if (samples + profiles + blocks > 0) await removed();
  }

  async #tick(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      const isSteady = this.#isClockSteady();
      if (isSteady && this.#isExpiryDue()) {
        this.#hotExpiredMs = performance.now();
        await this.expire();
      }
      const day = Math.floor(this.#options.nowMs() / DAY_MS);
      const rows = this.#options.place.lists.current.blocks.filter(({ kind }) => kind === 'rows');
      const isTried = isSteady && performance.now() >= this.#mergeAfterMs;
      const isNewDay = isTried && day > this.#mergedDay;
      if (isNewDay || (isTried && rows.length > MAX_ROW_BLOCKS)) {
        this.#mergeAfterMs = performance.now() + MERGE_RETRY_MS;
        await this.merge();
        this.#mergeAfterMs = Number.NEGATIVE_INFINITY;
      }
      await this.#options.tendDictionaries(isNewDay);
      if (isNewDay) this.#mergedDay = day;
    } catch (error) {
      if (this.#isStopped) return;
      this.stats.failedUpkeeps++;
      this.#options.log(`looking after blocks failed and is tried again: ${String(error)}`);
    } finally {
      this.#running = false;
    }
  }

  /** Whether there is a block to drop, or it is time to look at late rows. */
  #isExpiryDue(): boolean {
    const { ageMs, bytes } = this.#options.limits;
    if (ageMs === null && bytes === null) return false;
    return performance.now() - this.#hotExpiredMs > HOT_EXPIRY_MS || this.#expired().length > 0;
  }

  #expired(): Block[] {
    const { place, limits, nowMs, otherBytes } = this.#options;
    const { blocks } = place.lists.current;
    const others = blocks.filter(({ kind }) => kind === 'dictionary');
    const bytes = others.reduce((sum, block) => sum + blockBytes(block), otherBytes());
    return planExpiry(blocks, limits, nowMs(), bytes);
  }

  /** A clock that is wrong must not expire what is not old: an hour is time to set it right. */
  #isClockSteady(): boolean {
    const wallMs = this.#options.nowMs();
    const steadyMs = performance.now();
    const stepMs = wallMs - this.#lastLook.wallMs - (steadyMs - this.#lastLook.steadyMs);
    this.#lastLook = { wallMs, steadyMs };
    if (Math.abs(stepMs) > MAX_CLOCK_STEP_MS) {
      this.#distrustedUntilMs = steadyMs + HOUR_MS;
      this.#options.log(
        `the clock moved by ${Math.round(stepMs / 1000)} s; retention waits an hour`,
      );
    }
    return steadyMs >= this.#distrustedUntilMs;
  }
}

function keyOf(blocks: readonly Block[]): string {
  return blocks.map(({ id }) => id).join();
}
