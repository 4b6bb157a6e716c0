/**
 * Stacks when a store is opened: ids and lengths first, which is what writes need. The frames, most
 * of a dictionary's bytes, which only answers need, follow while the store is open.
 */
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { assert, EverflameError } from '../../../profile/errors.ts';
import type { Block } from '../blocks/block.ts';
import { contentFaultOf } from '../blocks/block-files.ts';
import type { BlockLists } from '../blocks/block-lists.ts';
import type { Database } from '../sql/database.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { eachChunk } from '../sql/result-columns.ts';
import type { Dictionaries } from './dictionaries.ts';
import { IdRows, partsOf, type Sealed } from './dictionary-parts.ts';
import type { LostRows } from './lost-rows.ts';

/** Where the frames of stacks are, in the order of their ids. */
export type StackPart = { source: string } | { lostStacks: number; location: number };

/** Frames on their way into memory. */
export interface FrameLoad {
  /** Resolves once every stack has its frames. */
  done: Promise<void>;
  /** Ends the work early; `done` is then rejected. */
  stop(): Promise<void>;
}

/** Adds to `faults` what is wrong with blocks whose stacks cannot be read. */
export async function loadStackIds(
  connection: duckdb.Connection,
  dictionaries: Dictionaries,
  sealed: Sealed,
  lost: LostRows,
  faults: Map<Block, string>,
): Promise<StackPart[]> {
  for (;;) {
    const loaded = await tryLoadStackIds(connection, dictionaries, sealed, lost, faults);
    if (loaded !== null) return loaded;
    const { index, offsets } = dictionaries.stacks;
    index.clear();
    offsets.length = 1;
  }
}

/** Null where one more file turned out damaged: what was read of it must go. */
async function tryLoadStackIds(
  connection: duckdb.Connection,
  dictionaries: Dictionaries,
  { dataDir, list }: Sealed,
  lost: LostRows,
  faults: Map<Block, string>,
): Promise<StackPart[] | null> {
  const { index, offsets, locations } = dictionaries.stacks;
  const parts: StackPart[] = [];
  const fill = async (end: number): Promise<void> => {
    const lostStacks = end - index.count;
    if (lostStacks <= 0) return;
    const location = await lost.lostLocation();
    lost.fillStackIds(end);
    parts.push({ lostStacks, location });
  };
  const read = async (source: string, found: boolean): Promise<void> => {
    const ids = new IdRows(index.count);
    const sql = `SELECT id, hash, len(locations)::UINTEGER FROM ${source}`;
    await eachChunk(connection, sql, (rows) => {
      ids.take(rows);
      let end = offsets.data[offsets.length - 1] as number;
      for (const length of rows.u32(2)) {
        end += length;
        offsets.push(end);
      }
    });
    ids.loadInto(index, found);
  };
  const inBlocks = partsOf(list, 'stacks');
  index.committed.reserve(Math.max(0, ...inBlocks.map(({ ids }) => ids[1])));
  for (const { block, file, ids } of inBlocks) {
    await fill(ids[0]);
    if (file.lost === true || faults.get(block)?.startsWith(file.name)) continue;
    const source = parquetRows([join(dataDir, file.name)]);
    const found = block.damaged === '' && !faults.has(block);
    const [part] = await Promise.allSettled([read(source, found)]);
    if (part.status === 'rejected' || index.count !== ids[1]) {
      const fault = await contentFaultOf(dataDir, file);
      if (fault === '' && part.status === 'rejected') throw part.reason;
      faults.set(block, fault === '' ? `${file.name} lacks rows` : fault);
      return null;
    }
    parts.push({ source });
  }
  await fill(Math.max(0, ...inBlocks.map(({ ids }) => ids[1])));
  await read('stacks', true);
  locations.extend(offsets.data[index.count] as number);
  return [...parts, { source: 'stacks' }];
}

/**
 * Reads the frames of the stacks that `loadStackIds` found, as of this moment: it must be called
 * before anything is written.
 */
export async function loadFrames(
  database: Database,
  dictionaries: Dictionaries,
  parts: readonly StackPart[],
  lists: BlockLists,
): Promise<FrameLoad> {
  const connection = await database.connect();
  await duckdb.query(connection, 'BEGIN; SELECT count(*) FROM stacks');
  // The files stay where they are until they are read.
  const version = lists.holdCurrent();
  const stopping = new AbortController();
  const done = fillFrames(connection, dictionaries, parts, stopping.signal).finally(() => {
    lists.release(version);
    duckdb.disconnect_sync(connection);
  });
  const settled = Promise.allSettled([done]);
  const stop = async (): Promise<void> => {
    stopping.abort(new EverflameError('unavailable', 'the store is closed'));
    await settled;
  };
  return { done, stop };
}

async function fillFrames(
  connection: duckdb.Connection,
  { stacks }: Dictionaries,
  parts: readonly StackPart[],
  signal: AbortSignal,
): Promise<void> {
  const { length } = stacks.locations;
  let at = 0;
  for (const part of parts) {
    if ('lostStacks' in part) {
      stacks.locations.data.fill(part.location, at, at + part.lostStacks);
      at += part.lostStacks;
      continue;
    }
    await eachChunk(connection, `SELECT locations FROM ${part.source}`, (rows) => {
      signal.throwIfAborted();
      rows.eachList(0, (_, values) => {
        // New stacks may have moved the column meanwhile: its memory is taken anew each time.
        stacks.locations.data.set(values, at);
        at += values.length;
      });
    });
  }
  assert(at === length, 'every stack has the frames that were counted');
}
