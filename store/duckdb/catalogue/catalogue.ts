/**
 * What there is besides stacks: types, series, sample label sets and agents, small enough to be
 * held in memory. New items are visible to reads before they are durable (rows that
 * refer to them are not); a failed transaction takes them back.
 */
import { randomBytes } from 'node:crypto';
import { MAX_SERIES } from '../../../profile/limits.ts';
import {
  formatProfileType,
  type ProfileType,
  parseProfileType,
} from '../../../profile/select/profile-type.ts';
import { labelValue } from '../../../profile/select/selector.ts';
import type { AgentInfo, RowType, SampleLabel, SeriesRow, WriteBatch } from '../../store.ts';
import { IdIndex } from '../dictionary/id-index.ts';
import { Interner } from '../dictionary/interner.ts';
import { sharedWords } from '../dictionary/shared-column.ts';
import { Activity } from './activity.ts';
import { SampleLabels } from './sample-labels.ts';
import { SeriesTable } from './series-table.ts';

/** Types and sets of them are u16 in the tables. */
const MAX_TYPES = 65_535;
const MAX_AGENTS = 1_000_000;
/** Sets of sample labels are held in memory; over it samples lose theirs. */
const MAX_LABELSETS = 1_000_000;
const LABELSET_BYTES = 300;
/** In place of a ref: the sample keeps its value with the empty set, and is counted. */
export const NO_ROOM = 0xffff_ffff;

export interface CatalogueMark {
  series: number;
  labelsets: number;
  types: number;
  typesets: number;
  agents: number;
  services: number;
}

export class Catalogue {
  readonly types = new Interner<RowType>('MAX_TYPES', MAX_TYPES);
  readonly typesets = new Interner<number[]>('MAX_TYPES', MAX_TYPES);
  readonly agents = new Interner<AgentInfo>('MAX_AGENTS', MAX_AGENTS);
  readonly services = new Interner<string>('MAX_SERIES', MAX_SERIES);
  /** By series: the number of its service_name, by which blocks are sorted. */
  readonly service = sharedWords();
  readonly seriesIndex = new IdIndex();
  readonly series = new SeriesTable();
  readonly labelsetIndex = new IdIndex();
  readonly sampleLabels = new SampleLabels();
  activity = new Activity();

  /** What was added so far is of the transaction that begins; returns where it ends. */
  freeze(): CatalogueMark {
    return {
      series: this.seriesIndex.freeze(),
      labelsets: this.labelsetIndex.freeze(),
      types: this.types.items.length,
      typesets: this.typesets.items.length,
      agents: this.agents.items.length,
      services: this.services.items.length,
    };
  }

  committedMark(): CatalogueMark {
    return {
      series: this.seriesIndex.committedCount,
      labelsets: this.labelsetIndex.committedCount,
      types: this.types.committedCount,
      typesets: this.typesets.committedCount,
      agents: this.agents.committedCount,
      services: this.services.committedCount,
    };
  }

  addSeries(row: SeriesRow): number {
    const [low, high] = row.id;
    const known = this.seriesIndex.find(low, high);
    if (known >= 0) return known;
    this.series.add(row.labels, row.period);
    const name = labelValue(row.labels, 'service_name');
    this.service.push(this.services.intern(name, name));
    return this.seriesIndex.assign(low, high);
  }

  /** In place of a series that was forgotten: its number is not given again. */
  skipSeries(): void {
    const id = randomBytes(8);
    this.series.add({}, 0);
    this.service.push(0);
    this.seriesIndex.assign(id.readInt32LE(0), id.readInt32LE(4));
  }

  /** The set's number, from 0, or -1 where there is no room for another one. */
  addLabelset(labels: readonly SampleLabel[], low: number, high: number): number {
    const known = this.labelsetIndex.find(low, high);
    if (known >= 0 || this.sampleLabels.count >= MAX_LABELSETS) return known;
    this.sampleLabels.add(labels);
    return this.labelsetIndex.assign(low, high);
  }

  addType(type: RowType): number {
    return this.types.intern(typeKey(type), type);
  }

  addTypeset(types: readonly number[]): number {
    const sorted = [...new Set(types)].sort((a, b) => a - b);
    return this.typesets.intern(JSON.stringify(sorted), sorted);
  }

  addAgent(agent: AgentInfo): number {
    const key = JSON.stringify([agent.id, agent.host, agent.version, agent.kernel]);
    return this.agents.intern(key, agent);
  }

  /**
   * Refs of the batch's label sets. The empty set is ref 0; a set for which there is no room has
   * the ref NO_ROOM.
   */
  addLabelsets(batch: WriteBatch): Uint32Array {
    const refs = new Uint32Array(batch.labelsets.length);
    for (let row = 1; row < refs.length; row++) {
      const low = batch.labelsetIds[2 * row] as number;
      const high = batch.labelsetIds[2 * row + 1] as number;
      const number = this.addLabelset(batch.labelsets[row] ?? [], low, high);
      refs[row] = number < 0 ? NO_ROOM : number + 1;
    }
    return refs;
  }

  commit(mark: CatalogueMark): void {
    this.seriesIndex.commit();
    this.labelsetIndex.commit();
    this.types.committedCount = mark.types;
    this.typesets.committedCount = mark.typesets;
    this.agents.committedCount = mark.agents;
    this.services.committedCount = mark.services;
  }

  /** Of what grows without bound but by limits; sample label sets are estimated. */
  get byteLength(): number {
    const { series, seriesIndex, labelsetIndex, sampleLabels } = this;
    const sets = sampleLabels.count * LABELSET_BYTES;
    return series.byteLength + seriesIndex.byteLength + labelsetIndex.byteLength + sets;
  }

  /** Drops what is not durable. Activity must be loaded again: spans cannot be narrowed. */
  rollback(): void {
    this.seriesIndex.rollback();
    this.labelsetIndex.rollback();
    this.types.rollback();
    this.typesets.rollback();
    this.agents.rollback();
    this.services.rollback();
    this.sampleLabels.truncate(this.labelsetIndex.count);
    this.series.truncate(this.seriesIndex.count);
    this.service.length = this.seriesIndex.count;
  }
}

export function typeKey({ type, derived }: RowType): string {
  return `${formatProfileType(type)} ${derived === null ? '' : formatProfileType(derived)}`;
}

/** The inverse of what the tables hold. */
export function rowTypeOf(type: string, derived: string): RowType {
  return {
    type: parseProfileType(type),
    derived: derived === '' ? null : parseProfileType(derived),
  };
}

export function sameType(a: ProfileType, b: ProfileType): boolean {
  return formatProfileType(a) === formatProfileType(b);
}
