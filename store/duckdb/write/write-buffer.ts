/** Turns batches into rows with dense refs, which wait here for the next transaction. */
import { EverflameError } from '../../../profile/errors.ts';
import { aggregationOf } from '../../../profile/select/profile-type.ts';
import type { AgentInfo, WindowRow, WriteBatch } from '../../store.ts';
import { type Catalogue, NO_ROOM } from '../catalogue/catalogue.ts';
import type { Dictionaries } from '../dictionary/dictionaries.ts';
import { checkBatch } from './batch-check.ts';
import {
  type CounterRow,
  counterRows,
  ProfileBuffer,
  SampleBuffer,
  setHalves,
} from './row-buffer.ts';

/** A window that an agent reports in a later request than its own. */
export interface LateReport {
  /** States of the agent (refs of the catalogue). */
  agents: number[];
  seq: number;
  tsMs: number;
  report: number;
}

/** Rows of one transaction. */
export class WaitingRows {
  readonly samples = new SampleBuffer();
  readonly profiles = new ProfileBuffer();
  readonly windows: CounterRow[] = [];
  /** These take the place of what earlier reports said of the same windows. */
  lateReports: LateReport[] = [];

  clear(): void {
    this.samples.count = 0;
    this.profiles.count = 0;
    this.profiles.comments.length = 0;
    this.windows.length = 0;
    this.lateReports = [];
  }
}

export class WriteBuffer {
  /** Of the next transaction. */
  rows = new WaitingRows();
  #spare: WaitingRows | null = null;
  readonly #dictionaries: Dictionaries;
  readonly #catalogue: Catalogue;
  /** Samples that lost their label set because there was no room for it, since the start. */
  samplesWithoutLabels = 0;
  /** Number of the next report of windows; ascends over the store's life. */
  nextReport = 0;

  constructor(dictionaries: Dictionaries, catalogue: Catalogue) {
    this.#dictionaries = dictionaries;
    this.#catalogue = catalogue;
  }

  /** Does ahead of `add` what takes long, in turns. Returns what `add` wants to be told of it. */
  prepare(batch: WriteBatch): Promise<number> {
    checkBatch(batch);
    return this.#dictionaries.addInTurns(batch);
  }

  /**
   * Adds a batch whole, or throws and adds no row. Dictionary rows of a batch that is refused for
   * an unknown stack may stay: they are complete, and nothing refers to them.
   */
  add(batch: WriteBatch, prepared: number | null): void {
    // What was prepared before a rollback may be gone.
    if (prepared !== this.#dictionaries.rollbacks) this.#dictionaries.add(batch);
    const catalogue = this.#catalogue;
    const types = Uint32Array.from(batch.types, (type) => catalogue.addType(type));
    const series = Uint32Array.from(batch.series, (row) => catalogue.addSeries(row));
    const labelsets = catalogue.addLabelsets(batch);
    const lastMs = this.#addSamples(batch, types, series, labelsets);
    const agent = batch.agent === null ? 0 : catalogue.addAgent(batch.agent) + 1;
    this.#addProfiles(batch, types, series, agent, lastMs);
    if (batch.agent !== null) this.#addWindows(batch.windows, batch.agent, agent - 1);
  }

  /** A request's own window is its last; those before it are told late. */
  #addWindows(windows: readonly WindowRow[], agent: AgentInfo, state: number): void {
    const report = this.nextReport++;
    for (const window of windows) {
      this.rows.windows.push(...counterRows(state, agent.host, report, window));
    }
    if (windows.length < 2) return;
    const agents: number[] = [];
    for (const [ref, { id }] of this.#catalogue.agents.items.entries()) {
      if (id === agent.id) agents.push(ref);
    }
    for (const { seq, startMs } of windows.slice(0, -1)) {
      this.rows.lateReports.push({ agents, seq, tsMs: startMs, report });
    }
  }

  /** Returns each profile's last sample time. */
  #addSamples(
    batch: WriteBatch,
    types: Uint32Array,
    series: Uint32Array,
    labelsets: Uint32Array,
  ): Float64Array {
    const { samples: rows, profiles } = batch;
    const into = this.rows.samples;
    const stacks = this.#dictionaries.stacks.index;
    const lastMs = Float64Array.from(profiles, (profile) => profile.tsMs);
    const services = series.map((ref) => this.#catalogue.service.data[ref] as number);
    const isGauge = Uint8Array.from(batch.types, ({ type }) =>
      aggregationOf(type) === 'gauge' ? 1 : 0,
    );
    // Columns in locals: this loop is most of what a sample costs the main thread.
    const startMs = lastMs.slice();
    const seriesRows = Uint32Array.from(profiles, (profile) => profile.series);
    into.reserve(rows.count);
    const { type: typeTo, service, series: seriesTo, stack: stackTo, labelset: labelsetTo } = into;
    const { tsMs: timeTo, value: valueTo } = into;
    let at = into.count;
    let withoutLabels = 0;
    for (let row = 0; row < rows.count; row++) {
      const low = rows.value[2 * row] as number;
      const high = rows.value[2 * row + 1] as number;
      if (low === 0 && high === 0) continue;
      const stackLow = rows.stack[2 * row] as number;
      const stack = stacks.find(stackLow, rows.stack[2 * row + 1] as number);
      if (stack < 0) throw unknownStack(row);
      const type = rows.type[row] as number;
      const profile = rows.profile[row] as number;
      // A gauge holds from its profile's time on, so that is the time of all its rows.
      const tsMs = (isGauge[type] === 1 ? startMs[profile] : rows.tsMs[row]) as number;
      if (tsMs > (lastMs[profile] as number)) lastMs[profile] = tsMs;
      const seriesRow = seriesRows[profile] as number;
      typeTo[at] = types[type] as number;
      service[at] = services[seriesRow] as number;
      seriesTo[at] = series[seriesRow] as number;
      setHalves(timeTo, at, tsMs);
      stackTo[at] = stack;
      const labelset = labelsets[rows.labelset[row] as number] as number;
      if (labelset === NO_ROOM) withoutLabels++;
      labelsetTo[at] = labelset === NO_ROOM ? 0 : labelset;
      valueTo[2 * at] = low;
      valueTo[2 * at + 1] = high;
      at++;
    }
    into.count = at;
    this.samplesWithoutLabels += withoutLabels;
    return lastMs;
  }

  #addProfiles(
    batch: WriteBatch,
    types: Uint32Array,
    series: Uint32Array,
    agent: number,
    lastMs: Float64Array,
  ): void {
    const into = this.rows.profiles;
    into.reserve(batch.profiles.length);
    for (const [row, profile] of batch.profiles.entries()) {
      const at = into.count++;
      const typeset = this.#catalogue.addTypeset(
        profile.types.map((type) => types[type] as number),
      );
      const seriesRef = series[profile.series] as number;
      const last = lastMs[row] as number;
      into.series[at] = seriesRef;
      setHalves(into.tsMs, at, profile.tsMs);
      into.durationMs[at] = profile.durationMs;
      into.spanMs[at] = last - profile.tsMs;
      into.typeset[at] = typeset;
      into.agent[at] = agent;
      setHalves(into.seq, at, profile.seq ?? -1);
      into.comments.push(profile.comments.length === 0 ? '' : JSON.stringify(profile.comments));
      this.#catalogue.activity.cover(seriesRef, typeset, profile.tsMs, last);
    }
  }

  /** The rows that wait; from now on others gather. */
  take(): WaitingRows {
    const taken = this.rows;
    this.rows = this.#spare ?? new WaitingRows();
    this.#spare = null;
    return taken;
  }

  /** Rows that are written: their memory is used again. */
  reuse(rows: WaitingRows): void {
    rows.clear();
    this.#spare = rows;
  }
}

function unknownStack(row: number): EverflameError {
  return new EverflameError('invalid', `sample ${row} has a stack that nobody described`, {
    field: `samples.stack[${row}]`,
    remedy: 'Leave out only stacks that a snapshot of this store has, under its own id key.',
  });
}
