/**
 * What the rest of the program asks of a store. Columnar, no SQL. A backend that passes
 * test/conformance/store.ts can take the place of the embedded one.
 */

import type { DictionarySnapshot } from '../profile/dictionary.ts';
import type { EverflameError } from '../profile/errors.ts';
import type { Labels } from '../profile/select/labels.ts';
import type { ProfileType } from '../profile/select/profile-type.ts';
import type { Matcher } from '../profile/select/selector.ts';
import type { IdKey } from '../profile/siphash.ts';
import type { EpochMs, TimeRange } from '../profile/units.ts';
import type { WindowTotals } from '../profile/window-counters.ts';

/** 64-bit ids of docs/formats.md: low and high halves interleaved, two words per id. */
export type Ids = Int32Array;

/**
 * One request's content, ready to store. Plain arrays and typed arrays only: it is built on a
 * decode worker and moved to the main thread. Tables refer to each other by row number here; the
 * store maps rows to its own dense refs. Rows whose id it already has are ignored.
 */
export interface WriteBatch {
  batchId: string;
  /** Null for pushes that do not come from an agent. */
  agent: AgentInfo | null;
  windows: WindowRow[];
  types: RowType[];
  series: SeriesRow[];
  profiles: ProfileRow[];
  samples: SampleColumns;
  /** Row 0 is the empty set and always present. */
  labelsets: SampleLabel[][];
  labelsetIds: Ids;
  /**
   * New dictionary rows. A stack that was in a snapshot of the last minutes may be left out with
   * all it refers to.
   */
  strings: { ids: Ids; offsets: Uint32Array; bytes: Uint8Array };
  functions: {
    ids: Ids;
    /** Rows of `strings`. */
    name: Uint32Array;
    systemName: Uint32Array;
    file: Uint32Array;
    startLine: Uint32Array;
  };
  locations: {
    ids: Ids;
    /** Rows of `strings`. */
    binary: Uint32Array;
    buildId: Uint32Array;
    space: Uint8Array;
    kind: Uint8Array;
    flags: Uint8Array;
    address: Uint32Array;
    lineOffsets: Uint32Array;
    /** Rows of `functions`. */
    lineFunction: Uint32Array;
    lineNumber: Uint32Array;
    lineColumn: Uint32Array;
  };
  stacks: { ids: Ids; offsets: Uint32Array /** Rows of `locations`. */; locations: Uint32Array };
}

export interface AgentInfo {
  id: string;
  host: string;
  version: string;
  kernel: string;
}

/** One sampling window of an agent with every figure of profile/window-counters.ts. */
export interface WindowRow {
  seq: number;
  startMs: EpochMs;
  lengthMs: number;
  frequencyHz: number;
  counters: Record<string, number>;
}

export interface SeriesRow {
  id: [low: number, high: number];
  /** Canonical (profile/select/labels.ts). */
  labels: Labels;
  /** In the period type's unit; 0 where there is none. */
  period: number;
}

export interface ProfileRow {
  /** Row of `series`. */
  series: number;
  tsMs: EpochMs;
  durationMs: number;
  /** Rows of `types`. */
  types: number[];
  comments: string[];
  /** Sequence number of the agent's window it belongs to, or null. */
  seq: number | null;
}

export interface SampleColumns {
  count: number;
  /** Row of `types`. */
  type: Uint16Array;
  /** Row of `profiles`. */
  profile: Uint32Array;
  /** The profile's time, or the sample's own where its writer gives one. */
  tsMs: Float64Array;
  stack: Ids;
  /** Row of `labelsets`. */
  labelset: Uint32Array;
  /** Signed 64-bit, low and high halves interleaved. Never negative, never zero. */
  value: Int32Array;
}

export type SampleLabel = { key: string } & ({ value: string } | { number: string; unit: string });

/**
 * The type of stored rows. Where, checked at decode, time = count x period held in every sample of
 * a profile, only the count is stored and `derived` names the time type that is read from it: the
 * derived type reads its own rows and these x period, `type` reads its own rows and these.
 */
export interface RowType {
  type: ProfileType;
  derived: ProfileType | null;
}

export interface Selection {
  type: ProfileType;
  matchers: readonly Matcher[];
  range: TimeRange;
  /** Only this one, where it is given. */
  series?: SeriesRow['id'];
}

/** A profile is what one series has of one time. */
export interface ProfileId {
  series: SeriesRow['id'];
  tsMs: EpochMs;
}

/** What a read of a selection touches at most, and what of it is expected to match. */
export interface Estimate {
  /** Series that may have data in the range. */
  series: number;
  /** Sealed blocks whose times meet the range. */
  blocks: number;
  /** Bytes of the files of these blocks; parts of them are read. */
  bytes: number;
  /** Rows of samples in these blocks and not yet sealed: no read looks at more. */
  maxRows: number;
  /** Of them, those not yet sealed. */
  hotRows: number;
  /**
   * Rows expected to match: each block's, scaled by the part of its time that lies in the range and
   * by the part of the series of the type that the selection takes.
   */
  rows: number;
}

export interface ReadOptions {
  signal?: AbortSignal;
}

export interface MergeColumns {
  /** Label sets of the groups; one empty set where `by` is empty. */
  groups: Labels[];
  /** Row of `groups`. */
  group: Uint32Array;
  /** StackRefs, valid in this process; each (group, stack) pair once. */
  stack: Uint32Array;
  /** Times `multiplier` in the type's unit. */
  value: Float64Array;
  multiplier: number;
  /** True where every value is an exact integer count. */
  integer: boolean;
}

export interface TimelineGroup {
  labels: Labels;
  /** Per step: sum for deltas, time-weighted mean for gauges; NaN where no profile covers it. */
  value: Float64Array;
  /** Sampled events where they are known, else NaN. */
  samples: Float64Array;
}

export interface StoredProfile {
  series: SeriesRow['id'];
  tsMs: EpochMs;
  /** Time of its last sample, where samples have times of their own; else `tsMs`. */
  lastMs: EpochMs;
  durationMs: number;
  labels: Labels;
  types: ProfileType[];
  samples: number;
  comments: string[];
}

/** A profile as it was pushed: all its types, and its samples with their own labels. */
export interface ProfileContent {
  durationMs: number;
  /** In the period type's unit; 0 where there is none. */
  period: number;
  types: RowType[];
  comments: string[];
  labelsets: (readonly SampleLabel[])[];
  /** Row of `types`. */
  type: Uint16Array;
  /** StackRefs; each (type, stack, label set) once. */
  stack: Uint32Array;
  /** Row of `labelsets`. */
  labelset: Uint32Array;
  value: Float64Array;
}

/** Blocks that answers leave out because they are damaged, and the rows of samples in them. */
export interface DamagedBlocks {
  blocks: number;
  samples: number;
}

export interface SelectionSummary {
  /** Of those with rows in the range; absent where there are none. */
  damaged?: DamagedBlocks;
  series: number;
  profiles: number;
  /** Sum of count types, else value / period, else null. */
  samples: number | null;
  /** Counters of the windows of the hosts that the series come from; null without any. */
  windows: (WindowTotals & { nominalHz: number | null }) | null;
}

export interface AgentRow extends AgentInfo {
  firstSeenMs: EpochMs;
  lastSeenMs: EpochMs;
  lastSeq: number;
  totals: WindowTotals;
}

export interface StoreStats {
  samples: number;
  profiles: number;
  series: number;
  stacks: number;
  locations: number;
  functions: number;
  strings: number;
  bytesOnDisk: number;
  bytesOfMemory: number;
  pendingBatches: number;
  commits: number;
  /** Rows of samples that are not in a block yet. */
  hotSamples: number;
  blocks: number;
  /** Blocks that are left out of answers, because a file of them is damaged or missing. */
  damagedBlocks: number;
  seals: number;
  failedSeals: number;
  /** Blocks that were made of several. */
  blockMerges: number;
  /** Merges and retention that failed and were tried again. */
  failedUpkeeps: number;
  expiredSamples: number;
  deletedSamples: number;
  /** Rows of dictionaries that were removed because no sample used them any more. */
  dictionaryRowsRemoved: number;
  /** Time that sealing took together. */
  sealSeconds: number;
  /** Files that the start found and no block named. */
  orphansRemoved: number;
  /** Requests whose batch id was stored before. */
  duplicateBatches: number;
  /** Samples stored without their label set, because there was no room for another set. */
  samplesWithoutLabels: number;
}

/** Selections of metadata may leave out the type. */
export type MetaSelection = { type?: ProfileType; matchers: readonly Matcher[]; range?: TimeRange };

export interface Store {
  /** Random per store; ids made with another key are refused by nobody and match nothing. */
  readonly idKey: IdKey;
  /** Whether a batch becomes visible at once; ClickHouse may show part of one. */
  readonly atomicBatches: boolean;

  /**
   * Resolves once the batch is durable and readable exactly once. After an error or a crash the
   * same batch id written again ends as one write.
   */
  write(batch: WriteBatch): Promise<void>;
  /** The dictionaries as of the last commit. Cheap; the same object until something was added. */
  snapshot(): DictionarySnapshot;

  profileTypes(selection: MetaSelection, options?: ReadOptions): Promise<ProfileType[]>;
  labelNames(selection: MetaSelection, options?: ReadOptions): Promise<string[]>;
  labelValues(name: string, selection: MetaSelection, options?: ReadOptions): Promise<string[]>;

  /** The cost of reading a selection, from memory. */
  estimate(selection: Selection): Promise<Estimate>;
  /** Sums by group and stack over the whole selection; fails over a limit, never cuts. */
  merge(selection: Selection, by: readonly string[], options?: ReadOptions): Promise<MergeColumns>;
  /** The first group is the sum of all where `by` is empty. Steps start at `range.from`. */
  timeline(
    selection: Selection,
    by: readonly string[],
    stepMs: number,
    options?: ReadOptions,
  ): Promise<TimelineGroup[]>;
  summary(selection: Selection, options?: ReadOptions): Promise<SelectionSummary>;
  /** `merge` and `summary` as of one moment, at less than the cost of both. */
  mergeAndSummarize(
    selection: Selection,
    by: readonly string[],
    options?: ReadOptions,
  ): Promise<{ merged: MergeColumns; summary: SelectionSummary }>;
  /** Time that the profiles cover together; null where one of them does not tell its length. */
  coveredMs(selection: Selection, options?: ReadOptions): Promise<number | null>;
  profiles(selection: Selection, limit: number, options?: ReadOptions): Promise<StoredProfile[]>;
  /** One profile whole; null where there is none. */
  profile(id: ProfileId, options?: ReadOptions): Promise<ProfileContent | null>;
  agents(range: TimeRange, options?: ReadOptions): Promise<AgentRow[]>;

  stats(): StoreStats;
  /** A write and a read go through. */
  ready(): Promise<boolean>;
  /** Finishes accepted writes, then closes. */
  close(): Promise<void>;
}

/** What a check of everything stored has found. */
export interface StoreCheck {
  /** Files of blocks, their bytes, and all rows that were read. */
  files: number;
  bytes: number;
  rows: number;
  faults: StoreFault[];
}

export interface StoreFault {
  /** A file relative to the data directory, a block or a table. */
  place: string;
  what: string;
  /** Of a block's rows: the time they lie in, and how many samples they are. */
  range: TimeRange | null;
  samples: number;
}

export interface StoreCopy {
  /** Absolute; gone after `release`. */
  dir: string;
  release(): Promise<void>;
}

/** What is kept, and why no more. */
export interface StoreStatus {
  bytesOnDisk: number;
  /** Null: no such limit. */
  retentionAgeMs: number | null;
  retentionBytes: number | null;
  /** Time of the oldest profile; null where there is none. */
  oldestMs: EpochMs | null;
  /** What removed older ones since the start; `nothing` where nothing was. */
  limitedBy: 'age' | 'bytes' | 'nothing';
  blocks: number;
  /** Blocks that answers leave out, with the reason. */
  damaged: { fromMs: EpochMs; toMs: EpochMs; samples: number; reason: string }[];
}

/** What was deleted, or would be. */
export interface DeletedProfiles {
  profiles: number;
  samples: number;
  /** Files of so many blocks were written anew or dropped. */
  blocks: number;
}

/** What operators do with a store besides. */
export interface StoreUpkeep {
  /** Reads everything; what turns out damaged is set aside. */
  check(signal: AbortSignal): Promise<StoreCheck>;
  /** The store as of one moment, beside it, as a data directory of its own. */
  copy(signal: AbortSignal): Promise<StoreCopy>;
  status(): Promise<StoreStatus>;
  /** Why writes are refused, as on a full disk; null where they are taken. */
  refusal(): EverflameError | null;
  /** Deletes the profiles of a selection by labels of series; counts them only with `isTrial`. */
  deleteProfiles(
    selection: { matchers: readonly Matcher[]; range: TimeRange },
    isTrial: boolean,
  ): Promise<DeletedProfiles>;
  /**
   * A selection as Parquet files in a folder: samples, series and stacks (docs/store.md). Making
   * them takes so much memory; what does not fit lies on the disk meanwhile.
   */
  export(selection: Selection, memoryBytes: number, signal: AbortSignal): Promise<StoreCopy>;
}

/** What a user's SQL reads: the rows as of one moment, in files that stay until `release`. */
export interface SqlSnapshot {
  /** Files by table; what they hold is between the store and its sandbox. */
  files: SqlFiles;
  /** When the rows not in blocks were copied; later ones are missing. */
  takenMs: EpochMs;
  /** What the files lack because a block cannot be read; null where nothing is. */
  damaged: DamagedBlocks | null;
  release(): void;
}
export type SqlFiles = Readonly<Record<string, readonly string[]>>;

export interface SqlSource {
  /** Recent snapshots are shared, so that many statements cost one copy. */
  sqlSnapshot(): Promise<SqlSnapshot>;
}
