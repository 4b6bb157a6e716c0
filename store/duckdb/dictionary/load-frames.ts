/**
 * The frames of stacks when a store is opened: most of a dictionary's bytes, which only answers
 * need. They follow the ids (load-stacks.ts) while the store is open.
 */
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { assert, EverflameError } from '../../../profile/errors.ts';
import type { WriteBatch } from '../../store.ts';
import type { Block, BlockFile } from '../blocks/block.ts';
import { contentFaultOf } from '../blocks/block-files.ts';
import type { BlockLists } from '../blocks/block-lists.ts';
import type { Database } from '../sql/database.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import { eachChunk, type ResultColumns } from '../sql/result-columns.ts';
import type { Dictionaries } from './dictionaries.ts';
import { lostLocationBatch } from './lost-rows.ts';

/** Where the frames of the stacks up to `end` are that the part before does not have. */
export type StackPart = { end: number } & (
  | { from: 'file'; block: Block; file: BlockFile }
  | { from: 'table' }
  | { from: 'nowhere'; location: number }
);

/** Stacks whose frames turned out not to be readable. */
interface LostFrames {
  block: Block;
  first: number;
  end: number;
}

/** Frames on their way into memory. */
export interface FrameLoad<T> {
  done: Promise<T>;
  /** Ends the work early; `done` is then rejected. */
  stop(): Promise<void>;
}

/**
 * Reads the frames of the stacks that `loadStackIds` found, as of this moment: it must be called
 * before anything is written. Resolves to those that are lost.
 */
export async function loadFrames(
  database: Database,
  dictionaries: Dictionaries,
  parts: readonly StackPart[],
  lists: BlockLists,
): Promise<FrameLoad<LostFrames[]>> {
  const connection = await database.connect();
  await duckdb.query(connection, 'BEGIN; SELECT count(*) FROM stacks');
  // The files stay where they are until they are read.
  const version = lists.holdCurrent();
  const stopping = new AbortController();
  const filling = new FrameFilling(connection, database.dataDir, dictionaries, stopping.signal);
  const done = filling.fill(parts).finally(() => {
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

class FrameFilling {
  readonly #connection: duckdb.Connection;
  readonly #dataDir: string;
  readonly #stacks: Dictionaries['stacks'];
  readonly #signal: AbortSignal;
  readonly #locations: number;

  constructor(
    connection: duckdb.Connection,
    dataDir: string,
    { stacks, locations }: Dictionaries,
    signal: AbortSignal,
  ) {
    this.#connection = connection;
    this.#dataDir = dataDir;
    this.#stacks = stacks;
    this.#signal = signal;
    this.#locations = locations.index.count;
  }

  async fill(parts: readonly StackPart[]): Promise<LostFrames[]> {
    const lost: LostFrames[] = [];
    let first = 0;
    for (const part of parts) {
      const { end } = part;
      if (part.from === 'nowhere') fillStacks(this.#stacks, first, end, part.location);
      else if (part.from === 'table') await this.#fillFromTable(first, end);
      else {
        const filled = await this.#fillFromFile(part.file, first, end);
        if (filled < end) lost.push({ block: part.block, first: filled, end });
      }
      first = end;
    }
    return lost;
  }

  async #fillFromTable(first: number, end: number): Promise<void> {
    const part = new FramePart(this.#stacks, this.#locations, first, end);
    await this.#read('stacks', part);
    assert(part.isWhole, 'every stack has the frames that were counted');
  }

  /** Returns the first stack of the file that has no frames. */
  async #fillFromFile(file: BlockFile, first: number, end: number): Promise<number> {
    const part = new FramePart(this.#stacks, this.#locations, first, end);
    const source = parquetRows([join(this.#dataDir, file.name)]);
    const [read] = await Promise.allSettled([this.#read(source, part)]);
    this.#signal.throwIfAborted();
    if (read.status === 'rejected' && (await contentFaultOf(this.#dataDir, file)) === '') {
      throw read.reason;
    }
    return part.isWhole ? end : part.next;
  }

  #read(source: string, part: FramePart): Promise<void> {
    return eachChunk(this.#connection, `SELECT id, locations FROM ${source}`, (rows) => {
      this.#signal.throwIfAborted();
      part.take(rows);
    });
  }
}

/** Frames of the stacks from `next` on; what does not fit the lengths read before ends it. */
class FramePart {
  next: number;
  #fits = true;
  readonly #stacks: Dictionaries['stacks'];
  readonly #locations: number;
  readonly #end: number;

  constructor(stacks: Dictionaries['stacks'], locations: number, first: number, end: number) {
    this.#stacks = stacks;
    this.#locations = locations;
    this.next = first;
    this.#end = end;
  }

  get isWhole(): boolean {
    return this.#fits && this.next === this.#end;
  }

  take(rows: ResultColumns): void {
    if (!this.#fits) return;
    const ids = rows.u32(0);
    rows.eachList(1, (ends, values) => {
      this.#fits = this.#areExpected(ids, ends) && this.#areLocations(values);
      if (!this.#fits) return;
      const { offsets, locations } = this.#stacks;
      // New stacks may have moved the column meanwhile: its memory is taken anew each time.
      locations.data.set(values, offsets.data[this.next] as number);
      this.next = (ids.at(-1) ?? this.next - 1) + 1;
    });
  }

  /** Stacks between these, which are not used, have no frames. */
  #areExpected(ids: Uint32Array, ends: Uint32Array): boolean {
    const offsets = this.#stacks.offsets.data;
    const start = offsets[this.next] as number;
    let [next, frames] = [this.next, 0];
    for (let row = 0; row < ids.length; row++) {
      const id = ids[row] as number;
      if (id < next || id >= this.#end || (offsets[id] as number) - start !== frames) return false;
      frames = ends[row] as number;
      if ((offsets[id + 1] as number) - start !== frames) return false;
      next = id + 1;
    }
    return true;
  }

  #areLocations(values: Uint32Array): boolean {
    for (let at = 0; at < values.length; at++) {
      if ((values[at] as number) >= this.#locations) return false;
    }
    return true;
  }
}

function fillStacks(
  { offsets, locations }: Dictionaries['stacks'],
  first: number,
  end: number,
  location: number,
): void {
  locations.data.fill(location, offsets.data[first], offsets.data[end]);
}

/** What the mending of lost frames needs of a store that is open. */
interface OpenStore {
  dictionaries: Dictionaries;
  write: (batch: WriteBatch) => Promise<void>;
  /** Looks at blocks, and sets aside what is damaged. */
  repair: (blocks: ReadonlySet<Block>) => Promise<unknown>;
  log: (line: string) => void;
}

/** Resolves once every stack has its frames or a stand-in. */
export function mendFrames(
  { done, stop }: FrameLoad<LostFrames[]>,
  store: OpenStore,
): FrameLoad<void> {
  const mended = done.then((lost) => (lost.length === 0 ? undefined : standIn(lost, store)));
  const settled = Promise.allSettled([mended]);
  return {
    done: mended,
    stop: async () => {
      await stop();
      await settled;
    },
  };
}

/**
 * Weights stay, and the blocks are looked at. Until the next start the stacks are found by their
 * ids, and what is sent again gets no frames.
 */
async function standIn(
  lost: readonly LostFrames[],
  { dictionaries, write, repair, log }: OpenStore,
): Promise<void> {
  const batch = lostLocationBatch();
  await write(batch);
  const [low = 0, high = 0] = batch.locations.ids;
  const location = dictionaries.locations.index.find(low, high);
  for (const { block, first, end } of lost) {
    fillStacks(dictionaries.stacks, first, end, location);
    log(`the frames of ${end - first} stacks of block ${block.id} are damaged`);
  }
  await repair(new Set(lost.map(({ block }) => block)));
}
