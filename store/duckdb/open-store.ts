/** Opens the store: looks at its blocks, fills the dictionaries, starts what looks after it. */
import duckdb from '@duckdb/node-bindings';
import { BlockKeeper } from './blocks/block-keeper.ts';
import { markDamaged, openBlocks } from './blocks/open-blocks.ts';
import { Upkeep } from './blocks/upkeep.ts';
import { DictionaryCollector } from './dictionary/collector.ts';
import { loadDictionaries } from './dictionary/load-dictionaries.ts';
import { loadFrames, mendFrames } from './dictionary/load-frames.ts';
import { DuckStore, type EmbeddedStore } from './duck-store.ts';
import { removeOldCopies } from './inspect/inspector.ts';
import { forgetSeries, loadActivity, loadBatchIds, loadCatalogue, loadCounts } from './load.ts';
import { type Database, type DuckStoreOptions, fileBytes, openDatabase } from './sql/database.ts';
import { GroupWriter } from './write/group-writer.ts';

/**
 * Opens or makes the store in a directory. One store per directory: a second open, by this process
 * or another, is refused. Queries run on libuv's threads, so UV_THREADPOOL_SIZE should be 16.
 */
export async function openDuckStore(options: DuckStoreOptions): Promise<EmbeddedStore> {
  const { nowMs = Date.now, log = () => undefined, maxHotSamples } = options;
  const database = await openDatabase(options);
  const connection = await database.connect();
  let frames: Awaited<ReturnType<typeof loadFrames>> | null = null;
  try {
    const opened = await openBlocks(database, connection, log);
    const list = opened.place.lists.current;
    const writer = new GroupWriter(connection, database);
    const { dataDir } = database;
    await removeOldCopies(dataDir);
    const { dictionaries } = writer;
    // Nothing may be read any more when an error closes the database.
    const [read, others] = await Promise.allSettled([
      loadDictionaries(connection, dictionaries, { dataDir, list }),
      loadOthers(database, writer, nowMs()),
    ]);
    if (read.status === 'rejected') throw read.reason;
    if (others.status === 'rejected') throw others.reason;
    const { stacks, faults } = read.value;
    frames = await loadFrames(database, dictionaries, stacks, opened.place.lists);
    await markDamaged(opened.place, faults, new AbortController().signal, log);
    await loadCounts(connection, writer, list);
    const { counts } = writer;
    const keeper = new BlockKeeper({ opened, counts, maxHotSamples, nowMs, log });
    writer.committed = () => keeper.checkSize();
    const mended = mendFrames(frames, {
      ...{ dictionaries, log, repair: (used) => keeper.repair(used) },
      write: (batch) => writer.write(batch),
    });
    const { place } = opened;
    const { maintenance } = keeper;
    const collector = new DictionaryCollector({
      ...{ place, maintenance, dictionaries, writer, loaded: mended.done, nowMs },
      repair: (used) => keeper.repair(used),
    });
    const { retentionAgeMs, retentionBytes } = options;
    const limits = { ageMs: retentionAgeMs ?? null, bytes: retentionBytes ?? null };
    const upkeep = new Upkeep({
      ...{ place, maintenance, limits, counts, nowMs, log },
      repair: (used) => keeper.repair(used),
      otherBytes: () => fileBytes(database),
      tendDictionaries: (isNewDay) => collector.tend(isNewDay),
      removed: () => reloadActivity(database, writer),
    });
    const parts = { database, connection, writer, keeper, upkeep, collector, nowMs };
    return new DuckStore({ ...parts, frames: mended });
  } catch (error) {
    await frames?.stop();
    duckdb.disconnect_sync(connection);
    database.close();
    throw error;
  }
}

/** What is not in dictionaries, while these are read: each waits for DuckDB part of the time. */
async function loadOthers(database: Database, writer: GroupWriter, nowMs: number): Promise<void> {
  const connection = await database.connect();
  try {
    await forgetSeries(connection);
    await loadCatalogue(connection, writer.catalogue);
    await loadActivity(connection, writer.catalogue);
    await loadBatchIds(connection, writer.batchIds, nowMs);
  } finally {
    duckdb.disconnect_sync(connection);
  }
}

/** Once rows were removed: what is left of them decides about names and values of labels. */
async function reloadActivity(database: Database, writer: GroupWriter): Promise<void> {
  const successor = writer.catalogue.activity.successor();
  await writer.drained();
  const connection = await database.connect();
  try {
    await loadActivity(connection, writer.catalogue, successor);
  } finally {
    duckdb.disconnect_sync(connection);
  }
}
