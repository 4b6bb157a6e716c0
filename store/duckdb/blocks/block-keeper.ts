/** Looks after the blocks of an open store: seals in time, sets aside what turns out damaged. */

import type { Block } from './block.ts';
import type { BlockPlace } from './block-change.ts';
import { contentFaultOf } from './block-files.ts';
import { Maintenance } from './maintenance.ts';
import { markDamaged, type OpenedBlocks } from './open-blocks.ts';
import { type SealRequest, type SealResult, sealRows } from './seal.ts';
import { SealSchedule } from './seal-schedule.ts';

/**
 * About 60 MB in the database file; sealed, a quarter of it. Most questions read all hot rows of
 * their range one by one, and of blocks what was added up.
 */
const MAX_HOT_SAMPLES = 2_000_000;

export interface BlockKeeperOptions {
  opened: OpenedBlocks;
  /** The store's counts, which sealing and damage change. */
  counts: { samples: number; profiles: number; hotSamples: number };
  maxHotSamples: number | undefined;
  nowMs: () => number;
  log: (line: string) => void;
}

export class BlockKeeper {
  readonly place: BlockPlace;
  readonly maintenance: Maintenance;
  readonly stats: {
    seals: number;
    failedSeals: number;
    sealSeconds: number;
    orphansRemoved: number;
  };
  readonly #options: BlockKeeperOptions;
  readonly #schedule: SealSchedule;

  constructor(options: BlockKeeperOptions) {
    this.place = options.opened.place;
    this.#options = options;
    this.maintenance = new Maintenance(() => this.place.database.giveBackFreed());
    const { orphansRemoved } = options.opened;
    this.stats = { seals: 0, failedSeals: 0, sealSeconds: 0, orphansRemoved };
    this.#schedule = new SealSchedule({
      seal: async (request) => {
        await this.seal(request);
      },
      hotRows: () => options.counts.hotSamples,
      maxHotRows: options.maxHotSamples ?? MAX_HOT_SAMPLES,
      nowMs: options.nowMs,
    });
  }

  /** After every commit: many hot rows are sealed early. */
  checkSize(): void {
    this.#schedule.checkSize();
  }

  seal(request: SealRequest): Promise<SealResult> {
    const { counts, nowMs, log } = this.#options;
    return this.maintenance.run(async (signal) => {
      const startMs = performance.now();
      try {
        const result = await sealRows(this.place, request, nowMs(), signal);
        counts.hotSamples -= result.samples;
        counts.profiles -= result.mergedProfiles;
        this.stats.seals++;
        await this.place.database.tryCheckpoint();
        return result;
      } catch (error) {
        if (!signal.aborted) {
          this.stats.failedSeals++;
          log(`sealing failed and is tried again: ${String(error)}`);
        }
        throw error;
      } finally {
        this.stats.sealSeconds += (performance.now() - startMs) / 1_000;
      }
    });
  }

  /**
   * After a read has failed: whether one of the blocks it used is not what was written, or is not
   * any more as the read saw it. Then the read may be tried again.
   */
  repair(used: ReadonlySet<Block>): Promise<boolean> {
    return this.maintenance.run(async (signal) => {
      const faults = new Map<Block, string>();
      let gone = false;
      for (const block of used) {
        const now = this.place.lists.current.blocks.find(({ id }) => id === block.id);
        if (now !== block || now.damaged !== '') {
          gone = true;
          continue;
        }
        const fault = await this.#faultOf(now);
        if (fault !== '') faults.set(now, fault);
      }
      const missing = await markDamaged(this.place, faults, signal, this.#options.log);
      const { counts } = this.#options;
      for (const block of missing) {
        counts.samples -= block.samples;
        counts.profiles -= block.profiles;
      }
      return gone || faults.size > 0;
    });
  }

  async #faultOf({ files }: Block): Promise<string> {
    for (const file of files) {
      if (file.lost === true) continue;
      const fault = await contentFaultOf(this.place.database.dataDir, file);
      if (fault !== '') return fault;
    }
    return '';
  }

  async close(): Promise<void> {
    this.#schedule.stop();
    await this.maintenance.close();
  }
}
