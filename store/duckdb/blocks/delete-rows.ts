/** Deletes the profiles of some series in a range: hot rows, and blocks, which are written anew. */
import type { TimeRange } from '../../../profile/units.ts';
import { type Block, fileOf, meets, type RowTable } from './block.ts';
import { type BlockChange, type BlockPlace, changeBlocks } from './block-change.ts';
import { noteRemovedRows } from './removed-rows.ts';
import type { RemovedRows } from './retention.ts';
import { fileRows, writeRowBlock } from './row-block.ts';

/** Numbers in one VALUES list. */
const VALUES_ROWS = 10_000;

export interface DeleteRequest {
  /** Numbers of the series. */
  series: readonly number[];
  range: TimeRange;
  /** Counts what would be deleted, and deletes nothing. */
  isTrial: boolean;
}

const TABLES = ['samples', 'profiles'] as const;

/** Windows stay: they are the hosts', and tell what sampling lost. */
export function deleteRows(
  place: BlockPlace,
  { series, range, isTrial }: DeleteRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<RemovedRows> {
  return changeBlocks(place, signal, async (change) => {
    await fillSeries(change, series);
    const chosen = `series IN (SELECT series FROM deleted_series)
      AND ts_ms >= ${range.from} AND ts_ms < ${range.to}`;
    const removed: RemovedRows = { samples: 0, profiles: 0, hotSamples: 0, blocks: 0 };
    for (const table of TABLES) {
      const hot = isTrial
        ? await change.count(`SELECT count(*) FROM ${table} WHERE ${chosen}`)
        : await change.count(`DELETE FROM ${table} WHERE ${chosen}`);
      removed[table] += hot;
      if (table === 'samples') removed.hotSamples = hot;
    }
    for (const block of change.blocks) {
      if (block.kind !== 'rows' || block.damaged !== '' || !meets(block, range)) continue;
      await deleteFromBlock(change, block, chosen, removed, isTrial ? null : nowMs);
    }
    if (!isTrial && removed.hotSamples + removed.profiles > 0) change.changesRows = true;
    if (!isTrial && removed.samples > 0) await noteRemovedRows(change);
    return removed;
  });
}

/** A block without such rows stays as it is. Null: nothing is written. */
async function deleteFromBlock(
  change: BlockChange,
  block: Block,
  chosen: string,
  removed: RemovedRows,
  nowMs: number | null,
): Promise<void> {
  const source = (table: RowTable): string | null => {
    const file = fileOf(block, table);
    return file === undefined ? null : fileRows(change, [file]);
  };
  const found = { samples: 0, profiles: 0 };
  for (const table of TABLES) {
    const from = source(table);
    if (from === null) continue;
    found[table] = await change.count(`SELECT count(*) FROM ${from} WHERE ${chosen}`);
  }
  if (found.samples + found.profiles === 0) return;
  removed.samples += found.samples;
  removed.profiles += found.profiles;
  removed.blocks++;
  if (nowMs === null) return;
  change.drop(block);
  await writeRowBlock(change, {
    source,
    where: (table) => (table === 'windows' ? 'true' : `NOT (${chosen})`),
    level: block.level,
    nowMs,
  });
}

async function fillSeries(change: BlockChange, series: readonly number[]): Promise<void> {
  await change.query('CREATE TEMP TABLE deleted_series (series UINTEGER)');
  for (let from = 0; from < series.length; from += VALUES_ROWS) {
    const values = series.slice(from, from + VALUES_ROWS).map((number) => `(${number})`);
    await change.query(`INSERT INTO deleted_series VALUES ${values.join(', ')}`);
  }
}
