/** How long rows are kept: by age, and by the bytes of all together, the oldest going first. */
import { type Block, blockBytes } from './block.ts';
import { type BlockPlace, changeBlocks } from './block-change.ts';
import { noteRemovedRows } from './removed-rows.ts';
import { forgetReplacedWindows } from './row-block.ts';

/** Null: no such limit. */
export interface RetentionLimits {
  ageMs: number | null;
  bytes: number | null;
}

/** Rows that were removed. */
export interface RemovedRows {
  samples: number;
  profiles: number;
  /** Those of `samples` that were in no block. */
  hotSamples: number;
  /** Blocks that were dropped or written anew. */
  blocks: number;
}

/** Rows before this time are not kept; -Infinity where age does not matter. */
export function oldestKeptMs({ ageMs }: RetentionLimits, nowMs: number): number {
  return ageMs === null ? Number.NEGATIVE_INFINITY : Math.floor(nowMs - ageMs);
}

/**
 * Blocks whose rows are all too old, and the oldest where the store is too large. `otherBytes` are
 * those of everything but blocks of rows. A block of which some rows are kept is kept whole.
 */
export function planExpiry(
  blocks: readonly Block[],
  limits: RetentionLimits,
  nowMs: number,
  otherBytes: number,
): Block[] {
  const cutoffMs = oldestKeptMs(limits, nowMs);
  const rows = blocks.filter(({ kind }) => kind === 'rows');
  const expired = rows.filter(({ toMs }) => toMs <= cutoffMs);
  if (limits.bytes === null) return expired;
  const gone = new Set(expired);
  const kept = rows.filter((block) => !gone.has(block)).sort((a, b) => a.toMs - b.toMs);
  let bytes = kept.reduce((sum, block) => sum + sizeOf(block), otherBytes);
  for (const block of kept) {
    if (bytes <= limits.bytes) break;
    bytes -= sizeOf(block);
    expired.push(block);
  }
  return expired;
}

/** What is set aside does not count: nobody but an operator deletes it. */
function sizeOf(block: Block): number {
  return block.damaged === '' ? blockBytes(block) : 0;
}

/** Drops the blocks, and deletes hot rows before the time. */
export function expireRows(
  place: BlockPlace,
  expired: readonly Block[],
  cutoffMs: number,
  signal: AbortSignal,
): Promise<RemovedRows> {
  return changeBlocks(place, signal, async (change) => {
    const removed: RemovedRows = { samples: 0, profiles: 0, hotSamples: 0, blocks: 0 };
    for (const block of expired) {
      change.drop(block);
      removed.blocks++;
      if (block.damaged !== '') continue;
      removed.samples += block.samples;
      removed.profiles += block.profiles;
    }
    if (Number.isFinite(cutoffMs)) {
      const old = `WHERE ts_ms < ${cutoffMs}`;
      removed.hotSamples = await change.count(`DELETE FROM samples ${old}`);
      removed.samples += removed.hotSamples;
      removed.profiles += await change.count(`DELETE FROM profiles ${old}`);
      await change.count(`DELETE FROM windows ${old}`);
    }
    change.changesRows = true;
    if (removed.samples + removed.blocks > 0) await noteRemovedRows(change);
    await forgetReplacedWindows(change);
    return removed;
  });
}
