/** What a store in memory holds: a list of rows, each with its profile and all its labels. */
import type { Labels } from '../../profile/select/labels.ts';
import { formatProfileType, type ProfileType } from '../../profile/select/profile-type.ts';
import { compileMatchers } from '../../profile/select/selector.ts';
import type {
  AgentInfo,
  DeletedProfiles,
  RowType,
  SampleLabel,
  SeriesRow,
  StoreUpkeep,
  WindowRow,
  WriteBatch,
} from '../../store/store.ts';
import { checkBatch } from './batch-faults.ts';
import { idText, MemoryDictionary } from './memory-dictionary.ts';

export type DeleteSelection = Parameters<StoreUpkeep['deleteProfiles']>[0];

export interface MemorySeries {
  id: SeriesRow['id'];
  labels: Labels;
  period: number;
}

/** All pushes that meet in (series, time) are one. */
export interface MemoryProfile {
  series: MemorySeries;
  tsMs: number;
  durationMs: number;
  types: RowType[];
  comments: string[];
}

export interface MemoryRow {
  type: RowType;
  profile: MemoryProfile;
  tsMs: number;
  stack: number;
  labelset: readonly SampleLabel[];
  /** Of its series and its own. */
  labels: Labels;
  value: bigint;
}

export interface MemoryWindow {
  agent: AgentInfo;
  window: WindowRow;
}

export class MemoryContent {
  readonly dictionary = new MemoryDictionary();
  rows: MemoryRow[] = [];
  readonly series = new Map<string, MemorySeries>();
  /** By series and time. */
  readonly profiles = new Map<string, MemoryProfile>();
  /** By agent, sequence number and time. */
  readonly windows = new Map<string, MemoryWindow>();
  readonly batchIds = new Set<string>();
  duplicateBatches = 0;

  /** Takes a batch as a whole or throws and takes nothing. */
  add(batch: WriteBatch): void {
    if (this.batchIds.has(batch.batchId)) {
      this.duplicateBatches++;
      return;
    }
    const sent = new Set(
      numbersTo(batch.stacks.ids.length / 2, (row) => idText(batch.stacks.ids, row)),
    );
    checkBatch(batch, (sample) => {
      const { stack } = batch.samples;
      return (
        this.dictionary.stackOf(stack, sample) !== undefined || sent.has(idText(stack, sample))
      );
    });
    this.batchIds.add(batch.batchId);
    this.dictionary.add(batch);
    const profiles = this.#addProfiles(batch);
    this.#addRows(batch, profiles);
    if (batch.agent === null) return;
    for (const window of batch.windows) {
      const key = `${batch.agent.id} ${window.seq} ${window.startMs}`;
      this.windows.set(key, { agent: batch.agent, window });
    }
  }

  /** Takes samples and profiles of a range away; the windows of their hosts stay. */
  delete(selection: DeleteSelection, isTrial: boolean): DeletedProfiles {
    const accepts = compileMatchers(selection.matchers);
    const { from, to } = selection.range;
    const isChosen = (series: MemorySeries, tsMs: number): boolean =>
      tsMs >= from && tsMs < to && accepts(series.labels);
    const rows = this.rows.filter(({ profile, tsMs }) => !isChosen(profile.series, tsMs));
    const profiles = [...this.profiles].filter(([, { series, tsMs }]) => isChosen(series, tsMs));
    const deleted = { profiles: profiles.length, samples: this.rows.length - rows.length };
    if (!isTrial) {
      this.rows = rows;
      for (const [key] of profiles) this.profiles.delete(key);
    }
    return { ...deleted, blocks: 0 };
  }

  #addProfiles({ series, profiles, types }: WriteBatch): MemoryProfile[] {
    return profiles.map((pushed) => {
      const row = series[pushed.series] as WriteBatch['series'][number];
      const seriesKey = row.id.join(':');
      const own = this.series.get(seriesKey) ?? row;
      this.series.set(seriesKey, own);
      const key = `${seriesKey} ${pushed.tsMs}`;
      const { tsMs, durationMs } = pushed;
      const empty = { series: own, tsMs, durationMs, types: [], comments: [] };
      const profile: MemoryProfile = this.profiles.get(key) ?? empty;
      this.profiles.set(key, profile);
      profile.durationMs = Math.max(profile.durationMs, durationMs);
      for (const type of pushed.types) {
        const added = types[type] as RowType;
        const text = rowTypeText(added);
        if (!profile.types.some((known) => rowTypeText(known) === text)) profile.types.push(added);
      }
      for (const comment of pushed.comments) {
        if (!profile.comments.includes(comment)) profile.comments.push(comment);
      }
      return profile;
    });
  }

  #addRows({ samples, types, labelsets }: WriteBatch, profiles: MemoryProfile[]): void {
    const values = new BigInt64Array(samples.value.slice().buffer);
    for (let row = 0; row < samples.count; row++) {
      const profile = profiles[samples.profile[row] as number] as MemoryProfile;
      const labelset = labelsets[samples.labelset[row] as number] as SampleLabel[];
      this.rows.push({
        type: types[samples.type[row] as number] as RowType,
        profile,
        tsMs: samples.tsMs[row] as number,
        stack: this.dictionary.stackOf(samples.stack, row) as number,
        labelset,
        labels: unionOf(profile.series.labels, labelset),
        value: values[row] as bigint,
      });
    }
  }
}

/** Whether rows of the stored type are read as `type`: as they are, or times the period. */
export function readsAs({ type, derived }: RowType, wanted: ProfileType): 'own' | 'derived' | null {
  const text = formatProfileType(wanted);
  if (formatProfileType(type) === text) return 'own';
  return derived !== null && formatProfileType(derived) === text ? 'derived' : null;
}

function rowTypeText({ type, derived }: RowType): string {
  return `${formatProfileType(type)}=>${derived === null ? '' : formatProfileType(derived)}`;
}

/** A sample's label that meets one of its series is called `exported_NAME`. */
function unionOf(series: Labels, labelset: readonly SampleLabel[]): Labels {
  const labels: Record<string, string> = { ...series };
  for (const label of labelset) {
    const plain = label.key.replaceAll(/[^A-Za-z0-9_]/g, '_');
    const name = /^([0-9]|$)/.test(plain) ? `_${plain}` : plain;
    const value = 'value' in label ? label.value : label.number;
    let seen = name;
    while (Object.hasOwn(series, seen)) seen = `exported_${seen}`;
    labels[seen] = value;
  }
  return labels;
}

function numbersTo<T>(count: number, each: (number: number) => T): T[] {
  return Array.from({ length: count }, (_, number) => each(number));
}
