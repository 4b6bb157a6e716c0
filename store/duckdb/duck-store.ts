/** The embedded store: one DuckDB file in the data directory, dictionaries in memory. */
import duckdb from '@duckdb/node-bindings';
import type { DictionarySnapshot } from '../../profile/dictionary.ts';
import { EverflameError } from '../../profile/errors.ts';
import { aggregationOf, type ProfileType } from '../../profile/select/profile-type.ts';
import type { Matcher } from '../../profile/select/selector.ts';
import type { IdKey } from '../../profile/siphash.ts';
import type { EpochMs, TimeRange } from '../../profile/units.ts';
import type {
  AgentRow,
  DeletedProfiles,
  Estimate,
  MergeColumns,
  MetaSelection,
  ProfileContent,
  ProfileId,
  ReadOptions,
  Selection,
  SelectionSummary,
  SqlSnapshot,
  SqlSource,
  Store,
  StoreCheck,
  StoreCopy,
  StoredProfile,
  StoreStats,
  StoreStatus,
  StoreUpkeep,
  TimelineGroup,
  WriteBatch,
} from '../store.ts';
import type { BlockKeeper } from './blocks/block-keeper.ts';
import { oldestKeptMs } from './blocks/retention.ts';
import type { SealRequest } from './blocks/seal.ts';
import type { Upkeep } from './blocks/upkeep.ts';
import { seriesToDelete } from './catalogue/deletion.ts';
import type { DictionaryCollector } from './dictionary/collector.ts';
import type { FrameLoad } from './dictionary/load-frames.ts';
import { Inspector } from './inspect/inspector.ts';
import { readCoveredMs } from './read/coverage.ts';
import { estimateRead } from './read/estimate.ts';
import { mergeGauges } from './read/gauges.ts';
import { mergeDeltas } from './read/merge.ts';
import { type Read, readLabelNames, readLabelValues, readProfileTypes } from './read/metadata.ts';
import { readOldestMs } from './read/oldest.ts';
import { readProfile, readProfiles } from './read/profiles.ts';
import { readSummary } from './read/summary.ts';
import { readTimeline } from './read/timeline.ts';
import { readAgents } from './read/windows.ts';
import { type Database, fileBytes, probeDatabase } from './sql/database.ts';
import { type DiskSpace, volumeOf } from './sql/disk-space.ts';
import { ReaderPool, type ReadSession } from './sql/reader-pool.ts';
import { shrinkBeforeClose } from './sql/shrink-file.ts';
import { checkAge } from './write/age-check.ts';
import type { GroupWriter } from './write/group-writer.ts';

/** What tests and maintenance ask of the embedded store alone. */
export interface EmbeddedStore extends Store, SqlSource, StoreUpkeep {
  /** Makes blocks of hot rows; of all of them where nothing is said. */
  seal(request?: SealRequest): Promise<void>;
  /**
   * What else is done from time to time: removes what is too old or too much, merges blocks, and
   * does the next step of removing dictionary rows that nothing uses.
   */
  maintain(): Promise<void>;
  /** Begins to give memory back that was freed and is still kept. */
  giveBackFreed(): void;
  /** Resolves with the reason when the store answers nothing any more until it is opened again. */
  readonly ended: Promise<EverflameError>;
}

/** What the store is made of, opened and filled (open-store.ts). */
export interface StoreParts {
  database: Database;
  connection: duckdb.Connection;
  writer: GroupWriter;
  keeper: BlockKeeper;
  upkeep: Upkeep;
  collector: DictionaryCollector;
  frames: FrameLoad<void>;
  nowMs: () => number;
}

export class DuckStore implements EmbeddedStore {
  readonly idKey: IdKey;
  readonly ended: Promise<EverflameError>;
  readonly atomicBatches = true;
  readonly #database: Database;
  readonly #connection: duckdb.Connection;
  readonly #writer: GroupWriter;
  readonly #keeper: BlockKeeper;
  readonly #upkeep: Upkeep;
  readonly #collector: DictionaryCollector;
  readonly #frames: FrameLoad<void>;
  readonly #disk: DiskSpace;
  /** Of the last write, if it found no room. */
  #fullDisk: EverflameError | null = null;
  readonly #nowMs: () => number;
  readonly #readers: ReaderPool;
  readonly #inspector: Inspector;
  #closing: Promise<void> | null = null;
  #probing: Promise<boolean> | null = null;
  #givingBack: Promise<unknown> | null = null;

  constructor({ database, connection, writer, keeper, ...parts }: StoreParts) {
    const { upkeep, collector, frames, nowMs } = parts;
    this.#collector = collector;
    this.#frames = frames;
    this.#disk = volumeOf(database.dataDir);
    this.#upkeep = upkeep;
    this.#nowMs = nowMs;
    this.#database = database;
    this.#connection = connection;
    this.#writer = writer;
    this.#keeper = keeper;
    this.#readers = new ReaderPool(database, keeper.place.lists, (used) => keeper.repair(used));
    const { dataDir } = database;
    const { catalogue } = writer;
    this.#inspector = new Inspector({ dataDir, readers: this.#readers, keeper, catalogue });
    this.idKey = database.idKey;
    this.ended = database.ended;
    // Filling the dictionaries takes some times what they keep.
    void Promise.allSettled([frames.done]).then(() => this.giveBackFreed());
  }

  async seal(request: SealRequest = { beforeMs: Number.MAX_SAFE_INTEGER }): Promise<void> {
    await this.#keeper.seal(request);
  }

  async maintain(): Promise<void> {
    await this.#upkeep.expire();
    await this.#upkeep.merge();
    await this.#collector.step();
  }

  async deleteProfiles(
    { matchers, range }: { matchers: readonly Matcher[]; range: TimeRange },
    isTrial: boolean,
  ): Promise<DeletedProfiles> {
    await this.#judgeAhead({ matchers });
    const { catalogue } = this.#writer;
    const series = seriesToDelete(catalogue, matchers, wholeRange(range));
    const removed = await this.#upkeep.delete(series, wholeRange(range), isTrial);
    const { profiles, samples, blocks } = removed;
    return { profiles, samples, blocks };
  }

  giveBackFreed(): void {
    if (this.#closing !== null) return;
    this.#givingBack ??= Promise.allSettled([this.#database.giveBackFreed()]).then(() => {
      this.#givingBack = null;
    });
  }

  refusal(): EverflameError | null {
    return this.#disk.fault() ?? this.#fullDisk;
  }

  async status(): Promise<StoreStatus> {
    const { ageMs, bytes } = this.#upkeep.limits;
    const { blocks, oldestMs } = await this.#readers.read(undefined, async (session) => ({
      blocks: session.sources.list.blocks,
      oldestMs: await readOldestMs(session),
    }));
    return {
      bytesOnDisk: this.stats().bytesOnDisk,
      retentionAgeMs: ageMs,
      retentionBytes: bytes,
      oldestMs,
      limitedBy: this.#upkeep.limitedBy,
      blocks: blocks.length,
      damaged: blocks
        .filter(({ damaged }) => damaged !== '')
        .map(({ fromMs, toMs, samples, damaged }) => ({
          fromMs: fromMs as EpochMs,
          toMs: toMs as EpochMs,
          samples,
          reason: damaged,
        })),
    };
  }

  async write(batch: WriteBatch): Promise<void> {
    this.#disk.checkRoom();
    checkAge(batch, oldestKeptMs(this.#upkeep.limits, this.#nowMs()));
    try {
      await this.#writer.write(batch);
      this.#fullDisk = null;
    } catch (error) {
      this.#database.noteFailure(error);
      if (error instanceof EverflameError && error.kind === 'storage-full') this.#fullDisk = error;
      throw error;
    }
  }

  snapshot(): DictionarySnapshot {
    return this.#writer.dictionaries.snapshot();
  }

  #readMeta({ signal }: ReadOptions): Read {
    return (run) => this.#readers.read(signal, run);
  }

  /** Asks regular expressions about the labels in turns, so that selecting does not block. */
  #judgeAhead({ matchers }: { matchers: readonly Matcher[] }): Promise<void> {
    return this.#writer.catalogue.series.judgeAhead(matchers);
  }

  async profileTypes(selection: MetaSelection, options: ReadOptions = {}): Promise<ProfileType[]> {
    await this.#judgeAhead(selection);
    return readProfileTypes(this.#readMeta(options), this.#writer.catalogue, wholeMs(selection));
  }

  async labelNames(selection: MetaSelection, options: ReadOptions = {}): Promise<string[]> {
    await this.#judgeAhead(selection);
    return readLabelNames(this.#readMeta(options), this.#writer.catalogue, wholeMs(selection));
  }

  async labelValues(
    name: string,
    selection: MetaSelection,
    options: ReadOptions = {},
  ): Promise<string[]> {
    await this.#judgeAhead(selection);
    const read = this.#readMeta(options);
    return readLabelValues(read, this.#writer.catalogue, name, wholeMs(selection));
  }

  async estimate(selection: Selection): Promise<Estimate> {
    await this.#judgeAhead(selection);
    const hotRows = this.#writer.counts.hotSamples;
    const { blocks } = this.#keeper.place.lists.current;
    return estimateRead(this.#writer.catalogue, wholeMs(selection), hotRows, blocks);
  }

  async merge(
    selection: Selection,
    by: readonly string[],
    options: ReadOptions = {},
  ): Promise<MergeColumns> {
    const merged = await this.#read(selection, options, (session) =>
      this.#merge(session, selection, by),
    );
    await this.#stacksPublished(merged);
    return merged;
  }

  async mergeAndSummarize(
    selection: Selection,
    by: readonly string[],
    options: ReadOptions = {},
  ): Promise<{ merged: MergeColumns; summary: SelectionSummary }> {
    const answer = await this.#read(selection, options, async (session) => {
      const { catalogue } = this.#writer;
      const merged = await this.#merge(session, selection, by);
      return { merged, summary: await readSummary(session, catalogue, wholeMs(selection), merged) };
    });
    await this.#stacksPublished(answer.merged);
    return answer;
  }

  async #merge(
    session: ReadSession,
    selection: Selection,
    by: readonly string[],
  ): Promise<MergeColumns> {
    const { catalogue, counts } = this.#writer;
    const whole = wholeMs(selection);
    const merged =
      aggregationOf(selection.type) === 'gauge'
        ? await mergeGauges(session, catalogue, whole, by)
        : await mergeDeltas(session, catalogue, whole, by, counts.hotSamples);
    const given = this.#writer.dictionaries.stacks.index.count;
    // Bits that have flipped in a block: the read fails, and the block is looked at.
    if (merged.stack.some((ref) => ref >= given)) {
      throw new EverflameError('unavailable', 'stored rows refer to stacks that there are not');
    }
    return merged;
  }

  /** A query may see a commit before its stacks are in the snapshot; the caller must not. */
  async #stacksPublished({ stack }: Pick<MergeColumns, 'stack'>): Promise<void> {
    await this.#frames.done;
    const known = this.#writer.dictionaries.stacks.index.committedCount;
    if (stack.some((ref) => ref >= known)) await this.#writer.settled();
  }

  timeline(
    selection: Selection,
    by: readonly string[],
    stepMs: number,
    options: ReadOptions = {},
  ): Promise<TimelineGroup[]> {
    return this.#read(selection, options, (session) =>
      readTimeline(session, this.#writer.catalogue, wholeMs(selection), by, stepMs),
    );
  }

  summary(selection: Selection, options: ReadOptions = {}): Promise<SelectionSummary> {
    return this.#read(selection, options, (session) =>
      readSummary(session, this.#writer.catalogue, wholeMs(selection)),
    );
  }

  coveredMs(selection: Selection, options: ReadOptions = {}): Promise<number | null> {
    return this.#read(selection, options, (session) =>
      readCoveredMs(session, this.#writer.catalogue, wholeMs(selection)),
    );
  }

  profiles(
    selection: Selection,
    limit: number,
    options: ReadOptions = {},
  ): Promise<StoredProfile[]> {
    return this.#read(selection, options, (session) =>
      readProfiles(session, this.#writer.catalogue, wholeMs(selection), limit),
    );
  }

  async profile(id: ProfileId, { signal }: ReadOptions = {}): Promise<ProfileContent | null> {
    const content = await this.#readers.read(signal, (session) =>
      readProfile(session, this.#writer.catalogue, id),
    );
    if (content !== null) await this.#stacksPublished(content);
    return content;
  }

  agents(range: TimeRange, { signal }: ReadOptions = {}): Promise<AgentRow[]> {
    return this.#readers.read(signal, (session) =>
      readAgents(session, this.#writer.catalogue, wholeRange(range)),
    );
  }

  async #read<T>(
    selection: Selection,
    options: ReadOptions,
    run: (session: ReadSession) => Promise<T>,
  ): Promise<T> {
    await this.#judgeAhead(selection);
    return this.#readers.read(options.signal, run);
  }

  stats(): StoreStats {
    const { dictionaries, catalogue, counts, batchIds, pendingBatches } = this.#writer;
    const { stats, place } = this.#keeper;
    const { bytes, damaged } = place.lists;
    return {
      ...counts,
      ...stats,
      ...this.#upkeep.stats,
      ...this.#collector.stats,
      blocks: place.lists.current.blocks.length,
      damagedBlocks: damaged,
      series: catalogue.seriesIndex.committedCount,
      ...dictionaries.rows(),
      bytesOnDisk: bytes + fileBytes(this.#database),
      bytesOfMemory: dictionaries.byteLength + catalogue.byteLength + batchIds.byteLength,
      pendingBatches,
      samplesWithoutLabels: this.#writer.buffer.samplesWithoutLabels,
    };
  }

  sqlSnapshot(): Promise<SqlSnapshot> {
    return this.#inspector.sqlSnapshot();
  }

  copy(signal: AbortSignal): Promise<StoreCopy> {
    return this.#inspector.copy(signal);
  }

  async export(selection: Selection, memoryBytes: number, signal: AbortSignal): Promise<StoreCopy> {
    await this.#judgeAhead(selection);
    return this.#inspector.export(wholeMs(selection), memoryBytes, signal);
  }

  check(signal: AbortSignal): Promise<StoreCheck> {
    return this.#inspector.check(signal);
  }

  /** Questions that come while one is being answered share its answer. */
  ready(): Promise<boolean> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = null;
    });
    return this.#probing;
  }

  async #probe(): Promise<boolean> {
    if (this.#closing !== null) return false;
    const probe = probeDatabase(this.#database, Date.now());
    const [answer] = await Promise.allSettled([probe]);
    if (answer.status === 'rejected') this.#database.noteFailure(answer.reason);
    return answer.status === 'fulfilled';
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writer.close();
    this.#upkeep.stop();
    await this.#keeper.close();
    await Promise.all([this.#probing, this.#givingBack]);
    await this.#frames.stop();
    await this.#readers.close();
    await this.#inspector.close();
    duckdb.disconnect_sync(this.#connection);
    await shrinkBeforeClose(this.#database);
    this.#database.close();
  }
}

/** Stored times are whole milliseconds: t >= from exactly if t >= ceil(from). */
function wholeRange({ from, to }: TimeRange): TimeRange {
  return { from: Math.ceil(from) as EpochMs, to: Math.ceil(to) as EpochMs };
}

function wholeMs<S extends { range?: TimeRange }>(selection: S): S {
  return selection.range === undefined
    ? selection
    : { ...selection, range: wholeRange(selection.range) };
}
