/** Decoded profiles -> one WriteBatch. Its tables are reused; a batch's columns are its own. */
import { EverflameError } from '../../profile/errors.ts';
import type { SharedHashTable } from '../../profile/hash-table.ts';
import { MAX_ROWS_PER_REQUEST } from '../../profile/limits.ts';
import type { Labels } from '../../profile/select/labels.ts';
import { formatProfileType } from '../../profile/select/profile-type.ts';
import {
  absorb,
  type HashState,
  hashText,
  type IdKey,
  IdTag,
  startHash,
} from '../../profile/siphash.ts';
import type { EpochMs } from '../../profile/units.ts';
import type {
  AgentInfo,
  ProfileRow,
  RowType,
  SampleColumns,
  SeriesRow,
  WindowRow,
  WriteBatch,
} from '../../store/store.ts';
import { ColumnBlock } from './column-block.ts';
import { DICTIONARY_COLUMNS, DictionaryRows, type IdentifiedProfile } from './dictionary-rows.ts';
import type { StoredColumn } from './row-types.ts';
import { SampleLabels } from './sample-labels.ts';

/** Bytes of one sample in all its columns, and how many these are. */
const SAMPLE_BYTES = 34;
const SAMPLE_COLUMNS = 6;

/** Ids of so many series are kept, of texts that are at most so long: 16 MB of them. */
const MAX_KEPT_SERIES = 8_192;
const MAX_KEPT_SERIES_LENGTH = 1_024;

export interface BatchProfile extends IdentifiedProfile {
  /** Canonical. */
  labels: Labels;
  period: number;
  stored: readonly StoredColumn[];
  tsMs: EpochMs;
  durationMs: number;
  comments: string[];
  seq: number | null;
}

export class BatchBuilder {
  readonly #dictionary = new DictionaryRows();
  readonly #labels: SampleLabels;
  readonly #seriesHash: HashState;
  readonly #typeRows = new Map<string, number>();
  readonly #seriesRows = new Map<string, number>();
  /** Of series of earlier batches: most send again and again. */
  readonly #seriesIds = new Map<string, [low: number, high: number]>();
  #types: RowType[] = [];
  #series: SeriesRow[] = [];
  #profiles: ProfileRow[] = [];
  #samples = makeSamples(1024);
  #count = 0;

  constructor(key: IdKey) {
    this.#labels = new SampleLabels(key);
    this.#seriesHash = startHash(key, IdTag.series);
  }

  /** Samples of this batch whose labels were over a limit. */
  get samplesWithoutLabels(): number {
    return this.#labels.dropped;
  }

  /** Begins a batch. `known`: stacks that the store has. */
  begin(known: SharedHashTable | null): void {
    this.#dictionary.begin(known);
    this.#labels.begin();
    this.#typeRows.clear();
    this.#seriesRows.clear();
    this.#types = [];
    this.#series = [];
    this.#profiles = [];
    if (this.#samples.type.length > 2 ** 18) this.#samples = makeSamples(1024);
    this.#count = 0;
  }

  add(profile: BatchProfile): void {
    const types = profile.stored.map(({ type }) => this.#typeRow(type));
    const { tsMs, durationMs, comments, seq } = profile;
    const series = this.#seriesRow(profile.labels, profile.period);
    this.#profiles.push({ series, tsMs, durationMs, types, comments, seq });
    this.#dictionary.beginProfile(profile);
    this.#labels.beginProfile();
    this.#addSamples(profile, types);
  }

  #addSamples(profile: BatchProfile, types: readonly number[]): void {
    const { columns, ids, stored, tsMs } = profile;
    const { value } = columns.values;
    const width = columns.sampleTypes.length;
    const profileRow = this.#profiles.length - 1;
    for (let i = 0; i < columns.samples.count; i++) {
      let labelset = -1;
      for (let s = 0; s < stored.length; s++) {
        const at = (i * width + (stored[s] as StoredColumn).column) * 2;
        const low = value[at] as number;
        const high = value[at + 1] as number;
        if (low === 0 && high === 0) continue;
        if (labelset < 0) {
          labelset = this.#labels.rowOf(columns, i);
          this.#dictionary.addStack(profile, i);
        }
        const row = this.#nextRow();
        const samples = this.#samples;
        samples.type[row] = types[s] as number;
        samples.profile[row] = profileRow;
        samples.tsMs[row] = tsMs;
        samples.stack[row * 2] = ids.stacks[i * 2] as number;
        samples.stack[row * 2 + 1] = ids.stacks[i * 2 + 1] as number;
        samples.labelset[row] = labelset;
        samples.value[row * 2] = low;
        samples.value[row * 2 + 1] = high;
      }
    }
  }

  #nextRow(): number {
    if (this.#count >= MAX_ROWS_PER_REQUEST) throw tooManyRows();
    if (this.#count === this.#samples.type.length) {
      const grown = makeSamples(this.#count * 2);
      grown.type.set(this.#samples.type);
      grown.profile.set(this.#samples.profile);
      grown.tsMs.set(this.#samples.tsMs);
      grown.stack.set(this.#samples.stack);
      grown.labelset.set(this.#samples.labelset);
      grown.value.set(this.#samples.value);
      this.#samples = grown;
    }
    return this.#count++;
  }

  #typeRow(type: RowType): number {
    const derived = type.derived === null ? '' : formatProfileType(type.derived);
    const key = `${formatProfileType(type.type)} ${derived}`;
    const row = this.#typeRows.get(key) ?? this.#types.push(type) - 1;
    this.#typeRows.set(key, row);
    return row;
  }

  #seriesRow(labels: Labels, period: number): number {
    // JSON of the sorted pairs: the canonical text of docs/formats.md section 1.2.
    const text = JSON.stringify(Object.entries(labels));
    const key = `${period} ${text}`;
    const present = this.#seriesRows.get(key);
    if (present !== undefined) return present;
    const id = this.#seriesIds.get(key) ?? this.#newSeriesId(key, period, text);
    const row = this.#series.push({ id, labels, period }) - 1;
    this.#seriesRows.set(key, row);
    return row;
  }

  #newSeriesId(key: string, period: number, text: string): [low: number, high: number] {
    const [low, high] = new Int32Array(Float64Array.of(period).buffer);
    const state = absorb(absorb(this.#seriesHash, low as number), high as number);
    const id = hashText(state, text);
    if (this.#seriesIds.size >= MAX_KEPT_SERIES) this.#seriesIds.clear();
    if (key.length <= MAX_KEPT_SERIES_LENGTH) this.#seriesIds.set(key, id);
    return id;
  }

  /** The batch; the builder may begin the next one at once. */
  finish(batchId: string, agent: AgentInfo | null, windows: WindowRow[]): WriteBatch {
    const bytes =
      this.#count * SAMPLE_BYTES + this.#labels.byteLength + this.#dictionary.byteLength;
    const block = new ColumnBlock(bytes, SAMPLE_COLUMNS + 1 + DICTIONARY_COLUMNS);
    return {
      batchId,
      agent,
      windows,
      types: this.#types,
      series: this.#series,
      profiles: this.#profiles,
      samples: this.#copySamples(block),
      ...this.#labels.finish(block),
      ...this.#dictionary.finish(block),
    };
  }

  #copySamples(block: ColumnBlock): SampleColumns {
    const count = this.#count;
    const from = this.#samples;
    const to = {
      count,
      type: block.uint16(count),
      profile: block.uint32(count),
      tsMs: block.float64(count),
      stack: block.int32(count * 2),
      labelset: block.uint32(count),
      value: block.int32(count * 2),
    };
    to.type.set(from.type.subarray(0, count));
    to.profile.set(from.profile.subarray(0, count));
    to.tsMs.set(from.tsMs.subarray(0, count));
    to.stack.set(from.stack.subarray(0, count * 2));
    to.labelset.set(from.labelset.subarray(0, count));
    to.value.set(from.value.subarray(0, count * 2));
    return to;
  }
}

function makeSamples(rows: number): Omit<SampleColumns, 'count'> {
  return {
    type: new Uint16Array(rows),
    profile: new Uint32Array(rows),
    tsMs: new Float64Array(rows),
    stack: new Int32Array(rows * 2),
    labelset: new Uint32Array(rows),
    value: new Int32Array(rows * 2),
  };
}

function tooManyRows(): EverflameError {
  return new EverflameError('too-large', 'the request has too many samples', {
    field: 'body',
    limit: `MAX_ROWS_PER_REQUEST = ${MAX_ROWS_PER_REQUEST}`,
    remedy: 'Send the profiles in several requests.',
  });
}
