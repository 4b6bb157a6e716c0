/**
 * A store in memory, too plain to be wrong: lists of rows that every question walks through. What
 * it answers is what any store must answer.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DictionarySnapshot } from '../../profile/dictionary.ts';
import { EverflameError } from '../../profile/errors.ts';
import type { IdKey } from '../../profile/siphash.ts';
import type { Store, StoreStats, WriteBatch } from '../../store/store.ts';
import type { ConformingStore } from '../conformance/store.ts';
import { mergeRows, timelineRows } from './memory-answers.ts';
import { type DeleteSelection, MemoryContent } from './memory-content.ts';
import { selectRows } from './memory-deltas.ts';
import {
  coveredTime,
  listAgents,
  listLabelNames,
  listLabelValues,
  listProfiles,
  listTypes,
  profileContent,
  summarizeRows,
} from './memory-summaries.ts';

/** What outlives a store in memory: what was done to it, in order. */
export interface MemoryPlace {
  idKey: IdKey;
  changes: (WriteBatch | DeleteSelection)[];
}

/** Figures of what only a store with files has. */
const NOTHING_ON_DISK = {
  bytesOnDisk: 0,
  bytesOfMemory: 0,
  pendingBatches: 0,
  blocks: 0,
  damagedBlocks: 0,
  seals: 0,
  failedSeals: 0,
  sealSeconds: 0,
  blockMerges: 0,
  failedUpkeeps: 0,
  expiredSamples: 0,
  dictionaryRowsRemoved: 0,
  deletedSamples: 0,
  orphansRemoved: 0,
  samplesWithoutLabels: 0,
};

export function openMemoryStore(place: MemoryPlace): ConformingStore {
  const content = new MemoryContent();
  for (const change of place.changes) {
    if ('batchId' in change) content.add(change);
    else content.delete(change, false);
  }
  return new MemoryStore(place, content);
}

class MemoryStore implements ConformingStore {
  readonly idKey: IdKey;
  readonly atomicBatches = true;
  readonly #place: MemoryPlace;
  readonly #content: MemoryContent;
  #isOpen = true;

  constructor(place: MemoryPlace, content: MemoryContent) {
    this.#place = place;
    this.#content = content;
    this.idKey = place.idKey;
  }

  async write(batch: WriteBatch): Promise<void> {
    const { batchIds } = this.#check();
    const isNew = !batchIds.has(batch.batchId);
    const kept = structuredClone(batch);
    this.#content.add(kept);
    if (isNew) this.#place.changes.push(kept);
  }

  async deleteProfiles(selection: DeleteSelection, isTrial: boolean) {
    if (!isTrial) this.#place.changes.push(selection);
    return this.#check().delete(selection, isTrial);
  }

  snapshot(): DictionarySnapshot {
    return this.#content.dictionary.snapshot();
  }

  async profileTypes(selection: Parameters<Store['profileTypes']>[0]) {
    return listTypes(await this.#read(), selection);
  }

  async labelNames(selection: Parameters<Store['labelNames']>[0]) {
    return listLabelNames(await this.#read(), selection);
  }

  async labelValues(name: string, selection: Parameters<Store['labelValues']>[1]) {
    return listLabelValues(await this.#read(), name, selection);
  }

  async merge(...[selection, by, options]: Parameters<Store['merge']>) {
    return mergeRows(await this.#read(options?.signal), selection, by);
  }

  /** Everything is looked at, whatever is asked; what matches is known. */
  async estimate(selection: Parameters<Store['estimate']>[0]) {
    const content = this.#check();
    const { series } = summarizeRows(content, selection);
    const hotRows = content.rows.length;
    const rows = selectRows(content, selection).length;
    return { series, blocks: 0, bytes: 0, maxRows: hotRows, hotRows, rows };
  }

  async timeline(...[selection, by, stepMs, options]: Parameters<Store['timeline']>) {
    return timelineRows(await this.#read(options?.signal), selection, by, stepMs);
  }

  async summary(...[selection, options]: Parameters<Store['summary']>) {
    return summarizeRows(await this.#read(options?.signal), selection);
  }

  async mergeAndSummarize(...[selection, by, options]: Parameters<Store['mergeAndSummarize']>) {
    const content = await this.#read(options?.signal);
    return {
      merged: mergeRows(content, selection, by),
      summary: summarizeRows(content, selection),
    };
  }

  async coveredMs(...[selection, options]: Parameters<Store['coveredMs']>) {
    return coveredTime(await this.#read(options?.signal), selection);
  }

  async profiles(...[selection, limit, options]: Parameters<Store['profiles']>) {
    return listProfiles(await this.#read(options?.signal), selection, limit);
  }

  async profile(...[id, options]: Parameters<Store['profile']>) {
    return profileContent(await this.#read(options?.signal), id);
  }

  async agents(range: Parameters<Store['agents']>[0]) {
    return listAgents(await this.#read(), range);
  }

  stats(): StoreStats {
    const { rows, profiles, series, dictionary, batchIds, duplicateBatches } = this.#content;
    return {
      samples: rows.length,
      profiles: profiles.size,
      series: series.size,
      ...dictionary.counts,
      ...NOTHING_ON_DISK,
      hotSamples: rows.length,
      commits: batchIds.size,
      duplicateBatches,
    };
  }

  async ready(): Promise<boolean> {
    return this.#isOpen;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }

  /** Gives way to writers first, as reads from a disk do. */
  async #read(signal?: AbortSignal): Promise<MemoryContent> {
    const content = this.#check(signal);
    await nextTurn();
    return content;
  }

  #check(signal?: AbortSignal): MemoryContent {
    if (!this.#isOpen) throw new EverflameError('unavailable', 'the store is closed');
    if (signal?.aborted) throw new EverflameError('cancelled', 'the read was given up');
    return this.#content;
  }
}
